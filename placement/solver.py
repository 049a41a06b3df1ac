"""Places kernels on a fabric: the slowest time, the wire and the adapters by their weights, with lower bounds.

1. Lower bounds, from areas and least sides alone (bounds.py).
2. Starts: snakes of bars over a range of limits on the slowest time, and the slicing floorplan of the shortest time
   with the chain in order, exact for that family (starts.py); where time comes first, in other orders (reorder.py).
3. Annealing of slicing trees whose leaves keep all their shapes, the better half of them again and longer (search.py).
4. Groups without a box are blocks first, so that they get one; then all goes on within the boxes (together.py).
5. CP-SAT: what lies left of and below what is kept, sides and corners are free (exact.py); few blocks as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction

from wsc.compiler.errors import DoesNotFit
from wsc.placement import exact
from wsc.placement.anneal import LOSS
from wsc.placement.bounds import bounds_of
from wsc.placement.candidates import Catalogue, catalogue, time_bound
from wsc.placement.corner import corner_bound
from wsc.placement.effort import Effort, SolveParams
from wsc.placement.folded import Folded, Folder
from wsc.placement.ground import check_ground
from wsc.placement.layout import align, lay_out
from wsc.placement.problem import Problem
from wsc.placement.progress import Progress, Teller, Told, with_shares
from wsc.placement.regions import Box
from wsc.placement.reorder import reordered
from wsc.placement.result import Placed, Placement, total_of
from wsc.placement.row import Row, best_row
from wsc.placement.scatter import MANY, scatter
from wsc.placement.scene import Prices, Stage, stage_of
from wsc.placement.search import WORKERS, Found, Stop, successive_halves, unmoved
from wsc.placement.slicing import Packing
from wsc.placement.starts import (
    Draft,
    cheapest,
    drafts,
    fastest_packing,
    flow_order,
    levels,
    plain,
    planted,
    varied,
)
from wsc.placement.together import is_open, settle
from wsc.placement.tree import mark_all, renew_stale

__all__ = ["Effort", "Progress", "SolveParams", "Told", "solve"]

_PASSES = 2  # as many as the annealing counted with
_HOPEFUL = 64  # polishing is not thought to save more than a sixty-fourth
_PLAIN = 8  # drafts that are polished as they are
_FEW = 40  # blocks: up to here that takes a fraction of a second each
_MOST_POLISHED = 200  # blocks: every pair is a constraint


@dataclass(frozen=True)
class _Plan:
    """A box for each block and the port tuple of its shape, all of shapes within `limit` ticks; `row` where it is
    the best row of a chain, which needs no polish."""

    limit: int
    boxes: list[Box]
    ports: list[tuple[int, ...] | None]
    row: Row | None = None


def solve(
    problem: Problem, params: SolveParams | Effort | None = None, told: Told | None = None
) -> Placement:
    """The best placement found; the same for equal arguments, on any machine.

    `told` hears of progress. Ctrl-C ends the search early: the best so far comes back, marked as interrupted. Raises
    DoesNotFit where no placement was found, with the cores needed and available; PlacementError for pins and groups
    that contradict one another.
    """
    params = params or Effort.LOW
    params = params.params if isinstance(params, Effort) else params
    menus = catalogue(problem)
    bound = time_bound(menus, problem.fabric.free)
    if bound is None:
        raise DoesNotFit(_too_small(problem, menus))
    check_ground(problem, menus)
    stop = Stop()
    ground = problem
    if is_open(problem):
        order = flow_order(len(problem.blocks), problem.nets)
        settled = settle(problem, menus, order, bound, params.splits, lambda outer: solve(outer, params))
        problem, ground = settled.groups, settled.all
        if settled.interrupted:
            stop.set()
    plan = None
    for each, heard in with_shares(params.steps(), told):
        found, bound = _best(problem, ground, menus, bound, each, stop, heard)
        if found is not None and (
            plan is None or _exact_cost(problem, menus, found) < _exact_cost(problem, menus, plan)
        ):
            plan = found
        if stop.asked():
            break
    if plan is None:
        raise DoesNotFit(_too_small(problem, menus))
    return _placement(problem, menus, plan, bound, stop.asked())


def _best(
    problem: Problem,
    ground: Problem,
    menus: Catalogue,
    bound: int,
    params: SolveParams,
    stop: Stop,
    told: Told | None,
) -> tuple[_Plan | None, int]:
    """The best that the work of one step makes of the problem, polished, and the lower bound on the slowest time."""
    plans = _searched(ground, menus, bound, params, stop, told)
    plan = plans[0] if plans else None
    if _is_small(problem, menus, params) and (plan is None or plan.limit > bound):
        plan, bound = _faster(problem, menus, bound, plan, params)
        plans = [] if plan is None else [plan]
    if plan is None or stop.asked():
        return plan, bound
    costs = [_cost(problem, replace(it, ports=[])) for it in plans]  # adapters are what polishing saves
    worth = [
        it for it, cost in zip(plans, costs, strict=True) if (cost - min(costs)) * _HOPEFUL <= min(costs)
    ]
    with ThreadPoolExecutor(WORKERS) as pool:
        polished = list(pool.map(lambda it: _polished(problem, menus, it, params), worth))
    return min(polished, key=lambda it: _cost(problem, it)), bound


def _searched(
    problem: Problem, menus: Catalogue, bound: int, params: SolveParams, stop: Stop, told: Told | None
) -> list[_Plan]:
    """The best that annealing makes of snakes and slicing floorplans, the best first; none where nothing fits."""
    prices = Prices.of(problem)
    order = flow_order(len(problem.blocks), problem.nets)
    if len(problem.fabric.blocked) > MANY and not _is_bound(problem):
        scattered = scatter(problem, menus, order, bound)
        return [] if scattered is None else [_Plan(*scattered, [None] * len(problem.blocks))]
    weighed = problem.weights is not None and not problem.fabric.blocked and not _is_bound(problem)
    with ThreadPoolExecutor(1) as pool:  # beside this thread; compiled code runs free of Python's lock
        packed = pool.submit(_packed, problem, menus, order, bound, params)
        some = drafts(problem, menus, prices, order, bound, params.limits) if weighed else []
        packing = packed.result()
        if packing is None and not some:
            return []
        known = min((draft.cost for draft in some), default=LOSS)
        rowed = pool.submit(_rows, problem, menus, prices, bound, some, params.rows)
        folder = Folder(problem, menus, prices)
        folds = folder.folded(order, bound, known, params.folding) if some else []
        rows = rowed.result()
    if rows and params.trust_rows and _is_far_best(rows[0], some, folds):
        return rows
    stage = _stage(problem, menus, prices, bound, packing, some, folds, params)
    starts = planted(stage, order, packing, some, folds, params.starts)
    teller = Teller(prices, problem.weights is not None, bound, params, told)
    moves = max(1, params.moves * 16 // max(16, len(problem.blocks)))
    found = successive_halves(stage, starts, moves, params.rounds, stop, teller.hear)
    few = _PLAIN if len(order) <= _FEW else 0
    drafted = plain(stage, order, some, few) + starts[: params.polished] if some else []
    best = found[: params.polished] + [it for it in (unmoved(stage, start) for start in drafted) if it.fits]
    return rows + [_plan_of(problem, stage, it) for it in best]


def _packed(
    problem: Problem, menus: Catalogue, order: Sequence[int], bound: int, params: SolveParams
) -> Packing | None:
    """The slicing floorplan of the shortest time, in other orders of the chain too where time comes first."""
    packing = fastest_packing(problem, menus, order, bound, params.splits)
    free = problem.weights is None and not problem.fabric.blocked and not _is_bound(problem)
    return (
        reordered(problem, menus, packing, bound, params.reorder) if packing is not None and free else packing
    )


def _rows(
    problem: Problem, menus: Catalogue, prices: Prices, bound: int, some: Sequence[Draft], looks: int
) -> list[_Plan]:
    """The best row of a chain, where there is one that is not dearer than the drafts are thought to be."""
    if not some or not looks:
        return []
    most = 1 + max((menu.within(bound).ports.shape[1] for menu in menus.menus), default=0)
    slack = most * (prices.half_hop + prices.adapter) * sum(net.weight for net in problem.nets)
    row = best_row(problem, menus, prices, bound, some[0].cost + slack, looks)
    return [] if row is None else [_Plan(row.limit, row.boxes, row.ports, row)]


def _is_far_best(plan: _Plan, some: Sequence[Draft], folds: Sequence[Folded]) -> bool:
    """Whether folds and drafts of more rows than one, their adapters left out, are dearer by more than a search may
    make good."""
    cost = plan.row.cost if plan.row else LOSS
    others = [it.cost for it in some if len(it.snake.stops) > 1] + [it.cost for it in folds]
    return all((other - cost) * _HOPEFUL > cost for other in others)


def _stage(
    problem: Problem,
    menus: Catalogue,
    prices: Prices,
    bound: int,
    packing: Packing | None,
    some: Sequence[Draft],
    folds: Sequence[Folded],
    params: SolveParams,
) -> Stage:
    """The scene of the annealing: limits about those of the starts, and the regions that the packing fills."""
    whole = Box(0, 0, problem.fabric.width, problem.fabric.height)
    regions = packing.boxes if packing else [whole]
    zones = [piece.order for piece in packing.pieces] if packing else []
    few = _PLAIN if len(problem.blocks) <= _FEW else 0
    middle = {it.limit for it in (*varied(some, params.starts), *cheapest(some, few))}
    middle |= {it.limit for it in folds[: params.starts]}
    if packing is None or not middle:
        middle |= {packing.limit} if packing else set()
    low, high = min(middle), max(middle)
    if middle and some:
        low, high = low - low // 25, high + high // 32
        middle |= {packing.limit} if packing and low <= packing.limit <= high else set()
    limits = levels(menus, max(bound, low), sorted(middle), high, params.levels)
    return stage_of(problem, menus, prices, limits, regions, zones)


def _plan_of(problem: Problem, stage: Stage, found: Found) -> _Plan:
    """The boxes of a state that fits."""
    scene, state = stage.scene, found.state
    mark_all(state)
    renew_stale(scene, state)
    lay_out(scene, state)
    align(scene, state, _PASSES)
    boxes = []
    for leaf in range(len(scene.kind)):
        width, height = (int(side) for side in state.sizes[leaf])
        x, y = (int(centre) for centre in state.centres[leaf])
        corner = problem.blocks[leaf].pin or ((x - width) // 2, (y - height) // 2)
        boxes.append(Box(*corner, width, height))
    ports = [stage.tuples[tag] if tag >= 0 else None for tag in state.tag.tolist()]
    return _Plan(stage.limits[int(state.level[0])], boxes, ports)


def _is_bound(problem: Problem) -> bool:
    """Whether some blocks may not lie anywhere."""
    return bool(problem.groups) or any(block.pin is not None for block in problem.blocks)


def _is_small(problem: Problem, menus: Catalogue, params: SolveParams) -> bool:
    """Whether the exact model may take the problem as a whole."""
    few = len(problem.blocks) <= params.exact_blocks and problem.weights is None and params.exact_effort > 0
    few = few and not _is_bound(problem)
    limit = menus.slowest() if few else 0
    return few and sum(len(m.within(limit).width) for m in menus.menus) <= params.exact_shapes


def _faster(
    problem: Problem, menus: Catalogue, bound: int, plan: _Plan | None, params: SolveParams
) -> tuple[_Plan | None, int]:
    """What the exact model makes of the plan, or of none, and of the lower bound on the slowest time."""
    limit = plan.limit if plan else menus.slowest()
    hint = plan.boxes if plan else None
    verdict = exact.fastest(problem, menus, bound, limit, hint, params.exact_effort)
    if verdict.boxes is not None and (plan is None or verdict.value < plan.limit):
        plan = _Plan(verdict.value, verdict.boxes, [None] * len(problem.blocks))
    return plan, max(bound, verdict.bound)


def _polished(problem: Problem, menus: Catalogue, plan: _Plan, params: SolveParams) -> _Plan:
    """The plan after an exact model has moved its boxes for a shorter wire and fewer adapters."""
    ports = plan.ports
    if plan.row is not None:
        return plan
    if _is_small(problem, menus, params):
        whole = exact.Window.whole(problem)
        verdict = exact.shortest(problem, menus, plan.limit, plan.boxes, whole, params.exact_effort)
    elif params.polish_effort > 0 and len(problem.blocks) <= _MOST_POLISHED and not problem.fabric.blocked:
        prices = Prices.of(problem)
        each = exact.Costs(prices.half_hop, prices.adapter)
        verdict, ports = exact.compacted(
            problem, menus, plan.limit, plan.boxes, plan.ports, each, params.polish_effort
        )
    else:
        return plan
    if verdict.boxes is None:
        return plan
    polished = replace(plan, boxes=verdict.boxes, ports=ports)
    return min(plan, polished, key=lambda it: _cost(problem, it))


def _cost(problem: Problem, plan: _Plan) -> int:
    """What a plan costs, as far as its limit, wire and adapters tell."""
    prices = Prices.of(problem)
    odd = _adapters(problem, [it or () for it in plan.ports]) if plan.ports else 0
    return plan.limit * prices.tick + _half_hops(problem, plan.boxes) * prices.half_hop + odd * prices.adapter


def _exact_cost(problem: Problem, menus: Catalogue, plan: _Plan) -> int:
    """What a plan costs; its slowest shape may be faster than its limit."""
    slowest = max(it.time for it in _placed(menus, plan))
    return _cost(problem, plan) - (plan.limit - slowest) * Prices.of(problem).tick


def _placed(menus: Catalogue, plan: _Plan) -> list[Placed]:
    """The boxes with the shapes in them."""
    placed: list[Placed] = []
    for block, box in enumerate(plan.boxes):
        shape = menus.menu(block).pick(box.width, box.height, plan.limit, plan.ports[block])
        sides = (shape.width, shape.height, shape.time, shape.payload, shape.memory, shape.ports)
        placed.append(Placed(box.x, box.y, *sides))
    return placed


def _adapters(problem: Problem, ports: Sequence[tuple[int, ...]]) -> int:
    """The port entries that differ over all nets."""
    pairs = ((ports[net.source], ports[net.target]) for net in problem.nets)
    return sum(a != b for first, second in pairs for a, b in zip(first, second, strict=False))


def _half_hops(problem: Problem, boxes: Sequence[Box | Placed]) -> int:
    """The length of all nets in half hops."""
    x = [2 * box.x + box.width for box in boxes]
    y = [2 * box.y + box.height for box in boxes]
    return sum(
        net.weight * (abs(x[net.source] - x[net.target]) + abs(y[net.source] - y[net.target]))
        for net in problem.nets
    )


def _placement(problem: Problem, menus: Catalogue, plan: _Plan, bound: int, interrupted: bool) -> Placement:
    placed = _placed(menus, plan)
    slowest = max(it.time for it in placed)
    half_hops = _half_hops(problem, placed)
    adapters = _adapters(problem, [it.ports for it in placed])
    prices = Prices.of(problem)
    known = slowest * prices.tick + half_hops * prices.half_hop + adapters * prices.adapter
    bounds = bounds_of(problem, menus, prices, bound, known)
    least = bounds.cost
    if plan.row is not None and plan.row.proven:
        least = max(least, min(plan.row.cost, corner_bound(problem, menus, prices, bound, known)))
    return Placement(
        placed=tuple(placed),
        slowest=slowest,
        half_hops=half_hops,
        bound=bound,
        cores_used=sum(it.width * it.height for it in placed),
        status="optimal" if bound == slowest else "feasible",
        adapters=adapters,
        half_hops_bound=bounds.half_hops,
        total=total_of(problem, slowest, half_hops, adapters),
        total_bound=Fraction(least, prices.unit) if problem.weights else None,
        interrupted=interrupted,
    )


def _too_small(problem: Problem, menus: Catalogue) -> str:
    """Why nothing fits, in a paragraph."""
    fabric = problem.fabric
    longest = menus.slowest()
    least = [menus.menu(index).cores(longest) or 0 for index in range(len(problem.blocks))]
    largest = sorted(range(len(least)), key=lambda index: (-least[index], index))[:3]
    names = ", ".join(f"{problem.blocks[index].name!r} ({least[index]:,})" for index in largest)
    need, spare = sum(least), fabric.free - sum(least)
    lack = f"{-spare:,} too few" if spare < 0 else f"{spare:,} to spare, but no arrangement was found"
    return (
        f"The {len(least)} blocks need at least {need:,} cores and the fabric of {fabric.width} x {fabric.height} "
        f"has {fabric.free:,} free ones: {lack}. The largest blocks at their smallest are {names}. A larger fabric, "
        "fewer layers at a time, or more memory in a core would help."
    )
