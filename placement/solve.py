"""Places blocks on a fabric: first the shortest time of the slowest block, then a short wire.

1. A lower bound on the time, from areas alone (candidates.py).
2. The shortest time at which a slicing floorplan in the order of the chain exists: bisection over all attainable
   times, exact for that family (slicing.py). It wastes about one core in fifty.
3. A short wire among the floorplans of that time (refine.py).
4. CP-SAT on windows of a few neighbours, or on the whole where there are few blocks, free of the family (exact.py).
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field, replace

from wsc.compiler.errors import DoesNotFit, VerificationError
from wsc.placement import exact
from wsc.placement.candidates import Catalogue, catalogue, time_bound
from wsc.placement.problem import Problem
from wsc.placement.refine import Search, refine, windows
from wsc.placement.regions import Box, partitions
from wsc.placement.result import Placed, Placement
from wsc.placement.slicing import Curves, Run, affordable_reach, curves, fill

_FILL_PERCENT = (98, 95, 90, 80, 60, 20)  # how full the fabric may get, from hopeful to sure


@dataclass(frozen=True, slots=True)
class SolveParams:
    """How hard to try; raises VerificationError for negative figures.

    `splits` bounds the work for each time tried: it holds runs of the chain to a length (beyond about 120 blocks).
    Problems of up to `exact_blocks` blocks and `exact_shapes` shapes in all go to the exact model as a whole, for
    `exact_effort` deterministic seconds of the solver an objective; others in windows of up to `window_blocks`
    blocks, `window_effort` each. Efforts of 0 leave the exact model out.
    """

    splits: int = 300_000
    search: Search = field(default_factory=Search)
    exact_blocks: int = 8
    exact_shapes: int = 20_000
    exact_effort: float = 0.5
    window_blocks: int = 4
    window_effort: float = 0.02

    def __post_init__(self) -> None:
        counts = (self.splits, self.exact_blocks, self.exact_shapes, self.window_blocks)
        if min(*counts, self.exact_effort, self.window_effort) < 0:
            raise VerificationError(f"parameters of at least 0 are needed: {self}")


@dataclass(frozen=True)
class _Plan:
    """A rectangle for each block, all of shapes within `limit` cycles, and windows to improve it in."""

    limit: int
    boxes: list[Box]
    windows: list[exact.Window]


def solve(problem: Problem, params: SolveParams | None = None) -> Placement:
    """A placement of the shortest slowest time found, then of a short wire; the same for equal arguments.

    Raises DoesNotFit where no placement was found, with the cores needed and available.
    """
    params = params or SolveParams()
    menus = catalogue(problem)
    bound = time_bound(menus, problem.fabric.free)
    if bound is None:
        raise DoesNotFit(_too_small(problem, menus))
    small = _is_small(problem, menus, params)
    plan = _floorplan(problem, menus, bound, params)
    if small and (plan is None or plan.limit > bound):
        plan, bound = _faster(problem, menus, bound, plan, params)
    if plan is None:
        raise DoesNotFit(_too_small(problem, menus))
    plan = replace(plan, boxes=_shortened(problem, menus, plan, small, params))
    return _placement(problem, menus, plan, bound)


def _is_small(problem: Problem, menus: Catalogue, params: SolveParams) -> bool:
    shapes = sum(len(menus.menu(index).time) for index in range(len(problem.blocks)))
    few = len(problem.blocks) <= params.exact_blocks and shapes <= params.exact_shapes
    return few and params.exact_effort > 0


def _floorplan(problem: Problem, menus: Catalogue, bound: int, params: SolveParams) -> _Plan | None:
    """The slicing floorplan of the shortest time and a short wire; None where no time allows one."""
    packing = _fastest_packing(problem, menus, bound, params.splits)
    if packing is None:
        return None
    shapes, runs = packing
    roots = refine(shapes, runs, problem.nets, params.search)
    leaves = [leaf for root in roots for leaf in root.leaves()]
    boxes = [
        _fitted(menus, block, Box(leaf.x, leaf.y, leaf.width, leaf.height), shapes.limit)
        for block, leaf in enumerate(leaves)
    ]
    parts = [
        exact.Window(Box(node.x, node.y, node.width, node.height), tuple(range(node.start, node.stop)))
        for node in windows(roots, params.window_blocks)
    ]
    return _Plan(shapes.limit, boxes, parts)


def _fastest_packing(
    problem: Problem, menus: Catalogue, bound: int, splits: int
) -> tuple[Curves, list[Run]] | None:
    """The shape curves at the shortest time at which runs of the chain fill the free boxes, and those runs."""
    ways = partitions(problem.fabric)
    reach = affordable_reach(len(problem.blocks), splits)
    times = menus.times()

    def packing(index: int) -> tuple[Curves, list[Run]] | None:
        shapes = curves(menus, problem.fabric, times[index], reach)
        fills = (fill(shapes, boxes) for boxes in ways)
        return next(((shapes, runs) for runs in fills if runs is not None), None)

    # More time never takes a shape away, so what fits at one time fits at every longer one.
    below = bisect_left(times, bound) - 1  # too short
    best = None
    for above in _probes(problem, menus, times):
        if above > below and (best := packing(above)) is not None:
            break
        below = max(below, above)
    while best is not None and above - below > 1:
        middle = (below + above) // 2
        found = packing(middle)
        if found is None:
            below = middle
        else:
            above, best = middle, found
    return best


def _probes(problem: Problem, menus: Catalogue, times: list[int]) -> list[int]:
    """Where to look first: the shortest times at which the least areas fill the fabric so far, and the longest."""
    aims = [problem.fabric.free * percent // 100 for percent in _FILL_PERCENT]
    indices = {bisect_left(times, -aim, key=lambda time: -menus.cores(time)) for aim in aims}
    last = len(times) - 1
    return sorted({min(index, last) for index in indices} | {last})


def _fitted(menus: Catalogue, block: int, slot: Box, limit: int) -> Box:
    """The smallest shape that fits the slot, in its middle."""
    shape = menus.menu(block).pick(slot.width, slot.height, limit)
    x = slot.x + (slot.width - shape.width) // 2
    y = slot.y + (slot.height - shape.height) // 2
    return Box(x, y, shape.width, shape.height)


def _faster(
    problem: Problem, menus: Catalogue, bound: int, plan: _Plan | None, params: SolveParams
) -> tuple[_Plan | None, int]:
    """What the exact model makes of the plan, or of none, and of the lower bound on the slowest time."""
    limit = plan.limit if plan else menus.times()[-1]
    hint = plan.boxes if plan else None
    verdict = exact.fastest(problem, menus, bound, limit, hint, params.exact_effort)
    if verdict.boxes is not None and (plan is None or verdict.value < plan.limit):
        plan = _Plan(verdict.value, verdict.boxes, [])
    return plan, max(bound, verdict.bound)


def _shortened(
    problem: Problem, menus: Catalogue, plan: _Plan, whole: bool, params: SolveParams
) -> list[Box]:
    """The boxes of the plan after the exact model has moved them for a shorter wire."""
    boxes = plan.boxes
    parts = [exact.Window.whole(problem)] if whole else plan.windows
    effort = params.exact_effort if whole else params.window_effort
    for window in parts if problem.nets and effort > 0 else []:
        verdict = exact.shortest(problem, menus, plan.limit, boxes, window, effort)
        if verdict.boxes is None:
            continue
        moved = dict(enumerate(boxes)) | dict(zip(window.blocks, verdict.boxes, strict=True))
        if _doubled_wire(problem, list(moved.values())) < _doubled_wire(problem, boxes):
            boxes = list(moved.values())
    return boxes


def _doubled_wire(problem: Problem, boxes: list[Box]) -> int:
    """The length of all nets in half byte-hops."""
    x = [2 * box.x + box.width for box in boxes]
    y = [2 * box.y + box.height for box in boxes]
    return sum(
        net.weight * (abs(x[net.source] - x[net.target]) + abs(y[net.source] - y[net.target]))
        for net in problem.nets
    )


def _placement(problem: Problem, menus: Catalogue, plan: _Plan, bound: int) -> Placement:
    placed: list[Placed] = []
    for block, box in enumerate(plan.boxes):
        shape = menus.menu(block).pick(box.width, box.height, plan.limit)
        placed.append(Placed(box.x, box.y, shape.width, shape.height, shape.time, shape.payload))
    slowest = max(it.time for it in placed)
    return Placement(
        placed=tuple(placed),
        slowest=slowest,
        wire_length=-(-_doubled_wire(problem, plan.boxes) // 2),
        bound=bound,
        cores_used=sum(it.width * it.height for it in placed),
        status="optimal" if bound == slowest else "feasible",
    )


def _too_small(problem: Problem, menus: Catalogue) -> str:
    """Why nothing fits, in a paragraph."""
    fabric = problem.fabric
    longest = menus.times()[-1]
    least = [menus.menu(index).cores(longest) for index in range(len(problem.blocks))]
    largest = sorted(range(len(least)), key=lambda index: (-least[index], index))[:3]
    names = ", ".join(f"{problem.blocks[index].name!r} ({least[index]:,})" for index in largest)
    need, spare = sum(least), fabric.free - sum(least)
    lack = f"{-spare:,} too few" if spare < 0 else f"{spare:,} to spare, but no arrangement was found"
    return (
        f"The {len(least)} blocks need at least {need:,} cores and the fabric of {fabric.width} x {fabric.height} "
        f"has {fabric.free:,} free ones: {lack}. The largest blocks at their smallest are {names}. A larger fabric, "
        "fewer layers at a time, or more memory in a core would help."
    )
