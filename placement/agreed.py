"""Bars in rows whose neighbours agree on their port tuples, where an adapter costs so much that they had better.

Rows of equal height hold the blocks in the order of the flow, one row running back where the last one came. Along a
row a block costs its length for every net over it, as in snake.py, and a net costs an adapter for each entry that
its ends do not share. What a core of length is worth beyond that is found by halving, so that the bars fill the rows
and no more. More time makes no choice dearer, so that ranges of times can be halved as for a single row (row.py),
though the choices are only as good as their moves (potts.py) and nothing is proven.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from wsc.placement.agreeing import FAR, can_group, codes_of
from wsc.placement.bounds import by_bound
from wsc.placement.candidates import Catalogue, Menu, least_limit
from wsc.placement.potts import Labels
from wsc.placement.problem import Ints, Problem
from wsc.placement.regions import Box
from wsc.placement.scene import Prices
from wsc.placement.search import WORKERS
from wsc.placement.snake import Spans

_HALVINGS = 6
_DEAREST = 4  # adapters: what a core of length may be thought to be worth


@dataclass(frozen=True)
class Agreed:
    """Bars in rows: the cost of time, wire and adapters as they lie."""

    cost: int
    limit: int
    boxes: list[Box]
    ports: list[tuple[int, ...] | None]


def agreed_rows(
    problem: Problem, menus: Catalogue, prices: Prices, order: Sequence[int], time: int, looks: int, most: int
) -> list[Agreed]:
    """The best for each number of rows up to `most`, the cheapest first; none where adapters cost nothing.

    `time` is a bound on the slowest time, and about `looks` times are looked at for each number of rows.
    """
    if not prices.adapter or not looks or problem.fabric.blocked or not can_group(menus, prices):
        return []
    with ThreadPoolExecutor(WORKERS) as pool:
        rows = [_Rows(problem, menus, prices, order, count) for count in range(1, most + 1)]
        found = list(pool.map(lambda it: it.best(time, looks), rows))
    return sorted((it for it in found if it is not None), key=lambda it: it.cost)


class _Rows:
    """So many rows of equal height, by limit on time."""

    def __init__(
        self, problem: Problem, menus: Catalogue, prices: Prices, order: Sequence[int], rows: int
    ) -> None:
        self._problem, self._menus, self._prices, self._order = problem, menus, prices, list(order)
        self._rows, self._height = rows, problem.fabric.height // rows
        self._over = Spans.of(order, problem.nets).over
        place = {block: at for at, block in enumerate(order)}
        self._nets = [(place[net.source], place[net.target]) for net in problem.nets]
        self._kinds = [menus.of_block[block] for block in order]
        self._known: dict[int, Agreed | None] = {}

    def best(self, time: int, looks: int) -> Agreed | None:
        """The cheapest at any limit from `time`; None where nothing fits."""
        tick = self._prices.tick
        start = self._least_time(time)
        if start is None:
            return None
        first = self.at(start)
        last = self._menus.slowest() if first is None else min(self._menus.slowest(), first.cost // tick)
        times = [start, *(it for it in self._menus.times(start, last) if it > start)]

        def rest(limit: int) -> int:
            found = self.at(limit)
            return FAR if found is None else found.cost - limit * tick

        for _ in by_bound(times, tick, rest, looks):
            break
        found = [it for it in self._known.values() if it is not None]
        return min(found, key=lambda it: (it.cost, it.limit), default=None)

    def _least_time(self, time: int) -> int | None:
        """The least time at which the shortest bars fit the rows."""

        def fits(limit: int) -> bool:
            found = [self._bars(menu, limit)[0] for menu in self._menus.menus]
            if not all(map(len, found)):
                return False
            shortest = np.array([width.min() for width in found])
            return self._stops(shortest[self._kinds]) is not None

        return least_limit(time, max(time, self._menus.slowest()), fits)

    def _bars(self, menu: Menu, limit: int) -> tuple[Ints, Ints]:
        """The lengths and port tuples of the bars that are no higher than a row."""
        table = menu.within(limit)
        fits = table.height <= self._height
        return table.width[fits], table.ports[fits]

    def _own(self, limit: int) -> tuple[Ints, Ints]:
        """The least length of a bar by [place, label], FAR where there is none, and the labels' entries."""
        bars = [self._bars(menu, limit) for menu in self._menus.menus]
        ports = np.concatenate([ports for _, ports in bars])
        _, first, label = np.unique(codes_of(ports), return_index=True, return_inverse=True)
        own = np.full((len(bars), len(first)), FAR)
        at = 0
        for kind, (width, _) in enumerate(bars):
            np.minimum.at(own[kind], label[at : at + len(width)], width)
            at += len(width)
        return own[self._kinds], ports[first]

    def at(self, limit: int) -> Agreed | None:
        """The best that is found within a limit."""
        if limit not in self._known:
            self._known[limit] = self._found(limit)
        return self._known[limit]

    def _found(self, limit: int) -> Agreed | None:
        length, entries = self._own(limit)
        if self._stops(length.min(axis=1)) is None:
            return None
        labels = Labels.of(entries, self._nets, self._prices.adapter)
        places = np.arange(len(self._order))
        wire = self._over[:, None] * self._prices.half_hop
        chosen = length.argmin(axis=1)
        best, low, high = chosen, 0, _DEAREST * self._prices.adapter
        active = None
        for turn in range(_HALVINGS + 1):
            worth = low if not turn else (low + high) // 2
            own = np.where(length < FAR, length * (wire + worth), FAR)
            chosen, helped = labels.agreed(own, best, active)
            active = helped if active is None else active | helped
            if self._stops(length[places, chosen]) is None:
                low = worth
                continue
            high, best = worth, chosen
            if not turn:
                break
        return self._laid(limit, labels, best, length[places, best])

    def _stops(self, length: Ints) -> list[int] | None:
        """Where each row ends, filled one after the other; None where there are too few rows."""
        stops, used = list[int](), 0
        for place, each in enumerate(length.tolist()):
            if used + each > self._problem.fabric.width:
                stops.append(place)
                used = 0
            used += each
            if each > self._problem.fabric.width or len(stops) == self._rows:
                return None
        return [*stops, len(length)]

    def _laid(self, limit: int, labels: Labels, chosen: Ints, length: Ints) -> Agreed:
        """The bars in their rows, in the middle of each, the rows ending where the next begin."""
        stops = self._stops(length) or []
        boxes = [Box(0, 0, 1, 1)] * len(self._order)
        ports: list[tuple[int, ...] | None] = [None] * len(self._order)
        first, bottom, edge = 0, 0, 0
        for row, stop in enumerate(stops):
            across = [
                self._across(limit, at, int(length[at]), labels.entries[chosen[at]])
                for at in range(first, stop)
            ]
            wide = int(length[first:stop].sum())
            x = max(0, edge - wide) if row % 2 else min(edge, self._problem.fabric.width - wide)
            places = range(first, stop) if row % 2 == 0 else range(stop - 1, first - 1, -1)
            for at in places:
                high = across[at - first]
                boxes[self._order[at]] = Box(x, bottom + (max(across) - high) // 2, int(length[at]), high)
                ports[self._order[at]] = tuple(map(int, labels.entries[chosen[at]]))
                x += int(length[at])
            edge = x if row % 2 == 0 else x - wide
            bottom, first = bottom + max(across), stop
        return Agreed(self._cost(limit, boxes, ports), limit, boxes, ports)

    def _across(self, limit: int, at: int, length: int, entries: Ints) -> int:
        """How high the bar of this length and port tuple is."""
        table = self._menus.menu(self._order[at]).within(limit)
        same = (table.width == length) & (table.ports == entries).all(axis=1) & (table.height <= self._height)
        return int(table.height[same].min())

    def _cost(self, limit: int, boxes: Sequence[Box], ports: Sequence[tuple[int, ...] | None]) -> int:
        """Time, wire and adapters."""
        prices, total = self._prices, limit * self._prices.tick
        for net in self._problem.nets:
            a, b = boxes[net.source], boxes[net.target]
            apart = abs(2 * a.x + a.width - 2 * b.x - b.width) + abs(2 * a.y + a.height - 2 * b.y - b.height)
            odd = sum(
                one != other
                for one, other in zip(ports[net.source] or (), ports[net.target] or (), strict=True)
            )
            total += net.weight * apart * prices.half_hop + odd * prices.adapter
        return total
