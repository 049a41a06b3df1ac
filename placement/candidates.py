"""The candidate shapes as sorted arrays, and what they say about areas and times before anything is placed."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsc.compiler.errors import DoesNotFit
from wsc.placement.problem import Block, Fabric, Problem, Shape

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Menu:
    """The undominated shapes of a block that the fabric can hold, by increasing time.

    `least_cores[k]` is the smallest area among shapes 0..k.
    """

    width: Ints
    height: Ints
    time: Ints
    payload: Ints
    least_cores: Ints

    def within(self, limit: int) -> int:
        """How many shapes take at most `limit` cycles; they come first."""
        return int(np.searchsorted(self.time, limit, side="right"))

    def cores(self, limit: int) -> int:
        """The fewest cores among the shapes within `limit` cycles, of which there is at least one."""
        return int(self.least_cores[self.within(limit) - 1])

    def pick(self, width: int, height: int, limit: int) -> Shape:
        """The shape of fewest cores, then least time, that fits `width` x `height` within `limit` cycles.

        The caller knows that there is one.
        """
        count = self.within(limit)
        fits = np.flatnonzero((self.width[:count] <= width) & (self.height[:count] <= height))
        best = int(
            fits[np.argmin(self.width[fits] * self.height[fits])]
        )  # the first of equals is the fastest
        return Shape(*(int(row[best]) for row in (self.width, self.height, self.time, self.payload)))

    def front(self, limit: int) -> list[tuple[int, int]]:
        """The (width, height) pairs within `limit` cycles that no other is as narrow and as low as, by width."""
        least = self.heights(limit, int(self.width.max()))
        return [(int(width), int(least[width])) for width in np.flatnonzero(np.diff(least) < 0) + 1]

    def heights(self, limit: int, side: int) -> Ints:
        """For each width 0..side the least height among the shapes no wider; `np.iinfo` maximum where none is."""
        count = self.within(limit)
        least = np.full(side + 1, np.iinfo(np.int64).max)
        np.minimum.at(least, self.width[:count], self.height[:count])
        return np.minimum.accumulate(least)


@dataclass(frozen=True, eq=False)
class Catalogue:
    """The menus of a problem, each once however many blocks share it; `of_block[i]` is the menu of block i."""

    menus: tuple[Menu, ...]
    of_block: tuple[int, ...]

    def menu(self, block: int) -> Menu:
        """The menu of one block."""
        return self.menus[self.of_block[block]]

    def cores(self, limit: int) -> int:
        """The sum over the blocks of the fewest cores within `limit` cycles; no placement uses less."""
        each = [menu.cores(limit) for menu in self.menus]
        return sum(each[index] for index in self.of_block)

    def times(self) -> list[int]:
        """The attainable slowest times: every shape's time that leaves each block a shape, increasing."""
        floor = max(int(menu.time[0]) for menu in self.menus)
        every = np.unique(np.concatenate([menu.time for menu in self.menus]))
        return [int(time) for time in every[np.searchsorted(every, floor) :]]


def catalogue(problem: Problem) -> Catalogue:
    """The menus of the problem; raises DoesNotFit where a block has no shape as small as the fabric."""
    index: dict[int, int] = {}
    menus: list[Menu] = []
    for block in problem.blocks:
        if (
            id(block.shapes) not in index
        ):  # blocks of one kind share one tuple; hashing thousands of shapes is slow
            index[id(block.shapes)] = len(menus)
            menus.append(_menu(block, problem.fabric))
    return Catalogue(tuple(menus), tuple(index[id(block.shapes)] for block in problem.blocks))


def undominated(shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
    """The shapes that no other dominates, by increasing time, then width.

    A shape dominates another when it is at most as wide, as high and as slow; of equals the smallest payload stays.
    """
    # Dropping a dominated shape never lengthens the best slowest time: in any placement, put the dominating shape at
    # the same lower corner. It lies within the old rectangle, so it stays on the fabric and off blocked cells and
    # neighbours, and the block is no slower. (Centres may move by up to half the sides saved, so the wire may not
    # be the shortest; it comes second.) Dominance is transitive and finite, so what is kept dominates all the rest.
    #
    # In order of time, then width, then height, a shape can only be dominated by an earlier one: `stairs` holds the
    # earlier ones that are undominated in (width, height), width increasing and height decreasing.
    kept: list[Shape] = []
    widths: list[int] = []
    heights: list[int] = []
    for shape in sorted(shapes, key=lambda s: (s.time, s.width, s.height, s.payload)):
        at = bisect_left(widths, shape.width + 1)
        if at and heights[at - 1] <= shape.height:
            continue
        kept.append(shape)
        first = bisect_left(widths, shape.width)
        last = first
        while last < len(widths) and heights[last] >= shape.height:
            last += 1
        widths[first:last] = [shape.width]
        heights[first:last] = [shape.height]
    return tuple(kept)


def time_bound(catalogue: Catalogue, free: int) -> int | None:
    """The shortest attainable time at which the blocks' least areas add up to at most `free` cores.

    No placement has a shorter slowest time. None where even the longest time needs more cores than there are.
    """
    times = catalogue.times()
    if catalogue.cores(times[-1]) > free:
        return None
    return times[bisect_left(times, -free, key=lambda time: -catalogue.cores(time))]


def _menu(block: Block, fabric: Fabric) -> Menu:
    fitting = tuple(s for s in block.shapes if s.width <= fabric.width and s.height <= fabric.height)
    if not fitting:
        least = min(block.shapes, key=lambda s: s.width * s.height)
        raise DoesNotFit(
            f"Block {block.name!r} has no shape that the fabric of {fabric.width} x {fabric.height} cores can "
            f"hold; its smallest of {len(block.shapes)} is {least.width} x {least.height}. A larger fabric, or "
            "finer tiles that spread the block over a narrower rectangle, would help."
        )
    rows = np.array([(s.width, s.height, s.time, s.payload) for s in undominated(fitting)], dtype=np.int64)
    width, height, time, payload = rows.T
    return Menu(width, height, time, payload, np.minimum.accumulate(width * height))
