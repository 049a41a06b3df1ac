"""The exact model of a few blocks: free rectangles that may not overlap, solved by CP-SAT.

It knows no structure, so it is for small problems alone: past a dozen blocks its search is hopeless. The solver runs
one worker with a fixed seed and a limit in its own deterministic time, never a wall clock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from ortools.sat.python import cp_model

from wsc.placement.candidates import Catalogue
from wsc.placement.ground import boxed_groups
from wsc.placement.problem import Problem
from wsc.placement.regions import Box

Expression = cp_model.LinearExpr | int
_SPARE = 12  # a shape may grow by a twelfth of its longer side
_OTHER_PARITY = 12  # and by so many cores, for a side of the other parity
_LARGER = 8  # one that is free by an eighth of its area
_REACH = 32  # how far boxes may reach beyond the fabric, at a price: a thirty-second of its side


class Costs(NamedTuple):
    """Prices of half a hop, of an adapter, and of a column or row by which boxes reach beyond the fabric."""

    half_hop: int
    adapter: int
    beyond: int = 0


@dataclass(frozen=True)
class Verdict:
    """What the solver found: boxes of the window's blocks and their value, or None and 0; what none can beat, or 0."""

    boxes: list[Box] | None
    value: int
    bound: int


@dataclass(frozen=True)
class Window:
    """Blocks free to move within a box; the others stay where they are."""

    box: Box
    blocks: tuple[int, ...]

    @classmethod
    def whole(cls, problem: Problem) -> Window:
        """All blocks on the whole fabric."""
        fabric = problem.fabric
        return cls(Box(0, 0, fabric.width, fabric.height), tuple(range(len(problem.blocks))))


@dataclass(frozen=True)
class _Rectangle:
    x: cp_model.IntVar
    y: cp_model.IntVar
    width: cp_model.IntVar
    height: cp_model.IntVar


def fastest(
    problem: Problem, catalogue: Catalogue, floor: int, limit: int, hint: list[Box] | None, effort: float
) -> Verdict:
    """Seeks the shortest slowest time from `floor` to `limit` cycles, for `effort` deterministic seconds."""
    model = cp_model.CpModel()
    window = Window.whole(problem)
    slowest = model.new_int_var(floor, limit, "slowest")
    rectangles = {block: _rectangle(model, window.box) for block in window.blocks}
    for block, it in rectangles.items():
        table = catalogue.menu(block).within(limit)
        columns = (table.width, table.height, table.time)
        time = model.new_int_var(0, limit, "time")
        model.add_allowed_assignments(
            [it.width, it.height, time], list(zip(*(c.tolist() for c in columns), strict=True))
        )
        model.add(time <= slowest)
    _keep_apart(model, window, rectangles, problem)
    model.minimize(slowest)
    return _solve(model, rectangles, hint, _new_solver(effort))


def shortest(
    problem: Problem, catalogue: Catalogue, limit: int, boxes: list[Box], window: Window, effort: float
) -> Verdict:
    """Seeks the shortest wire with all blocks within `limit` cycles; the bound is in half byte-hops.

    `boxes` holds a placement of every block: the hint for those of the window, and where the others are.
    """
    model = cp_model.CpModel()
    rectangles = {block: _rectangle(model, window.box) for block in window.blocks}
    for block, it in rectangles.items():
        model.add_allowed_assignments([it.width, it.height], catalogue.menu(block).front(limit))
    _keep_apart(model, window, rectangles, problem)
    centres = [_centre(rectangles.get(block, box)) for block, box in enumerate(boxes)]
    model.minimize(_wire(model, problem, centres))
    return _solve(model, rectangles, [boxes[block] for block in window.blocks], _new_solver(effort))


