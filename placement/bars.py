"""Bars of a chain in rows that run to and fro: how long each is by its port tuple, tuples agreed on, how they lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from wsc.placement.agreeing import FAR, codes_of
from wsc.placement.candidates import Catalogue
from wsc.placement.potts import Bools, Labels
from wsc.placement.problem import Ints, Problem
from wsc.placement.regions import Box
from wsc.placement.scene import Prices
from wsc.placement.snake import Spans

_HALVINGS = 6
_DEAREST = 4  # adapters: what a core of length may be thought to be worth


@dataclass(frozen=True)
class Laid:
    """Bars in rows: the cost of time, wire and adapters as they lie, and where each row ends in the chain."""

    cost: int
    limit: int
    boxes: list[Box]
    ports: list[tuple[int, ...] | None]
    stops: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Agreed:
    """Port tuples and lengths by place."""

    entries: Ints
    length: Ints


@dataclass(frozen=True, eq=False)
class Bars:
    """The blocks of a problem as bars, in the order of the flow.

    Along a row a bar costs its length for every net over it, as in snake.py, and a net costs an adapter for each entry
    that its ends do not share.
    """

    problem: Problem
    menus: Catalogue
    prices: Prices
    order: tuple[int, ...]

    @cached_property
    def kinds(self) -> Ints:
        """The menu of each place."""
        return np.array([self.menus.of_block[block] for block in self.order])

    @cached_property
    def _wire(self) -> Ints:
        """What a core of length costs by place."""
        return Spans.of(self.order, self.problem.nets).over * self.prices.half_hop

    def shortest(self, limit: int, height: int) -> Ints:
        """The least length by place in a row of this height; FAR where there is no bar."""
        tables = [menu.within(limit) for menu in self.menus.menus]
        least = [int(it.width[it.height <= height].min(initial=FAR)) for it in tables]
        return np.array(least)[self.kinds]

    def lengths(self, limit: int, heights: Sequence[int]) -> tuple[Ints, Labels]:
        """The least length by [row, place, label], FAR where there is none, and the labels."""
        tables = [menu.within(limit) for menu in self.menus.menus]
        low = [table.height <= max(heights) for table in tables]
        ports = np.concatenate([table.ports[some] for table, some in zip(tables, low, strict=True)])
        codes, first = np.unique(codes_of(ports), return_index=True)
        place = {block: at for at, block in enumerate(self.order)}
        nets = [(place[net.source], place[net.target]) for net in self.problem.nets]
        labels = Labels.of(ports[first], nets, self.prices.adapter)
        least = np.full((len(heights), len(tables), len(codes)), FAR)
        for kind, table in enumerate(tables):
            label = np.minimum(np.searchsorted(codes, codes_of(table.ports)), len(codes) - 1)
            for row, height in enumerate(heights):
                fits = table.height <= height
                np.minimum.at(least[row, kind], label[fits], table.width[fits])
        return least[:, self.kinds], labels

    def agreed(
        self, length: Ints, labels: Labels, group: Ints, room: Ints, fits: Callable[[Ints], Bools]
    ) -> Agreed | None:
        """A label for each place; None where not even the shortest bars fit.

        `fits` says by group whether bars of these lengths do, which never add up to more than `room`. What a core of
        length is worth in a group beyond its wire is found by halving, so that the bars fill the rows and no more.
        """
        places = np.arange(len(self.order))
        least = length.min(axis=1)
        if not fits(least).all():
            return None
        # a bar longer than the shortest by more than all the others leave fits in no choice
        spare = room - np.bincount(group, weights=least, minlength=len(room)).astype(np.int64)
        length = np.where(length <= (least + spare[group])[:, None], length, FAR)
        some = (length < FAR).any(axis=0)
        length, labels = length[:, some], replace(labels, entries=labels.entries[some])
        best = length.argmin(axis=1)
        low = np.zeros(int(group.max()) + 1, np.int64)
        high = np.full_like(low, _DEAREST * self.prices.adapter)
        worth, active = low, None
        for turn in range(_HALVINGS + 1):
            price = (self._wire + worth[group])[:, None]
            chosen, helped = labels.agreed(np.where(length < FAR, length * price, FAR), best, active)
            active = helped if active is None else active | helped
            enough = fits(length[places, chosen])
            if enough.all():
                best = chosen
                if not turn:
                    break
            low, high = np.where(enough, low, worth), np.where(enough, worth, high)
            worth = (low + high) // 2
        return Agreed(labels.entries[best], length[places, best])

    def laid(self, limit: int, agreed: Agreed, stops: Sequence[int], heights: Sequence[int]) -> Laid:
        """The bars in their rows, in the middle of each, the rows beginning where the last one ended."""
        entries, length = agreed.entries, agreed.length
        boxes = [Box(0, 0, 1, 1)] * len(self.order)
        ports: list[tuple[int, ...] | None] = [None] * len(self.order)
        first, bottom, edge = 0, 0, 0
        for row, stop in enumerate(stops):
            places = range(first, stop)
            across = {
                at: self._across(limit, at, int(length[at]), entries[at], heights[row]) for at in places
            }
            wide, tall = int(length[first:stop].sum()), max(across.values())
            x = max(0, edge - wide) if row % 2 else min(edge, self.problem.fabric.width - wide)
            edge = x if row % 2 else x + wide
            for at in reversed(places) if row % 2 else places:
                boxes[self.order[at]] = Box(x, bottom + (tall - across[at]) // 2, int(length[at]), across[at])
                ports[self.order[at]] = tuple(map(int, entries[at]))
                x += int(length[at])
            bottom, first = bottom + tall, stop
        return Laid(self._cost(limit, boxes, ports), limit, boxes, ports, tuple(stops))

    def _across(self, limit: int, at: int, length: int, entries: Ints, height: int) -> int:
        """How high the bar of this length and port tuple is, which is no higher than its row."""
        table = self.menus.menu(self.order[at]).within(limit)
        same = (table.width == length) & (table.ports == entries).all(axis=1) & (table.height <= height)
        return int(table.height[same].min())

    def _cost(self, limit: int, boxes: Sequence[Box], ports: Sequence[tuple[int, ...] | None]) -> int:
        """Time, wire and adapters."""
        prices, total = self.prices, limit * self.prices.tick
        for net in self.problem.nets:
            a, b = boxes[net.source], boxes[net.target]
            apart = abs(2 * a.x + a.width - 2 * b.x - b.width) + abs(2 * a.y + a.height - 2 * b.y - b.height)
            pairs = zip(ports[net.source] or (), ports[net.target] or (), strict=True)
            odd = sum(one != other for one, other in pairs)
            total += net.weight * apart * prices.half_hop + odd * prices.adapter
        return total
