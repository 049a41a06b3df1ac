"""Rectangles of a fabric without dead cores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from wsc.backends.wafer.defects import Box
from wsc.backends.wafer.machine import Wafer
from wsc.compiler.errors import DoesNotFit


def clear_region(machine: Wafer, grid: tuple[int, int] | None) -> Box:
    """Where a region of so many columns and rows may lie, or the largest there is; raises DoesNotFit.

    Of several that serve, the first from the top and then from the left.
    """
    width, height = machine.grid.width_cores, machine.grid.height_cores
    if not machine.keep_outs:
        columns, rows = grid or (width, height)
        return Box(0, 0, columns - 1, rows - 1)
    dead = _dead(machine.keep_outs, width, height)
    if grid is None:
        return _largest(dead)
    if found := _first(dead, *grid):
        return found
    most = _largest(dead)
    raise DoesNotFit(
        f"--grid {grid[0]}x{grid[1]}: {machine.name} has no such rectangle without dead cores; the largest is"
        f" {most.right - most.x + 1}x{most.bottom - most.y + 1}."
    )


def _dead(boxes: Sequence[Box], width: int, height: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    dead = np.zeros((height, width), np.bool_)
    for box in boxes:
        dead[box.y : box.bottom + 1, box.x : box.right + 1] = True
    return dead


def _first(dead: np.ndarray[tuple[int, int], np.dtype[np.bool_]], columns: int, rows: int) -> Box | None:
    sums = np.pad(dead.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    held = sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns] + sums[:-rows, :-columns]
    free = np.argwhere(held == 0)
    if not free.size:
        return None
    y, x = (int(n) for n in free[0])
    return Box(x, y, x + columns - 1, y + rows - 1)


def _largest(dead: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> Box:
    """By the largest rectangle under the histogram of free cores above each row."""
    above = np.zeros(dead.shape[1], np.int64)
    best, area = Box(0, 0, 0, 0), 0
    for bottom, row in enumerate(dead):
        above = np.where(row, 0, above + 1)
        for x, right, high in _under(above.tolist()):
            if (right - x + 1) * high > area:
                area = (right - x + 1) * high
                best = Box(x, bottom - high + 1, right, bottom)
    return best


def _under(heights: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """First and last column and height of every rectangle that cannot be made wider or higher."""
    stack: list[tuple[int, int]] = []
    for column, height in enumerate([*heights, 0]):
        start = column
        while stack and stack[-1][1] >= height:
            start, high = stack.pop()
            yield start, column - 1, high
        stack.append((start, height))
