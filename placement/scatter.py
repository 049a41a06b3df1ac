"""Places blocks among many scattered blocked cells, where no large free box is left to slice: one after the other.

Each block in the order of the data flow takes the free place nearest to the blocks that it talks to. Greedy, so no
bound comes from it; a limit on the slowest time at which all find a place is sought by bisection. Where a shape may lie
among the blocked cells is worked out once for every tile of the fabric that a search comes to, and a place that some
block has taken since is struck out when it is next met, so that hardly a place is looked at twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wsc.placement.anneal import LOSS
from wsc.placement.candidates import Catalogue
from wsc.placement.jit import jit, lean_jit
from wsc.placement.problem import Fabric, Problem
from wsc.placement.regions import Box
from wsc.placement.tree import Int32s

MANY = 2_000  # blocked cells: beyond so many, what is left between cuts is too small to slice
_NEARLY = 64  # the limit is sought to within a sixty-fourth
_SHAPES = 8  # of each kind, at a limit, by area: one bit each
_TILE = 16  # cores on a side of a tile
_UNSEEN = -1  # the count of a tile that no search came to

Cells = NDArray[np.bool_]
Bits = NDArray[np.uint8]


class _Ground(NamedTuple):
    """What a search reads. `blocked[y, x]` are the blocked cells below y and left of x, `free` those not yet taken.

    Bit s of `places[kind, y, x]` says that shape s of the kind may lie with its lower corner there, as far as is known;
    `counts[kind, row, column]` are the cells of a tile with such bits, or `_UNSEEN` where they are yet to be made.
    """

    blocked: Int32s
    free: Cells
    places: Bits
    counts: Int32s


def scatter(
    problem: Problem, menus: Catalogue, order: Sequence[int], bound: int
) -> tuple[int, list[Box]] | None:
    """A limit on the slowest time and a box for each block at it; None where some block found no place."""
    low, high = bound, bound
    slowest = menus.slowest()
    free = _free(problem.fabric)
    blocked = np.zeros((free.shape[0] + 1, free.shape[1] + 1), np.int32)
    blocked[1:, 1:] = (~free).cumsum(0).cumsum(1)

    def placed(limit: int) -> list[Box] | None:
        return _placed(problem, menus, order, limit, free, blocked)

    found = placed(high)
    while found is None:
        if high >= slowest:
            return None
        low, high = high + 1, min(slowest, 2 * high + 1)
        found = placed(high)
    while high - low > high // _NEARLY:
        middle = (low + high) // 2
        better = placed(middle)
        if better is None:
            low = middle + 1
        else:
            high, found = middle, better
    return high, found


def _free(fabric: Fabric) -> Cells:
    free = np.ones((fabric.height, fabric.width), np.bool_)
    cells = np.array(fabric.blocked, np.int64).reshape(-1, 2)
    free[cells[:, 1], cells[:, 0]] = False
    return free


def _placed(
    problem: Problem, menus: Catalogue, order: Sequence[int], limit: int, free: Cells, blocked: Int32s
) -> list[Box] | None:
    """A box for each block at the limit; None where one finds no place."""
    choices = []
    for menu in menus.menus:
        sides = sorted(menu.front(limit), key=lambda side: (side[0] * side[1], side))[:_SHAPES]
        if not sides:
            return None
        choices.append(np.array(sides, np.int32))
    height, width = free.shape
    tiles = (len(choices), -(-height // _TILE), -(-width // _TILE))
    places = np.empty((len(choices), height, width), np.uint8)  # filled tile by tile
    ground = _Ground(blocked, free.copy(), places, np.full(tiles, _UNSEEN, np.int32))
    near: list[list[int]] = [[] for _ in problem.blocks]
    for net in problem.nets:
        near[net.source].append(net.target)
        near[net.target].append(net.source)
    boxes: dict[int, Box] = {}
    middle = (width // 2, height // 2)  # doubled, as centres are
    for block in order:
        at = [boxes[other] for other in near[block] if other in boxes]
        if at:
            middle = (
                sum(2 * it.x + it.width for it in at) // len(at),
                sum(2 * it.y + it.height for it in at) // len(at),
            )
        kind = menus.of_block[block]
        x, y, shape = _nearest(ground, choices[kind], kind, *middle)
        if shape < 0:
            return None
        wide, high = (int(side) for side in choices[kind][shape])
        ground.free[y : y + high, x : x + wide] = False
        boxes[block] = Box(int(x), int(y), wide, high)
    return [boxes[block] for block in range(len(problem.blocks))]


@jit
def _nearest(ground: _Ground, shapes: Int32s, kind: int, x: int, y: int) -> tuple[int, int, int]:
    """The corner of a free place for one of the shapes, and which: its centre, doubled, is nearest to (x, y).

    Tiles are searched in square rings about that of the point as long as they may hold a nearer one.
    """
    best = np.array([0, 0, -1, LOSS], np.int64)  # corner, shape, distance
    rows, columns = ground.counts.shape[1:]
    sides = shapes[:, 0].max() + shapes[:, 1].max()
    row, column = min(y // (2 * _TILE), rows - 1), min(x // (2 * _TILE), columns - 1)
    for ring in range(max(rows, columns)):
        if 2 * (ring - 1) * _TILE - sides > best[3]:
            break
        for at_row in range(max(0, row - ring), min(rows, row + ring + 1)):
            step = 1 if abs(at_row - row) == ring else 2 * ring
            for at_column in range(column - ring, column + ring + 1, step):
                if 0 <= at_column < columns and ground.counts[kind, at_row, at_column]:
                    _search_tile(ground, shapes, kind, at_row, at_column, x, y, best)
    return int(best[0]), int(best[1]), int(best[2])


@lean_jit
def _search_tile(
    ground: _Ground, shapes: Int32s, kind: int, row: int, column: int, x: int, y: int, best: NDArray[np.int64]
) -> None:
    """Takes the nearest free place in a tile that is nearer than the best so far; strikes out those met and taken."""
    if ground.counts[kind, row, column] == _UNSEEN:
        _make_tile(ground, shapes, kind, row, column)
    height, width = ground.free.shape
    for below in range(row * _TILE, min(height, (row + 1) * _TILE)):
        for left in range(column * _TILE, min(width, (column + 1) * _TILE)):
            bits = ground.places[kind, below, left]
            if bits == 0:
                continue
            for shape in range(shapes.shape[0]):
                if not bits >> shape & 1:
                    continue
                wide, high = shapes[shape, 0], shapes[shape, 1]
                apart = abs(2 * left + wide - x) + abs(2 * below + high - y)
                if apart >= best[3]:
                    continue
                if _is_free(ground.free, left, below, wide, high):
                    best[0], best[1], best[2], best[3] = left, below, shape, apart
                else:
                    bits ^= np.uint8(1 << shape)
            if bits != ground.places[kind, below, left]:
                ground.places[kind, below, left] = bits
                ground.counts[kind, row, column] -= bits == 0


@lean_jit
def _make_tile(ground: _Ground, shapes: Int32s, kind: int, row: int, column: int) -> None:
    """Fills a tile with where shapes may lie among the blocked cells."""
    height, width = ground.free.shape
    blocked, count = ground.blocked, 0
    for below in range(row * _TILE, min(height, (row + 1) * _TILE)):
        for left in range(column * _TILE, min(width, (column + 1) * _TILE)):
            bits = 0
            for shape in range(shapes.shape[0]):
                right, above = left + shapes[shape, 0], below + shapes[shape, 1]
                if right > width or above > height:
                    continue
                inside = blocked[above, right] - blocked[below, right]
                if inside == blocked[above, left] - blocked[below, left]:
                    bits |= 1 << shape
            ground.places[kind, below, left] = bits
            count += bits != 0
    ground.counts[kind, row, column] = count


@lean_jit
def _is_free(free: Cells, left: int, below: int, wide: int, high: int) -> bool:
    for y in range(below, below + high):
        for x in range(left, left + wide):
            if not free[y, x]:
                return False
    return True
