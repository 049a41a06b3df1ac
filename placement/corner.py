"""What a chain costs at least that does not lie in one row, with its adapters: of two bounds the better.

One, where blocks have to be piled up, is that of turns.py, with the adapters that no choice of shapes saves. The other
is exact for a relaxation, that of spread.py: every block takes half its least side for each of its nets, but for two
blocks that take half a second side besides, or one whose two nets go different ways. Which shapes have the least sides
and which port tuples agree is chosen at once, by dynamic programming along the chain.
"""

from __future__ import annotations

import numpy as np

from wsc.placement.agreeing import FAR, can_group, grouped
from wsc.placement.bounds import adapters_at, by_bound
from wsc.placement.candidates import Catalogue, Menu
from wsc.placement.jit import jit
from wsc.placement.problem import Ints, Problem
from wsc.placement.scene import Prices
from wsc.placement.spread import Spread
from wsc.placement.turns import Turns

_LOOKS = 60
_ROW, _ONE_STACKED, _STACKED, _TURNED = range(4)  # states: what the blocks so far have taken besides


def corner_bound(problem: Problem, menus: Catalogue, prices: Prices, time: int, known: int) -> int:
    """A lower bound, at most `known`, on the cost of a chain that is not in one row; `time` is one on its time.

    It is 0 for what is no chain of three or more, or has port tuples that are too long.
    """
    if len(Spread.of(problem).path) < 3 or not can_group(menus, prices):
        return 0
    corner = Corner(problem, menus, prices)
    times = [time, *(it for it in menus.times(time, known // prices.tick) if it > time)]
    return min(known, next(by_bound(times, prices.tick, corner.cost, _LOOKS))[0])


class Corner:
    """Bounds on a chain that is not in one row, by limit on time; the blocks must form a chain of three or more."""

    def __init__(self, problem: Problem, menus: Catalogue, prices: Prices) -> None:
        spread = Spread.of(problem)
        self._problem, self._menus, self._prices, self._path = problem, menus, prices, spread.path
        self._after, self._turns = spread.weights(), Turns(problem, menus, spread)

    def cost(self, limit: int) -> int:
        """The least cost of wire and adapters within the limit: of one corner, or where turns say more, of those."""
        odd = adapters_at(self._problem, self._menus, limit) * self._prices.adapter
        return max(self._one(limit), self._turns.half_hops(limit) * self._prices.half_hop + odd)

    def _one(self, limit: int) -> int:
        made: dict[tuple[int, int, int], tuple[Ints, Ints]] = {}
        sums = before = np.zeros((0, 0), np.int64)
        for position, block in enumerate(self._path):
            a = self._after[position - 1] if position else 0
            b = self._after[position] if position < len(self._after) else 0
            kind = self._menus.of_block[block]
            if (kind, a, b) not in made:
                made[kind, a, b] = self._choices(self._menus.menus[kind], limit, a, b)
            entries, costs = made[kind, a, b]
            best = np.full((len(entries), 4), FAR)
            if position:
                prices = [self._prices.adapter] * entries.shape[1]
                for least, found, odd in grouped(sums, before, entries, prices):
                    _lower(least, found, costs + odd, best)
            else:
                best[:, :_STACKED] = costs[:, :2]
            sums, before = best, entries
        return int(sums[:, _STACKED:].min())

    def _choices(self, menu: Menu, limit: int, a: int, b: int) -> tuple[Ints, Ints]:
        """Port tuples, where they count, and what a block of each costs as it is, stacked, and turned."""
        table = menu.within(limit)
        width, height = table.width, table.height
        ports = table.ports if self._prices.adapter else table.ports[:, :0]
        light = min(self._after)
        costs = np.stack(
            [
                (a + b) * np.minimum(width, height),
                # stacked, a block may as well count its longer side along the chain
                np.minimum((a + b) * width + light * height, (a + b) * height + light * width),
                np.minimum(a * width + b * height, a * height + b * width),
            ],
            axis=1,
        )
        if not (a and b):
            costs[:, 2] = FAR // 2 // max(1, self._prices.half_hop)
        order = np.lexsort(ports.T) if ports.shape[1] else np.arange(len(ports))
        new = np.zeros(len(ports), bool)
        new[0] = True
        new[1:] = (ports[order][1:] != ports[order][:-1]).any(axis=1)
        starts = np.flatnonzero(new)
        least = np.minimum.reduceat(costs[order] * self._prices.half_hop, starts, axis=0)
        return ports[order][starts], least


@jit
def _lower(least: Ints, found: Ints, costs: Ints, best: Ints) -> None:
    """Lowers `best` by the three ways that a block may count."""
    for to in range(best.shape[0]):
        row = found[to]
        if row < 0:
            continue
        for state in range(4):
            best[to, state] = min(best[to, state], least[row, state] + costs[to, 0])
        for state in range(2):
            best[to, state + 1] = min(best[to, state + 1], least[row, state] + costs[to, 1])
        best[to, _TURNED] = min(best[to, _TURNED], least[row, _ROW] + costs[to, 2])
