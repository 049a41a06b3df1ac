"""The best layout of a chain in one row, over all times, shapes and port tuples: exact, by dynamic programming.

In a row the wire along it is a sum over the blocks, each with half its length for every net it has; across it is half
a hop for each net whose ends differ in parity, since all centres can be within a half of the middle line; adapters
depend on the port tuples of neighbours. So the cheapest row within a limit on time is a shortest path through
(shape, length used so far), block after block. More time never makes it dearer, apart from its own price, so that of
ranges of times the one of the least bound can be halved until a single time is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from wsc.placement.agreeing import FAR, can_group, grouped
from wsc.placement.bounds import by_bound
from wsc.placement.candidates import Catalogue, Menu, least_limit
from wsc.placement.jit import jit
from wsc.placement.problem import Ints, Problem
from wsc.placement.regions import Box
from wsc.placement.scene import Prices
from wsc.placement.spread import Spread

_QUICK = 8


@dataclass(frozen=True)
class Row:
    """A chain in one row; nothing in one row costs less where it is `proven`."""

    cost: int
    limit: int
    boxes: list[Box]
    ports: list[tuple[int, ...] | None]
    proven: bool


class _Choices(NamedTuple):
    """Lengths along the row and sides across it that may be best, with the parity of that side and the port tuple."""

    length: Ints
    across: Ints
    entries: Ints


def best_row(
    problem: Problem, menus: Catalogue, prices: Prices, time: int, known: int, looks: int
) -> Row | None:
    """The cheapest row of a chain that costs less than `known`; None where there is none or it is no chain.

    `time` is a bound on the slowest time. At most about `looks` times are looked at.
    """
    spread = Spread.of(problem)
    if not spread.path or problem.fabric.blocked or not can_group(menus, prices):
        return None
    looks *= 1 if prices.adapter else _QUICK  # without port tuples there are few shapes to choose from
    found: list[Row] = []
    ways = (0,) if problem.fabric.width == problem.fabric.height and _all_turn(menus) else (0, 1)
    for along in ways:
        row = _best_of(_Rows(problem, menus, prices, spread, along), menus, time, known, looks)
        if row is not None:
            found.append(row)
            known = min(known, row.cost)
    best = min(found, key=lambda it: it.cost, default=None)
    return best and replace(best, proven=all(it.proven for it in found))


def _best_of(rows: _Rows, menus: Catalogue, time: int, known: int, looks: int) -> Row | None:
    """The cheapest row along one axis that costs less than `known`."""
    tick = rows.prices.tick
    last = min(menus.slowest(), known // tick)
    start = least_limit(time, last, lambda limit: rows.spare(limit) >= 0) if time <= last else None
    if start is None:
        return None
    times = [start, *(it for it in menus.times(start, last) if it > start)]
    for cost, limit in by_bound(times, tick, rows.cost, looks):
        if cost >= known:
            return None
        if limit is not None:
            return rows.row(limit, cost, proven=True)
        looked = min(rows.costs, key=lambda it: it * tick + rows.costs[it])
        total = looked * tick + rows.costs[looked]
        return rows.row(looked, total, proven=False)
    return None


def _all_turn(menus: Catalogue) -> bool:
    """Whether every shape is offered turned by a quarter as well, so that a column is a row."""
    return all(menu.source.turns() for menu in menus.menus)


class _Rows:
    """Rows of a chain along one axis (0: x) by limit on time."""

    def __init__(
        self, problem: Problem, menus: Catalogue, prices: Prices, spread: Spread, along: int
    ) -> None:
        self._menus, self.prices, self._path, self._along = menus, prices, spread.path, along
        sides = (problem.fabric.width, problem.fabric.height)
        self._room, self._depth = sides[self._along], sides[1 - self._along]
        self._after = spread.weights()
        tuples = [menu.within(menus.slowest()).ports for menu in menus.menus]
        self._tuple_length = tuples[0].shape[1] if prices.adapter else 0
        self.costs: dict[int, int] = {}

    def spare(self, limit: int) -> int:
        """What is left of the row with all blocks as short as they can be; below 0 where they are too long."""
        shortest = [self._shortest(menu, limit) for menu in self._menus.menus]
        return self._room - sum(shortest[self._menus.of_block[block]] for block in self._path)

    def cost(self, limit: int) -> int:
        """The least cost of wire and adapters of a row within the limit."""
        if limit not in self.costs:
            self.costs[limit] = int(self._sums(limit, self._all_choices(limit))[-1].min())
        return self.costs[limit]

    def row(self, limit: int, cost: int, proven: bool) -> Row:
        """The cheapest row within the limit."""
        choices = self._all_choices(limit)
        sums = self._sums(limit, choices)
        boxes = [Box(0, 0, 1, 1)] * len(self._path)
        ports: list[tuple[int, ...] | None] = [None] * len(self._path)
        picked = self._picked(choices, sums)
        at = 0
        for position, (block, index) in enumerate(zip(self._path, picked, strict=True)):
            it = choices[position]
            length, across = int(it.length[index]), int(it.across[index])
            beside = (self._depth - across) // 2
            boxes[block] = (
                Box(at, beside, length, across) if self._along == 0 else Box(beside, at, across, length)
            )
            ports[block] = tuple(map(int, it.entries[index, 1:])) if self._tuple_length else None
            at += length
        return Row(cost, limit, boxes, ports, proven)

    def _picked(self, choices: Sequence[_Choices], sums: Sequence[Ints]) -> list[int]:
        """Which choice of each block the cheapest row takes, from the last to the first."""
        index, used = (int(it) for it in np.unravel_index(int(sums[-1].argmin()), sums[-1].shape))
        picked = [index]
        for position in range(len(choices) - 1, 0, -1):
            it, before = choices[position], choices[position - 1]
            used -= int(it.length[index]) - int(it.length.min())
            steps = self._steps(position, before, it.entries[index])
            index = int((sums[position - 1][:, used] + steps).argmin())
            picked.append(index)
        return picked[::-1]

    def _sums(self, limit: int, choices: Sequence[_Choices]) -> list[Ints]:
        """For each block, choice and length used beyond the least so far, the least cost of the row up to there."""
        spare = min(self.spare(limit), sum(int(it.length.max() - it.length.min()) for it in choices))
        sums: list[Ints] = []
        for position, it in enumerate(choices):
            own = self._weight(position) * it.length * self.prices.half_hop
            more = it.length - it.length.min()
            best = np.full((len(own), spare + 1), FAR)
            if position:
                for least, found, odd in grouped(
                    sums[-1], choices[position - 1].entries, it.entries, self._entry_prices(position)
                ):
                    _lower(least, found, own + odd, more, best)
            else:
                best[np.arange(len(own)), more] = own
            sums.append(best)
        return sums

    def _steps(self, position: int, before: _Choices, entries: Ints) -> Ints:
        """What the net from each choice of a block to one of these entries costs apart from the lengths."""
        differs: Ints = (before.entries != entries) @ np.array(self._entry_prices(position), np.int64)
        return differs

    def _entry_prices(self, position: int) -> list[int]:
        """What differing costs a net to the block at this position: parity first, then each entry of the ports."""
        parity = self._after[position - 1] * self.prices.half_hop
        return [parity] + [self.prices.adapter] * self._tuple_length

    def _weight(self, position: int) -> int:
        """The nets of a block, which each take half its length."""
        before = self._after[position - 1] if position else 0
        return before + (self._after[position] if position < len(self._after) else 0)

    def _shortest(self, menu: Menu, limit: int) -> int:
        table = menu.within(limit)
        length, across = (table.width, table.height) if self._along == 0 else (table.height, table.width)
        return int(length[across <= self._depth].min(initial=self._room + 1))

    def _all_choices(self, limit: int) -> list[_Choices]:
        spare = self.spare(limit)
        made = [self._choices(menu, limit, spare) for menu in self._menus.menus]
        return [made[self._menus.of_block[block]] for block in self._path]

    def _choices(self, menu: Menu, limit: int, spare: int) -> _Choices:
        """The shortest of each port tuple, if they count, and parity across the row.

        Bars longer than need be, of another parity, are looked at only where there are few choices.
        """
        table = menu.within(limit) if self._tuple_length else menu.roomy(limit)
        length, across = (table.width, table.height) if self._along == 0 else (table.height, table.width)
        tuples = table.ports[:, : self._tuple_length]
        fits = (across <= self._depth) & (length <= self._shortest(menu, limit) + spare)
        key = np.column_stack([across % 2, tuples, length, across])[fits]
        key = key[np.lexsort(key.T[::-1])]
        new = np.ones(len(key), bool)
        new[1:] = (key[1:, :-2] != key[:-1, :-2]).any(axis=1)
        key = key[new]
        return _Choices(key[:, -2], key[:, -1], key[:, :-2])


@jit
def _lower(least: Ints, found: Ints, own: Ints, more: Ints, best: Ints) -> None:
    """Lowers `best` to the rows of `least` that were found, with what the choice itself costs and takes."""
    for to in range(best.shape[0]):
        if found[to] < 0:
            continue
        for used in range(best.shape[1] - more[to]):
            total = least[found[to], used] + own[to]
            if total < best[to, used + more[to]]:
                best[to, used + more[to]] = total
