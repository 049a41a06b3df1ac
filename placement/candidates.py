"""The candidate shapes as arrays, and what they say about areas and times before anything is placed."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

import numpy as np

from wsc.compiler.errors import DoesNotFit
from wsc.placement.problem import Fabric, Ints, Problem, Shape, ShapeSource, Table

NO_HEIGHT = np.iinfo(np.int64).max
_TABLES, _ROOMY_TABLES = 16, 4  # of a menu that are remembered
_SHORTER = ((15, 16), (7, 8), (5, 6), (3, 4), (2, 3), (1, 2))  # limits whose shapes are looked at as well


class Listed:
    """Shapes that are all written down, as a source."""

    def __init__(self, shapes: tuple[Shape, ...]) -> None:
        kept = [shape for tag in sorted({s.ports for s in shapes}) for shape in _of_ports(shapes, tag)]
        kept.sort(key=lambda s: (s.time, s.width, s.height))
        self._shapes = frozenset(shapes)
        columns = [(s.width, s.height, s.time, s.payload, s.memory) for s in kept]
        width, height, time, payload, memory = np.array(columns, dtype=np.int64).T
        ports = np.array([s.ports for s in kept], dtype=np.int64).reshape(len(kept), -1)
        self._table = Table(width, height, time, payload, memory, ports)

    def within(self, limit: int) -> Table:
        """The undominated shapes that take at most `limit` ticks, by increasing time."""
        count = int(np.searchsorted(self._table.time, limit, side="right"))
        return Table(*(column[:count] for column in self._table))

    def times(self, low: int, high: int) -> Ints:
        """The times from `low` to `high` that some shape takes."""
        every = np.unique(self._table.time)
        return every[(every >= low) & (every <= high)]

    def slowest(self) -> int:
        """The longest time."""
        return int(self._table.time[-1])

    def turns(self) -> bool:
        """Whether every shape is on the list turned as well."""
        sides = {(s.width, s.height, s.time, s.ports) for s in self._shapes}
        return all((height, width, *rest) in sides for width, height, *rest in sides)

    def offers(self, shape: Shape) -> bool:
        """Whether it is on the list."""
        return shape in self._shapes


def _of_ports(shapes: tuple[Shape, ...], ports: tuple[int, ...]) -> tuple[Shape, ...]:
    return undominated(tuple(shape for shape in shapes if shape.ports == ports))


@dataclass(frozen=True, eq=False)
class Menu:
    """The shapes of a source that the fabric can hold."""

    source: ShapeSource
    fabric: Fabric
    _tables: dict[int, Table] = field(default_factory=dict)
    _cores: dict[int | None, tuple[int, int]] = field(default_factory=dict)
    _roomy: dict[int, Table] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def within(self, limit: int) -> Table:
        """The shapes that take at most `limit` ticks."""
        table = self._tables.get(limit)
        if table is None:
            every = self.source.within(limit)
            fits = (every.width <= self.fabric.width) & (every.height <= self.fabric.height)
            table = Table(*(column[fits] for column in every))
            self._keep(self._tables, limit, table, _TABLES)
        return table

    def roomy(self, limit: int) -> Table:
        """The shapes that take at most `limit` ticks and those that a source offers for some shorter limits.

        The latter are larger than they need be, but centres lie on halves: a bar one longer may be straight opposite
        its neighbour where the shortest one is not.
        """
        table = self._roomy.get(limit)
        if table is None:
            tables = [self.within(limit), *(self.within(limit * a // b) for a, b in _SHORTER)]
            table = Table(*(np.concatenate(columns) for columns in zip(*tables, strict=True)))
            self._keep(self._roomy, limit, table, _ROOMY_TABLES)
        return table

    def _keep(self, memo: dict[int, Table], limit: int, table: Table, most: int) -> None:
        """Remembers a table; a search goes back to the last few limits, not to all."""
        with self._lock:
            while len(memo) >= most:
                memo.pop(next(iter(memo)))
            memo[limit] = table

    def cores(self, limit: int) -> int | None:
        """The fewest cores among the shapes within `limit` ticks; None where there is none.

        More time never needs more cores, so that whatever lies between two limits of one answer has it as well; the
        time of the smallest shape is such a limit.
        """
        with self._lock:
            known = [cores for cores, (low, high) in self._cores.items() if low <= limit <= high]
        if known:
            return known[0]
        table = self.within(limit)
        cores, low = None, 0
        if len(table.width):
            areas = table.width * table.height
            cores = int(areas.min())
            low = int(table.time[areas == cores].min())
        with self._lock:
            span = self._cores.get(cores, (low, limit))
            self._cores[cores] = (min(low, span[0]), max(limit, span[1]))
        return cores

    def pick(self, width: int, height: int, limit: int, ports: tuple[int, ...] | None = None) -> Shape:
        """The fastest shape of exactly these sides, and this port tuple where one is asked for, within the limit.

        The caller knows that there is one.
        """
        for table in (self.within(limit), self.roomy(limit)):
            fits = (table.width == width) & (table.height == height)
            if ports is not None:
                fits &= (table.ports == np.array(ports, np.int64)).all(axis=1)
            rows = np.flatnonzero(fits)
            if len(rows):
                break
        return table.shape(int(rows[np.argmin(table.time[rows])]))

    def front(self, limit: int) -> list[tuple[int, int]]:
        """The (width, height) pairs within `limit` ticks that no other is as narrow and as low as, by width."""
        least = self.heights(limit, self.fabric.width)
        return [(int(width), int(least[width])) for width in np.flatnonzero(least[1:] < least[:-1]) + 1]

    def heights(self, limit: int, side: int) -> Ints:
        """For each width 0..side the least height among the shapes no wider; NO_HEIGHT where there is none."""
        table = self.within(limit)
        least = np.full(side + 1, NO_HEIGHT)
        np.minimum.at(least, table.width, table.height)
        return np.minimum.accumulate(least)


@dataclass(frozen=True, eq=False)
class Catalogue:
    """The menus of a problem, each once however many blocks share it; `of_block[i]` is the menu of block i."""

    menus: tuple[Menu, ...]
    of_block: tuple[int, ...]

    def menu(self, block: int) -> Menu:
        """The menu of one block."""
        return self.menus[self.of_block[block]]

    def cores(self, limit: int) -> int | None:
        """The sum over the blocks of the fewest cores within `limit` ticks; None where a block has no shape.

        No placement within the limit uses less.
        """
        each = [menu.cores(limit) for menu in self.menus]
        found = [cores for index in self.of_block if (cores := each[index]) is not None]
        return sum(found) if len(found) == len(self.of_block) else None

    def slowest(self) -> int:
        """A limit at which every block has all its shapes."""
        return max(menu.source.slowest() for menu in self.menus)

    def times(self, low: int, high: int) -> list[int]:
        """The times from `low` to `high` that a shape takes, increasing."""
        return [int(t) for t in np.unique(np.concatenate([m.source.times(low, high) for m in self.menus]))]


def catalogue(problem: Problem) -> Catalogue:
    """The menus of the problem; raises DoesNotFit where a block has no shape as small as the fabric."""
    index: dict[int, int] = {}
    menus: list[Menu] = []
    for block in problem.blocks:
        if (
            id(block.shapes) not in index
        ):  # blocks of one kind share their shapes; hashing thousands of them is slow
            index[id(block.shapes)] = len(menus)
            source = Listed(block.shapes) if isinstance(block.shapes, tuple) else block.shapes
            menus.append(Menu(source, problem.fabric))
            if menus[-1].cores(source.slowest()) is None:
                raise DoesNotFit(_no_shape(block.name, source, problem.fabric))
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


def least_limit(low: int, high: int, enough: Callable[[int], bool]) -> int | None:
    """The least whole number from `low` to `high` that is enough, where more never is less; None if none is."""
    if not enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return high


def time_bound(catalogue: Catalogue, free: int) -> int | None:
    """The shortest attainable time at which the blocks' least areas add up to at most `free` cores.

    No placement has a shorter slowest time. None where even the longest time needs more cores than there are.
    """

    def fits(limit: int) -> bool:
        cores = catalogue.cores(limit)
        return cores is not None and cores <= free

    return least_limit(0, catalogue.slowest(), fits)


def _no_shape(name: str, source: ShapeSource, fabric: Fabric) -> str:
    table = source.within(source.slowest())
    if not len(table.width):
        return (
            f"Block {name!r} has no shape that fits both the fabric of {fabric.width} x {fabric.height} cores and "
            "the memory of a core."
        )
    least = table.shape(int(np.argmin(table.width * table.height)))
    return (
        f"Block {name!r} has no shape that the fabric of {fabric.width} x {fabric.height} cores can "
        f"hold; its smallest of {len(table.width)} is {least.width} x {least.height}. A larger fabric, or "
        "finer tiles that spread the block over a narrower rectangle, would help."
    )
