"""Places kernels on a fabric: the slowest time, the wire and the adapters by their weights, with lower bounds.

1. Lower bounds, from areas and least sides alone (bounds.py).
2. Starts: snakes of bars over a range of limits on the slowest time, and the slicing floorplan of the shortest time
   with the chain in order, exact for that family (fastest.py); where time comes first, in other orders (reorder.py).
3. Annealing of slicing trees whose leaves keep all their shapes, the better half of them again and longer (search.py).
4. Groups without a box are blocks first, so that they get one; then all goes on within the boxes (together.py).
5. CP-SAT: what lies left of and below what is kept, sides and corners are free (exact.py); few blocks as a whole.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

from wsc.compiler.errors import DoesNotFit
from wsc.placement.bounds import bounds_of
from wsc.placement.candidates import Catalogue, catalogue, time_bound
from wsc.placement.corner import corner_bound
from wsc.placement.drafts import cheapest, flow_order, varied
from wsc.placement.effort import Effort, SolveParams
from wsc.placement.ground import check_ground
from wsc.placement.layout import align, lay_out
from wsc.placement.plan import Plan, adapters_of, cost_of, exact_cost_of, half_hops_of, placed_of
from wsc.placement.polish import faster, is_small, polished, worth_polishing
from wsc.placement.problem import Problem
from wsc.placement.progress import Progress, Teller, Told, with_shares
from wsc.placement.regions import Box
from wsc.placement.result import Placement, total_of
from wsc.placement.scatter import MANY, scatter
from wsc.placement.scene import Prices, Stage, stage_of
from wsc.placement.search import WORKERS, Found, Stop, successive_halves, unmoved
from wsc.placement.seeds import Seeds, seeds_of
from wsc.placement.starts import levels, plain, planted
from wsc.placement.together import is_open, settle
from wsc.placement.tree import mark_all, renew_stale

__all__ = ["Effort", "Progress", "SolveParams", "Told", "solve"]

_PASSES = 2  # as many as the annealing counted with
_HOPEFUL = 64  # a search is not thought to save more than a sixty-fourth
_PLAIN = 8  # drafts that are polished as they are
_FEW = 40  # blocks: up to here that takes a fraction of a second each


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
        try:
            found, bound = _best(problem, ground, menus, bound, each, stop, heard)
        except KeyboardInterrupt:  # outside the annealing, which hears of it by itself
            if plan is None:
                raise
            stop.set()
            break
        if found is not None and (
            plan is None or exact_cost_of(problem, menus, found) < exact_cost_of(problem, menus, plan)
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
) -> tuple[Plan | None, int]:
    """The best that the work of one step makes of the problem, polished, and the lower bound on the slowest time."""
    plans = _searched(ground, menus, bound, params, stop, told)
    plan = plans[0] if plans else None
    if is_small(problem, menus, params) and (plan is None or plan.limit > bound):
        plan, bound = faster(problem, menus, bound, plan, params)
        plans = [] if plan is None else [plan]
    if not plans:
        return None, bound
    if not stop.asked():
        plans = worth_polishing(problem, plans)
        try:
            with ThreadPoolExecutor(WORKERS) as pool:
                plans = list(pool.map(lambda it: polished(problem, menus, it, params), plans))
        except KeyboardInterrupt:
            stop.set()
    return min(plans, key=lambda it: cost_of(problem, it)), bound


def _searched(
    problem: Problem, menus: Catalogue, bound: int, params: SolveParams, stop: Stop, told: Told | None
) -> list[Plan]:
    """The best that annealing makes of snakes and slicing floorplans, the best first; none where nothing fits."""
    prices = Prices.of(problem)
    order = flow_order(len(problem.blocks), problem.nets)
    if len(problem.fabric.blocked) > MANY and not problem.is_bound:
        scattered = scatter(problem, menus, order, bound)
        return [] if scattered is None else [Plan(*scattered, [None] * len(problem.blocks))]
    seeds = seeds_of(problem, menus, prices, order, bound, params)
    if seeds.are_enough or not seeds.are_some:
        return seeds.plans
    stage = _stage(problem, menus, prices, bound, seeds, params)
    starts = planted(stage, order, seeds, params.starts)
    teller = Teller(prices, problem.weights is not None, bound, params, told)
    moves = max(1, params.moves * 16 // max(16, len(problem.blocks)))
    found = successive_halves(stage, starts, moves, params.rounds, stop, teller.hear)
    few = _PLAIN if len(order) <= _FEW else 0
    drafted = plain(stage, order, seeds.snakes, few) + starts[: params.polished] if seeds.snakes else []
    best = found[: params.polished] + [it for it in (unmoved(stage, start) for start in drafted) if it.fits]
    return seeds.plans + [_plan_of(problem, stage, it) for it in best]


def _stage(
    problem: Problem,
    menus: Catalogue,
    prices: Prices,
    bound: int,
    seeds: Seeds,
    params: SolveParams,
) -> Stage:
    """The scene of the annealing: limits about those of the starts, and the regions that the packing fills."""
    whole = Box(0, 0, problem.fabric.width, problem.fabric.height)
    packing = seeds.packing
    regions = packing.boxes if packing else [whole]
    zones = [piece.order for piece in packing.pieces] if packing else []
    few = _PLAIN if len(problem.blocks) <= _FEW else 0
    middle = {it.limit for it in (*varied(seeds.snakes, params.starts), *cheapest(seeds.snakes, few))}
    middle |= {it.limit for it in seeds.folds[: params.starts]} | {
        it.limit for it in seeds.agreed[: params.starts]
    }
    if packing is not None and not middle:
        middle = {packing.limit}
    low, high = min(middle), max(middle)
    if seeds.snakes or seeds.agreed:
        low, high = low - low // 25, high + high // 32
        middle |= {packing.limit} if packing and low <= packing.limit <= high else set()
    limits = levels(menus, max(bound, low), sorted(middle), high, params.levels)
    return stage_of(problem, menus, prices, limits, regions, zones)


def _plan_of(problem: Problem, stage: Stage, found: Found) -> Plan:
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
    return Plan(stage.limits[int(state.level[0])], boxes, ports)


def _placement(problem: Problem, menus: Catalogue, plan: Plan, bound: int, interrupted: bool) -> Placement:
    placed = placed_of(menus, plan)
    slowest = max(it.time for it in placed)
    half_hops = half_hops_of(problem, placed)
    adapters = adapters_of(problem, [it.ports for it in placed])
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