def compacted(
    problem: Problem,
    catalogue: Catalogue,
    limit: int,
    boxes: list[Box],
    ports: Sequence[tuple[int, ...] | None],
    prices: Costs,
    effort: float,
    free: frozenset[int] = frozenset(),
) -> tuple[Verdict, list[tuple[int, ...] | None]]:
    """Seeks the least wire and adapters with pairs of blocks apart as they are now: left stays left, below below.

    Pairs of which both are `free` may be apart in any way. Corners are free, and sides and port tuples among shapes
    within `limit` ticks about as large as the present ones. Pinned blocks stay. Knowing which way most pairs are
    apart leaves difference constraints, which CP-SAT is good at. Where `prices.beyond` is not 0 boxes may reach
    beyond the fabric, at that price for each column and row. Returns the port tuples too.
    """
    model = cp_model.CpModel()
    reach = max(problem.fabric.width, problem.fabric.height) // _REACH if prices.beyond else 0
    beyond = [model.new_int_var(0, reach, "beyond") for _ in range(2)]
    room = Box(0, 0, problem.fabric.width + reach, problem.fabric.height + reach)
    rectangles = {block: _rectangle(model, room) for block in range(len(boxes))}
    entries: list[list[cp_model.IntVar]] = []
    for block, it in rectangles.items():
        rows = _near_shapes(catalogue, block, limit, boxes[block], ports[block], block in free)
        entries.append([model.new_int_var(min(c), max(c), "port") for c in list(zip(*rows, strict=True))[2:]])
        model.add_allowed_assignments([it.width, it.height, *entries[-1]], rows)
        for variable, value in zip(entries[-1], ports[block] or (), strict=True):
            model.add_hint(variable, value)
    _keep_home(model, problem, rectangles, boxes, beyond)
    for first, second, across in _needed(_apart(boxes), len(boxes), free):
        low, high = rectangles[first], rectangles[second]
        if across:
            model.add(low.x + low.width <= high.x)
        else:
            model.add(low.y + low.height <= high.y)
    if free:
        some = {block: rectangles[block] for block in sorted(free)}
        _keep_apart(model, Window(room, tuple(some)), some, problem)
    wire = _wire(model, problem, [_centre(rectangles[block]) for block in range(len(boxes))])
    odd = prices.adapter * _odd(model, problem, entries) if prices.adapter else 0
    model.minimize(prices.half_hop * wire + odd + prices.beyond * sum(beyond))
    solver = _new_solver(effort)
    solver.parameters.linearization_level = 2  # what is left is nearly a linear program
    solver.parameters.cp_model_probing_level = 0
    verdict = _solve(model, rectangles, boxes, solver)
    if verdict.boxes is None:
        return verdict, list(ports)
    return verdict, [tuple(map(solver.value, it)) if it else None for it in entries]


def _keep_home(
    model: cp_model.CpModel,
    problem: Problem,
    rectangles: dict[int, _Rectangle],
    boxes: list[Box],
    beyond: list[cp_model.IntVar],
) -> None:
    """Rectangles on the fabric, or beyond it by as much as counts, in the boxes of their groups, pinned ones fixed.

    Those outside a group stay on the side of its box that they are on, where they do not lie in it already.
    """
    boxed = boxed_groups(problem)
    homes = {block: box for group, box in boxed for block in group.blocks}
    for group, box in boxed:
        for block in set(rectangles) - set(group.blocks):
            if not boxes[block].meets(box):
                _keep_off(model, rectangles[block], boxes[block], box)
    for block, it in rectangles.items():
        home = homes.get(block)
        if home is None:
            model.add(it.x + it.width <= problem.fabric.width + beyond[0])
            model.add(it.y + it.height <= problem.fabric.height + beyond[1])
        else:
            model.add(it.x >= home.x)
            model.add(it.y >= home.y)
            model.add(it.x + it.width <= home.x + home.width)
            model.add(it.y + it.height <= home.y + home.height)
        if problem.blocks[block].pin is not None:
            model.add(it.x == boxes[block].x)
            model.add(it.y == boxes[block].y)


def _keep_off(model: cp_model.CpModel, it: _Rectangle, at: Box, box: Box) -> None:
    """A rectangle that is now at `at` off a box, the way that it is off it now."""
    _, second, across = _apart([at, box])[0]
    if across:
        model.add(it.x + it.width <= box.x if second == 1 else it.x >= box.x + box.width)
    else:
        model.add(it.y + it.height <= box.y if second == 1 else it.y >= box.y + box.height)


def _near_shapes(
    catalogue: Catalogue, block: int, limit: int, box: Box, ports: tuple[int, ...] | None, free: bool
) -> list[tuple[int, ...]]:
    """Rows (width, height, port entries if they count) about as large as the box, or of any size where it is free.

    Where ports do not count, of each parity of width and height those that no other is as narrow and as low as:
    centres lie on halves, so that a taller bar may be straight opposite its neighbour where a lower one is not.
    """
    menu = catalogue.menu(block)
    table = menu.roomy(limit) if ports is None else menu.within(limit)
    spare = (2 if ports is not None else _OTHER_PARITY) + max(box.width, box.height) // _SPARE
    few = table.width * table.height * _LARGER <= box.width * box.height * (_LARGER + 1)
    near = np.flatnonzero(
        few if free else (table.width <= box.width + spare) & (table.height <= box.height + spare)
    )
    if ports is not None:
        columns = np.column_stack([table.width[near], table.height[near], table.ports[near]])
        return [tuple(row) for row in np.unique(columns, axis=0).tolist()]
    order = np.lexsort((table.height[near], table.width[near]))
    width, height = table.width[near][order], table.height[near][order]
    kept: list[tuple[int, ...]] = []
    for parity in range(4):
        of = (width % 2 * 2 + height % 2) == parity
        wide, high = width[of], height[of]
        lowest = np.minimum.accumulate(high)
        falls = np.flatnonzero(np.append(True, lowest[1:] < lowest[:-1])[: len(high)])
        kept += zip(wide[falls].tolist(), high[falls].tolist(), strict=True)
    return sorted(kept)


