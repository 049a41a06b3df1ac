"""Slicing floorplans of a chain: how small a box each run of neighbouring blocks fits, and the runs that fill boxes.

A slicing floorplan is one rectangle, or two slicing floorplans stacked or side by side. Otten, "Automatic floorplan
design", DAC 1982, gave the form and Stockmeyer, "Optimal orientations of cells in slicing floorplan designs", 1983,
the shape curves of one given tree. Here the leaves stay in the order of the chain, so that a run of neighbours always
fills a box of its own, and dynamic programming over runs takes the best of all trees at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsc.placement.candidates import Catalogue
from wsc.placement.jit import jit
from wsc.placement.problem import Fabric
from wsc.placement.regions import Box
from wsc.placement.tree import NONE, invert

Curve = NDArray[np.int16]


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
class Strips:
    """A box cut into strips, side by side where `across`, else stacked; each holds a run first..stop-1 of the chain."""

    box: Box
    across: bool
    runs: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class PackedPiece:
    """Blocks in order, the shape curves of their runs, and the strips that hold them all."""

    order: tuple[int, ...]
    curves: Curves
    strips: tuple[Strips, ...]


@dataclass(frozen=True, slots=True)
class Packing:
    """Slicing floorplans of all blocks within a limit on the slowest time."""

    limit: int
    pieces: tuple[PackedPiece, ...]

    @property
    def boxes(self) -> list[Box]:
        """The boxes of the strips, in order."""
        return [strip.box for piece in self.pieces for strip in piece.strips]


def curves(catalogue: Catalogue, fabric: Fabric, limit: int, reach: int, order: Sequence[int]) -> Curves:
    """The shape curves at `limit` ticks of runs of the blocks in this order.

    Time grows with blocks x reach^2 x the sides of the fabric.
    """
    menus = [np.minimum(menu.heights(limit, fabric.width), NONE) for menu in catalogue.menus]
    least = np.stack([menus[catalogue.of_block[block]] for block in order]).astype(np.int16)
    least[least > fabric.height] = NONE
    heights = [least]
    widths = [_inverse(least, fabric.height)]
    for length in range(2, reach + 1):
        rows = len(order) - length + 1
        stacked, beside = (np.full((rows, parts[0].shape[1]), NONE, np.int16) for parts in (heights, widths))
        for first in range(1, length):
            _add_split(heights[first - 1], heights[length - first - 1], first, stacked)
            _add_split(widths[first - 1], widths[length - first - 1], first, beside)
        heights.append(np.minimum(stacked, _inverse(beside, fabric.width)))
        widths.append(_inverse(heights[-1], fabric.height))
    return Curves(limit, tuple(heights), tuple(widths))


@jit
def _add_split(first: Curve, second: Curve, offset: int, best: Curve) -> None:
    """Lowers `best` to what a run's first part and the rest of it, `offset` blocks on, add up to."""
    for row in range(best.shape[0]):
        for side in range(best.shape[1]):
            total = first[row, side] + second[row + offset, side]
            if total < best[row, side]:
                best[row, side] = total


@jit
def _invert_rows(curve: Curve, out: Curve) -> None:
    for row in range(curve.shape[0]):
        invert(curve[row], out[row])


def _inverse(curve: Curve, side: int) -> Curve:
    """For each run and each 0 <= v <= side, the least index at which its falling curve is at most v."""
    out = np.empty((len(curve), side + 1), np.int16)
    _invert_rows(curve, out)
    return out


def affordable_reach(blocks: int, splits: int) -> int:
    """The longest run for which `curves` looks at no more than `splits` splits of runs; at least 1."""
    reach = 1
    while reach < blocks and splits >= (blocks - reach) * reach:
        splits -= (blocks - reach) * reach
        reach += 1
    return reach


def fill(curves: Curves, boxes: tuple[Box, ...]) -> list[Strips] | None:
    """Strips of the whole chain in boxes, taken in order, as much of the chain in each as fits; None where it is not.

    Taking the most is best: any end of the chain that is left fits wherever a longer end does.
    """
    filled: list[Strips] = []
    done = 0
    for box in boxes:
        columns = _longest(curves, done, box.width, [curve[:, box.height] for curve in curves.widths])
        rows = _longest(curves, done, box.height, [curve[:, box.width] for curve in curves.heights])
        across = len(columns) > 0 and (not rows or columns[-1][1] >= rows[-1][1])
        runs = columns if across else rows
        if runs:
            filled.append(Strips(box, across, tuple(runs)))
            done = runs[-1][1]
        if done == curves.blocks:
            return filled
    return None


def _longest(curves: Curves, start: int, side: int, least: list[Curve]) -> list[tuple[int, int]]:
    """The strips (first, stop) that hold the most blocks from `start` on, at the least total thickness.

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
    strips: list[tuple[int, int]] = []
    while stop > start:
        strips.append((before[stop], stop))
        stop = before[stop]
    return strips[::-1]
