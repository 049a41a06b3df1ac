"""Slicing floorplans of a chain: how small a box each run of neighbouring blocks fits, and the runs that fill boxes.

A slicing floorplan is one rectangle, or two slicing floorplans stacked or side by side. Otten, "Automatic floorplan
design", DAC 1982, gave the form and Stockmeyer, "Optimal orientations of cells in slicing floorplan designs", 1983,
the shape curves of one given tree. Here the leaves stay in the order of the chain, so that a run of neighbours always
fills a box of its own, and dynamic programming over runs takes the best of all trees at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsc.placement.candidates import Catalogue
from wsc.placement.problem import MAX_SIDE, Fabric
from wsc.placement.regions import Box

Curve = NDArray[np.int16]
NONE = MAX_SIDE + 1  # no box of that side will do; MAX_SIDE is such that two of them add up within 16 bits


@dataclass(frozen=True, eq=False)
class Curves:
    """The shape curves of every run of at most `reach` neighbouring blocks, at one limit of time.

    `heights[n - 1][i, w]` is the least height of a slicing floorplan of blocks i..i+n-1 of width w, and
    `widths[n - 1][i, h]` the least width of one of height h; NONE where there is none on the fabric.
    """

    limit: int
    heights: tuple[Curve, ...]
    widths: tuple[Curve, ...]

    @property
    def reach(self) -> int:
        """Blocks in the longest run."""
        return len(self.heights)

    @property
    def blocks(self) -> int:
        """Blocks in all."""
        return len(self.heights[0])

    def height(self, start: int, stop: int, width: int) -> int:
        """The least height of blocks start..stop-1 in a box of that width."""
        return int(self.heights[stop - start - 1].item(start, width))

    def width(self, start: int, stop: int, height: int) -> int:
        """The least width of blocks start..stop-1 in a box of that height."""
        return int(self.widths[stop - start - 1].item(start, height))


@dataclass(frozen=True, slots=True)
class Run:
    """Blocks start..stop-1 and the box that a slicing floorplan of them fits."""

    start: int
    stop: int
    box: Box


def curves(catalogue: Catalogue, fabric: Fabric, limit: int, reach: int) -> Curves:
    """The shape curves at `limit` cycles; time grows with blocks x reach^2 x the sides of the fabric."""
    menus = [np.minimum(menu.heights(limit, fabric.width), NONE) for menu in catalogue.menus]
    heights = [np.stack([menus[index] for index in catalogue.of_block]).astype(np.int16)]
    widths = [_inverse(heights[0], fabric.height)]
    for length in range(2, reach + 1):
        stacked = _best_split(heights, length)
        beside = _best_split(widths, length)
        heights.append(np.minimum(stacked, _inverse(beside, fabric.width)))
        widths.append(_inverse(heights[-1], fabric.height))
    return Curves(limit, tuple(heights), tuple(widths))


def affordable_reach(blocks: int, splits: int) -> int:
    """The longest run for which `curves` looks at no more than `splits` splits of runs; at least 1."""
    reach = 1
    while reach < blocks and splits >= (blocks - reach) * reach:
        splits -= (blocks - reach) * reach
        reach += 1
    return reach


def fill(curves: Curves, boxes: tuple[Box, ...]) -> list[Run] | None:
    """Runs of the whole chain in boxes, taken in order, as much of the chain in each as fits; None where it is not.

    Taking the most is best: any end of the chain that is left fits wherever a longer end does.
    """
    runs: list[Run] = []
    done = 0
    for box in boxes:
        columns = _longest(curves, done, box.width, [curve[:, box.height] for curve in curves.widths])
        rows = _longest(curves, done, box.height, [curve[:, box.width] for curve in curves.heights])
        across = len(columns) > 0 and (not rows or columns[-1][1] >= rows[-1][1])
        runs += _stretched(columns if across else rows, box, across)
        done = runs[-1].stop if runs else 0
        if done == curves.blocks:
            return runs
    return None


def _best_split(parts: list[Curve], length: int) -> Curve:
    """The curves of runs of `length` blocks made of two runs one after the other along the axis of the values."""
    rows, side = parts[0].shape
    rows -= length - 1
    best = np.full((rows, side), NONE, dtype=np.int16)
    total = np.empty_like(best)
    for first in range(1, length):
        np.add(parts[first - 1][:rows], parts[length - first - 1][first : first + rows], out=total)
        np.minimum(best, total, out=best)
    return best


def _inverse(curve: Curve, side: int) -> Curve:
    """For each run and each 0 <= v <= side, the least index at which its falling curve is at most v."""
    rows, indices = curve.shape
    level = np.minimum(curve, side + 1).astype(np.int64) + np.arange(rows)[:, None] * (side + 2)
    count = np.bincount(level.ravel(), minlength=rows * (side + 2)).reshape(rows, side + 2)
    least = indices - np.cumsum(count[:, :-1], axis=1)  # as many as there are indices with a value above v
    return np.where(least == indices, NONE, least).astype(np.int16)


def _longest(curves: Curves, start: int, side: int, least: list[Curve]) -> list[tuple[int, int, int]]:
    """The strips (first, stop, thickness) that hold the most blocks from `start` on, at the least total thickness.

    `least[n - 1][i]` is the thickness of a strip of blocks i..i+n-1; the strips lie along a line of `side` cores.
    """
    total, before = {start: 0}, {start: start}
    stop = start
    while stop < curves.blocks:
        # One run is never thicker than strips of the same blocks, being any slicing floorplan of them.
        single = stop + 1 - start <= curves.reach
        firsts = range(start, start + 1) if single else range(stop + 1 - curves.reach, stop + 1)
        cost, first = min((total[first] + int(least[stop - first][first]), first) for first in firsts)
        if cost > side:
            break
        stop += 1
        total[stop], before[stop] = cost, first
    strips: list[tuple[int, int, int]] = []
    while stop > start:
        first = before[stop]
        strips.append((first, stop, total[stop] - total[first]))
        stop = first
    return strips[::-1]


def _stretched(strips: list[tuple[int, int, int]], box: Box, across: bool) -> list[Run]:
    """The strips as runs that share out the whole box in proportion, side by side where `across`, else stacked."""
    side = box.width if across else box.height
    least = sum(thickness for *_, thickness in strips)
    runs: list[Run] = []
    below = 0
    for first, stop, thickness in strips:
        low, high = (below * side // least, (below + thickness) * side // least)
        below += thickness
        if across:
            runs.append(Run(first, stop, Box(box.x + low, box.y, high - low, box.height)))
        else:
            runs.append(Run(first, stop, Box(box.x, box.y + low, box.width, high - low)))
    return runs
