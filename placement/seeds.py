"""What searches start from: snakes, folds, rows that agree, the best row and the fastest slicing floorplan."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from wsc.placement.agreed import agreed_rows
from wsc.placement.anneal import LOSS
from wsc.placement.bars import Laid
from wsc.placement.candidates import Catalogue
from wsc.placement.drafts import Draft, drafts
from wsc.placement.effort import SolveParams
from wsc.placement.fastest import fastest_packing
from wsc.placement.folded import Folded, Folder
from wsc.placement.plan import Plan, are_adapters_dear, cost_of
from wsc.placement.problem import Problem
from wsc.placement.reorder import reordered
from wsc.placement.row import best_row
from wsc.placement.scene import Prices
from wsc.placement.slicing import Packing
from wsc.placement.spread import Spread

_HOPEFUL = 64  # a search is not thought to save more than a sixty-fourth


@dataclass(frozen=True)
class Seeds:
    """Snakes and rows that agree, folds and rows by cost, and a packing; whether no search is needed beside rows."""

    packing: Packing | None = None
    snakes: Sequence[Draft] = ()
    agreed: Sequence[Laid] = ()
    rows: Sequence[Plan] = ()
    folds: Sequence[Folded] = ()
    are_enough: bool = False

    @property
    def are_some(self) -> bool:
        """Whether there is anything to start from."""
        return bool(self.packing or self.snakes or self.agreed)

    @property
    def plans(self) -> list[Plan]:
        """Those that are placements already."""
        return [*self.rows, *(Plan(it.limit, it.boxes, it.ports) for it in self.agreed)]


def seeds_of(
    problem: Problem, menus: Catalogue, prices: Prices, order: Sequence[int], bound: int, params: SolveParams
) -> Seeds:
    """All that there are; where neighbours had better agree and `trust_rows` is set, only rows in which they do."""
    if problem.weights is None or problem.fabric.blocked or problem.is_bound:
        return Seeds(_packed(problem, menus, order, bound, params))
    with ThreadPoolExecutor(1) as pool:  # beside this thread; compiled code runs free of Python's lock
        packed = None if prices.adapter else pool.submit(_packed, problem, menus, order, bound, params)
        some = drafts(problem, menus, prices, order, bound, params.limits)

        def lined() -> tuple[list[Plan], list[Folded]]:
            """The best row, and folds."""
            rowed = pool.submit(_rows, problem, menus, prices, bound, some, params.rows)
            known = min((it.cost for it in some), default=LOSS)
            folds = Folder(problem, menus, prices).folded(order, bound, known, params.folding) if some else []
            return rowed.result(), folds

        both = None
        if (
            params.trust_rows
            and prices.adapter
            and some
            and len(some[0].snake.stops) == 1
            and Spread.of(problem).path
        ):
            rows, folds = both = lined()
            if _are_far_best(problem, rows, some, folds):
                return Seeds(rows=rows, are_enough=True)
        agreed = list[Laid]()
        if prices.adapter:
            snakes = [it.snake for it in some]
            agreed = agreed_rows(problem, menus, prices, order, bound, snakes, params.agreeing)
        if params.trust_rows and agreed and _had_better_agree(problem, prices, some, agreed[0]):
            return Seeds(agreed=agreed, rows=both[0] if both else [])
        packed = packed or pool.submit(_packed, problem, menus, order, bound, params)
        packing = packed.result()
        rows, folds = both or lined()
    found = Seeds(packing, some, agreed, rows, folds)
    trusted = params.trust_rows and _are_far_best(problem, found.plans, some, folds)
    return replace(found, are_enough=trusted)


def _had_better_agree(problem: Problem, prices: Prices, some: Sequence[Draft], agreed: Laid) -> bool:
    """Whether snakes cost more than rows that agree if each net takes an adapter, and adapters are dear."""
    each = len(problem.nets) * prices.adapter
    least = min((it.cost for it in some), default=LOSS)
    return agreed.cost <= least + each and are_adapters_dear(problem, agreed.cost)


def _packed(
    problem: Problem, menus: Catalogue, order: Sequence[int], bound: int, params: SolveParams
) -> Packing | None:
    """The slicing floorplan of the shortest time, in other orders of the chain too where time comes first."""
    packing = fastest_packing(problem, menus, order, bound, params.splits)
    free = problem.weights is None and not problem.fabric.blocked and not problem.is_bound
    return (
        reordered(problem, menus, packing, bound, params.reorder) if packing is not None and free else packing
    )


def _rows(
    problem: Problem, menus: Catalogue, prices: Prices, bound: int, some: Sequence[Draft], looks: int
) -> list[Plan]:
    """The best row of a chain, where there is one that is not dearer than the drafts are thought to be."""
    if not some or not looks:
        return []
    most = 1 + max((menu.within(bound).ports.shape[1] for menu in menus.menus), default=0)
    slack = most * (prices.half_hop + prices.adapter) * sum(net.weight for net in problem.nets)
    row = best_row(problem, menus, prices, bound, some[0].cost + slack, looks)
    return [] if row is None else [Plan(row.limit, row.boxes, row.ports, row)]


def _are_far_best(
    problem: Problem, plans: Sequence[Plan], some: Sequence[Draft], folds: Sequence[Folded]
) -> bool:
    """Whether folds and drafts, but for drafts of the single row that a plan is the best of, are dearer than a plan
    by more than a search may make good, their adapters left out."""
    if not plans:
        return False
    cost = min(cost_of(problem, plan) for plan in plans)
    rows = 1 if any(plan.row for plan in plans) else 0
    others = [it.cost for it in some if len(it.snake.stops) > rows] + [it.cost for it in folds]
    return all((other - cost) * _HOPEFUL > cost for other in others)
