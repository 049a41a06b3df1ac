"""Places blocks among many scattered blocked cells, where no large free box is left to slice: one after the other.

Each block in the order of the data flow takes the free place nearest to the blocks that it talks to. Greedy, so no
bound comes from it; a limit on the slowest time at which all find a place is sought by bisection.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wsc.placement.candidates import Catalogue
from wsc.placement.jit import jit
from wsc.placement.problem import Problem
from wsc.placement.regions import Box
from wsc.placement.tree import Int32s

MANY = 2_000  # blocked cells: beyond so many, what is left between cuts is too small to slice
_NEARLY = 32  # the limit is sought to within a thirty-second
_SHAPES = 8  # of each kind, at a limit, by area

Cells = NDArray[np.bool_]


def scatter(
    problem: Problem, menus: Catalogue, order: Sequence[int], bound: int
) -> tuple[int, list[Box]] | None:
    """A limit on the slowest time and a box for each block at it; None where some block found no place."""
    low, high = bound, bound
    slowest = menus.slowest()
    found = _placed(problem, menus, order, high)
    while found is None:
        if high >= slowest:
            return None
        low, high = high + 1, min(slowest, 2 * high + 1)
        found = _placed(problem, menus, order, high)
    while high - low > high // _NEARLY:
        middle = (low + high) // 2
        better = _placed(problem, menus, order, middle)
        if better is None:
            low = middle + 1
        else:
            high, found = middle, better
    return high, found


def _placed(problem: Problem, menus: Catalogue, order: Sequence[int], limit: int) -> list[Box] | None:
    fabric = problem.fabric
    free = np.ones((fabric.height, fabric.width), np.bool_)
    cells = np.array(fabric.blocked, np.int64).reshape(-1, 2)
    free[cells[:, 1], cells[:, 0]] = False
    choices = []
    for menu in menus.menus:
        sides = sorted(menu.front(limit), key=lambda side: (side[0] * side[1], side))[:_SHAPES]
        if not sides:
            return None
        choices.append(np.array(sides, np.int32))
    near: list[list[int]] = [[] for _ in problem.blocks]
    for net in problem.nets:
        near[net.source].append(net.target)
        near[net.target].append(net.source)
    boxes: dict[int, Box] = {}
    middle = (fabric.width // 4, fabric.height // 4)
    for block in order:
        at = [boxes[other] for other in near[block] if other in boxes]
        if at:
            middle = (
                sum(2 * it.x + it.width for it in at) // (2 * len(at)),
                sum(2 * it.y + it.height for it in at) // (2 * len(at)),
            )
        x, y, shape = _nearest(free, choices[menus.of_block[block]], *middle)
        if shape < 0:
            return None
        width, height = (int(side) for side in choices[menus.of_block[block]][shape])
        free[y : y + height, x : x + width] = False
        boxes[block] = Box(int(x), int(y), width, height)
    return [boxes[block] for block in range(len(problem.blocks))]


@jit
def _nearest(free: Cells, shapes: Int32s, x: int, y: int) -> tuple[int, int, int]:
    """The corner of a free place for one of the shapes, and which, on the smallest square ring about (x, y)."""
    height, width = free.shape
    for ring in range(max(height, width)):
        for dy in range(-ring, ring + 1):
            step = 1 if abs(dy) == ring else max(1, 2 * ring)
            for dx in range(-ring, ring + 1, step):
                for shape in range(shapes.shape[0]):
                    left = x + dx - shapes[shape, 0] // 2
                    below = y + dy - shapes[shape, 1] // 2
                    if _is_free(free, left, below, shapes[shape, 0], shapes[shape, 1]):
                        return left, below, shape
    return 0, 0, -1


@jit
def _is_free(free: Cells, left: int, below: int, wide: int, high: int) -> bool:
    if left < 0 or below < 0 or left + wide > free.shape[1] or below + high > free.shape[0]:
        return False
    for y in range(below, below + high):
        for x in range(left, left + wide):
            if not free[y, x]:
                return False
    return True
