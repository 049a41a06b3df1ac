"""The exact model of a few blocks: free rectangles that may not overlap, solved by CP-SAT.

It knows no structure, so it is for small problems alone: past a dozen blocks its search is hopeless. The solver runs
one worker with a fixed seed and a limit in its own deterministic time, never a wall clock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ortools.sat.python import cp_model

from wsc.placement.candidates import Catalogue
from wsc.placement.problem import Problem
from wsc.placement.regions import Box

Expression = cp_model.LinearExpr | int


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
    return _solve(model, rectangles, hint, effort)


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
    reach = 2 * max(problem.fabric.width, problem.fabric.height)
    length: list[Expression] = []
    for net in problem.nets:
        if net.source not in rectangles and net.target not in rectangles:
            continue
        for a, b in zip(centres[net.source], centres[net.target], strict=True):
            apart = model.new_int_var(0, reach, "apart")
            model.add(apart >= a - b)
            model.add(apart >= b - a)
            length.append(net.weight * apart)
    model.minimize(sum(length))
    return _solve(model, rectangles, [boxes[block] for block in window.blocks], effort)


def compacted(
    problem: Problem,
    catalogue: Catalogue,
    limit: int,
    boxes: list[Box],
    ports: Sequence[tuple[int, ...] | None],
    effort: float,
) -> Verdict:
    """Seeks the shortest wire with every pair of blocks apart as they are now: left stays left, below stays below.

    Corners are free, and sides among the shapes within `limit` ticks of the same port tuple, where one is asked for.
    Pinned blocks stay. Knowing which way each pair is apart leaves difference constraints, which CP-SAT is good at.
    """
    model = cp_model.CpModel()
    whole = Box(0, 0, problem.fabric.width, problem.fabric.height)
    rectangles = {block: _rectangle(model, whole) for block in range(len(boxes))}
    for block, it in rectangles.items():
        sides = _sides(catalogue, block, limit, ports[block])
        model.add_allowed_assignments([it.width, it.height], sides)
        model.add(it.x + it.width <= whole.width)
        model.add(it.y + it.height <= whole.height)
        if problem.blocks[block].pin is not None:
            model.add(it.x == boxes[block].x)
            model.add(it.y == boxes[block].y)
    for first, second, across in _apart(boxes):
        low, high = rectangles[first], rectangles[second]
        if across:
            model.add(low.x + low.width <= high.x)
        else:
            model.add(low.y + low.height <= high.y)
    _minimize_wire(model, problem, [_centre(rectangles[block]) for block in range(len(boxes))])
    return _solve(model, rectangles, boxes, effort)


def _sides(
    catalogue: Catalogue, block: int, limit: int, ports: tuple[int, ...] | None
) -> list[tuple[int, int]]:
    """The (width, height) pairs that a block may have."""
    if ports is None:
        return catalogue.menu(block).front(limit)
    table = catalogue.menu(block).within(limit)
    rows = (table.ports == np.array(ports, np.int64)).all(axis=1)
    return sorted({(int(w), int(h)) for w, h in zip(table.width[rows], table.height[rows], strict=True)})


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


def _minimize_wire(
    model: cp_model.CpModel, problem: Problem, centres: list[tuple[Expression, Expression]]
) -> None:
    reach = 2 * max(problem.fabric.width, problem.fabric.height)
    length: list[Expression] = []
    for net in problem.nets:
        for a, b in zip(centres[net.source], centres[net.target], strict=True):
            apart = model.new_int_var(0, reach, "apart")
            model.add(apart >= a - b)
            model.add(apart >= b - a)
            length.append(net.weight * apart)
    model.minimize(sum(length))


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


def _solve(
    model: cp_model.CpModel, rectangles: dict[int, _Rectangle], hint: Sequence[Box] | None, effort: float
) -> Verdict:
    for it, box in zip(rectangles.values(), hint or (), strict=hint is not None):
        for variable, value in ((it.x, box.x), (it.y, box.y), (it.width, box.width), (it.height, box.height)):
            model.add_hint(variable, value)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.catch_sigint_signal = False  # Ctrl-C ends wsc, not this search alone
    solver.parameters.max_deterministic_time = effort
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Verdict(None, 0, 0)
    bound = math.ceil(solver.best_objective_bound - 1e-6)  # the objective is whole, its bound a float
    sides = [(it.x, it.y, it.width, it.height) for it in rectangles.values()]
    return Verdict([Box(*map(solver.value, side)) for side in sides], round(solver.objective_value), bound)