def _odd(model: cp_model.CpModel, problem: Problem, entries: list[list[cp_model.IntVar]]) -> Expression:
    """The number of port entries that differ over the nets."""
    odd = []
    for net in problem.nets:
        for a, b in zip(entries[net.source], entries[net.target], strict=False):
            differs = model.new_bool_var("differs")
            model.add(a == b).only_enforce_if(~differs)
            odd.append(differs)
    return sum(odd)


def _apart(boxes: list[Box]) -> list[tuple[int, int, bool]]:
    """For each pair (the one that is left or below, the other, whether left), the way that they are further apart."""
    found = []
    for first, a in enumerate(boxes):
        for second in range(first + 1, len(boxes)):
            b = boxes[second]
            ways = [
                (b.x - a.x - a.width, first, second, True),
                (a.x - b.x - b.width, second, first, True),
                (b.y - a.y - a.height, first, second, False),
                (a.y - b.y - b.height, second, first, False),
            ]
            _, low, high, across = max(ways)
            found.append((low, high, across))
    return found


def _needed(
    apart: list[tuple[int, int, bool]], blocks: int, free: frozenset[int]
) -> list[tuple[int, int, bool]]:
    """The pairs of which not both are free, without those that follow from two others by way of a third block."""
    kept = [pair for pair in apart if not (pair[0] in free and pair[1] in free)]
    before = np.zeros((2, blocks, blocks), np.int64)
    for low, high, across in kept:
        before[int(across), low, high] = 1
    between = before @ before
    return [(low, high, across) for low, high, across in kept if not between[int(across), low, high]]


def _wire(
    model: cp_model.CpModel, problem: Problem, centres: list[tuple[Expression, Expression]]
) -> Expression:
    """The weighted length of all nets with a free end, in half hops."""
    reach = 2 * max(problem.fabric.width, problem.fabric.height)
    length: list[Expression] = []
    for net in problem.nets:
        for a, b in zip(centres[net.source], centres[net.target], strict=True):
            if isinstance(a, int) and isinstance(b, int):
                continue
            apart = model.new_int_var(0, reach, "apart")
            model.add(apart >= a - b)
            model.add(apart >= b - a)
            length.append(net.weight * apart)
    return sum(length)


def _rectangle(model: cp_model.CpModel, box: Box) -> _Rectangle:
    return _Rectangle(
        model.new_int_var(box.x, box.x + box.width - 1, "x"),
        model.new_int_var(box.y, box.y + box.height - 1, "y"),
        model.new_int_var(1, box.width, "width"),
        model.new_int_var(1, box.height, "height"),
    )


def _keep_apart(
    model: cp_model.CpModel, window: Window, rectangles: dict[int, _Rectangle], problem: Problem
) -> None:
    """Rectangles within the box, off one another and off blocked cells."""
    box = window.box
    across, along = [], []
    for it in rectangles.values():
        right = model.new_int_var(box.x, box.x + box.width, "right")
        top = model.new_int_var(box.y, box.y + box.height, "top")
        across.append(model.new_interval_var(it.x, it.width, right, "across"))
        along.append(model.new_interval_var(it.y, it.height, top, "along"))
    for x, y in problem.fabric.blocked:
        if not (box.x <= x < box.x + box.width and box.y <= y < box.y + box.height):
            continue
        across.append(model.new_fixed_size_interval_var(x, 1, "blocked"))
        along.append(model.new_fixed_size_interval_var(y, 1, "blocked"))
    model.add_no_overlap_2d(across, along)


def _centre(it: _Rectangle | Box) -> tuple[Expression, Expression]:
    """The doubled centre."""
    return 2 * it.x + it.width, 2 * it.y + it.height


def _new_solver(effort: float) -> cp_model.CpSolver:
    """A solver whose result is the same on any machine, for so many deterministic seconds."""
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.catch_sigint_signal = False  # Ctrl-C ends wsc, not this search alone
    solver.parameters.max_deterministic_time = effort
    return solver


def _solve(
    model: cp_model.CpModel,
    rectangles: dict[int, _Rectangle],
    hint: Sequence[Box] | None,
    solver: cp_model.CpSolver,
) -> Verdict:
    for it, box in zip(rectangles.values(), hint or (), strict=hint is not None):
        for variable, value in ((it.x, box.x), (it.y, box.y), (it.width, box.width), (it.height, box.height)):
            model.add_hint(variable, value)
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Verdict(None, 0, 0)
    bound = math.ceil(solver.best_objective_bound - 1e-6)  # the objective is whole, its bound a float
    sides = [(it.x, it.y, it.width, it.height) for it in rectangles.values()]
    return Verdict([Box(*map(solver.value, side)) for side in sides], round(solver.objective_value), bound)
