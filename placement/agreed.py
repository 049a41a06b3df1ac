"""Bars in rows whose neighbours agree on their port tuples, where an adapter costs so much that they had better.

Rows of equal height are filled one after the other; rows of other heights begin as the snakes of snake.py have them,
and ends and heights go on moving while that helps. More time makes no choice dearer, so that ranges of times can be
halved as for a single row (row.py), though the choices are only as good as their moves (potts.py) and nothing is
proven.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain, repeat

import numpy as np

from wsc.placement.agreeing import FAR, can_group
from wsc.placement.bars import Bars, Laid
from wsc.placement.bounds import by_bound
from wsc.placement.candidates import Catalogue, least_limit
from wsc.placement.effort import Agreeing
from wsc.placement.potts import Bools
from wsc.placement.problem import Ints, Problem
from wsc.placement.scene import Prices
from wsc.placement.search import WORKERS
from wsc.placement.snake import Snake

_MOST_ROWS = 2  # of equal height
_STEPS = (1, 2, 4)  # places that the end of a row moves by
_SHIFTS = (2, 8, 32)  # cores of height that a row gives to the next


def agreed_rows(
    problem: Problem,
    menus: Catalogue,
    prices: Prices,
    order: Sequence[int],
    time: int,
    snakes: Sequence[Snake],
    work: Agreeing,
) -> list[Laid]:
    """The best for each number of equal rows and of each snake, the cheapest first; none where adapters cost nothing.

    `time` is a bound on the slowest time; of the snakes those of more than one row count, the first of those whose
    rows end at the same places.
    """
    if not work.looks or not prices.adapter or problem.fabric.blocked or not can_group(menus, prices):
        return []
    bars = Bars(problem, menus, prices, tuple(order))
    equal = [_Equal(bars, count) for count in range(1, _MOST_ROWS + 1)]
    ends: dict[tuple[int, ...], Snake] = {}
    for snake in snakes:
        if len(snake.stops) > 1 and sum(snake.heights) <= problem.fabric.height:
            ends.setdefault(snake.stops, snake)
    some = list(ends.values())[: work.snakes]
    cut = [_Cut(bars, it.stops, _spread(it.heights, problem.fabric.height)) for it in some]
    with ThreadPoolExecutor(WORKERS) as pool:
        found = list(pool.map(lambda it: it.best(time, work.looks), [*equal, *cut]))
        best = min((it for it in found[len(equal) :] if it is not None), key=_cheapness, default=None)
        if best is not None and work.steps:
            found.append(_climbed(cut[found.index(best) - len(equal)], best, time, work.steps, pool))
    return sorted((it for it in found if it is not None), key=_cheapness)


def _cheapness(laid: Laid) -> tuple[int, int]:
    return laid.cost, laid.limit


def _spread(heights: Sequence[int], most: int) -> tuple[int, ...]:
    """The heights with a share each in what is left."""
    return tuple(height + (most - sum(heights)) // len(heights) for height in heights)


@dataclass(frozen=True)
class _Rows:
    """Rows of bars, by limit on time."""

    bars: Bars
    known: dict[int, Laid | None] = field(default_factory=dict, init=False, compare=False)

    def fit(self, limit: int) -> bool:
        """Whether the shortest bars within a limit do."""
        raise NotImplementedError

    def found(self, limit: int) -> Laid | None:
        """The best that is found within a limit; None where nothing fits."""
        raise NotImplementedError

    def at(self, limit: int) -> Laid | None:
        """The same, remembered."""
        if limit not in self.known:
            self.known[limit] = self.found(limit)
        return self.known[limit]

    def best(self, time: int, looks: int) -> Laid | None:
        """The cheapest at any limit from `time`; None where nothing fits."""
        tick, menus = self.bars.prices.tick, self.bars.menus
        start = least_limit(time, max(time, menus.slowest()), self.fit)
        if start is None:
            return None
        first = self.at(start)
        last = menus.slowest() if first is None else min(menus.slowest(), first.cost // tick)
        times = [start, *(it for it in menus.times(start, last) if it > start)]

        def rest(limit: int) -> int:
            found = self.at(limit)
            return FAR if found is None else found.cost - limit * tick

        for _ in by_bound(times, tick, rest, looks):
            break
        return min((it for it in self.known.values() if it is not None), key=_cheapness, default=None)


@dataclass(frozen=True)
class _Equal(_Rows):
    """So many rows of equal height, filled one after the other."""

    rows: int

    @property
    def _height(self) -> int:
        return self.bars.problem.fabric.height // self.rows

    def fit(self, limit: int) -> bool:
        """Whether the shortest bars within a limit do."""
        return self._stops(self.bars.shortest(limit, self._height)) is not None

    def found(self, limit: int) -> Laid | None:
        """The best that is found within a limit; None where nothing fits."""
        lengths, labels = self.bars.lengths(limit, [self._height])

        room = np.array([self.rows * self.bars.problem.fabric.width])

        def fits(length: Ints) -> Bools:
            return np.array([self._stops(length) is not None])

        found = self.bars.agreed(lengths[0], labels, np.zeros(lengths.shape[1], np.int64), room, fits)
        if found is None:
            return None
        stops = self._stops(found.length) or []
        return self.bars.laid(limit, found, stops, [self._height] * len(stops))

    def _stops(self, length: Ints) -> list[int] | None:
        """Where each row ends; None where there are too few rows."""
        stops, used, width = list[int](), 0, self.bars.problem.fabric.width
        for place, each in enumerate(length.tolist()):
            if used + each > width:
                stops.append(place)
                used = 0
            used += each
            if each > width or len(stops) == self.rows:
                return None
        return [*stops, len(length)]


@dataclass(frozen=True)
class _Cut(_Rows):
    """Rows of these heights that end at these places."""

    stops: tuple[int, ...]
    heights: tuple[int, ...]

    @property
    def _row(self) -> Ints:
        return np.searchsorted(self.stops, np.arange(len(self.bars.order)), side="right")

    def _fits(self, length: Ints) -> Bools:
        width = self.bars.problem.fabric.width
        sums = np.zeros(len(self.stops), np.int64)
        np.add.at(sums, self._row, np.minimum(length, width + 1))
        return np.less_equal(sums, width)

    def fit(self, limit: int) -> bool:
        """Whether the shortest bars within a limit do."""
        if sum(self.heights) > self.bars.problem.fabric.height:
            return False
        each = np.array([self.bars.shortest(limit, height) for height in self.heights])
        return bool(self._fits(each[self._row, np.arange(each.shape[1])]).all())

    def found(self, limit: int) -> Laid | None:
        """The best that is found within a limit; None where nothing fits."""
        lengths, labels = self.bars.lengths(limit, self.heights)
        row, room = self._row, np.full(len(self.stops), self.bars.problem.fabric.width)
        found = self.bars.agreed(lengths[row, np.arange(len(row))], labels, row, room, self._fits)
        return None if found is None else self.bars.laid(limit, found, self.stops, self.heights)

    def beside(self) -> list[_Cut]:
        """The same but for one end or the heights of two rows."""
        ways = [way * step for step in _STEPS for way in (-1, 1)]
        ends = chain.from_iterable(
            ((*self.stops[:at], stop + way, *self.stops[at + 1 :]) for way in ways)
            for at, stop in enumerate(self.stops[:-1])
        )
        shifts = [way * step for step in _SHIFTS for way in (-1, 1)]
        tall = [
            (*self.heights[:at], self.heights[at] + way, self.heights[at + 1] - way, *self.heights[at + 2 :])
            for at in range(len(self.heights) - 1)
            for way in shifts
        ]
        rising = [it for it in ends if all(a < b for a, b in zip((0, *it), it, strict=False))]
        return [_Cut(self.bars, it, self.heights) for it in rising] + [
            _Cut(self.bars, self.stops, it) for it in tall if min(it) > 0
        ]


def _climbed(cut: _Cut, best: Laid, time: int, steps: int, pool: ThreadPoolExecutor) -> Laid:
    """The best that comes of changing one thing at a time, at the least limit that each change allows."""
    for _ in range(steps):
        ways = cut.beside()
        found = list(pool.map(_soonest, ways, repeat(time), repeat(best.cost)))
        better = [
            (it, way) for it, way in zip(found, ways, strict=True) if it is not None and it.cost < best.cost
        ]
        if not better:
            break
        best, cut = min(better, key=lambda pair: _cheapness(pair[0]))
    return best


def _soonest(cut: _Cut, time: int, cost: int) -> Laid | None:
    """The best at the least limit at which the bars fit; None where its time alone costs so much."""
    limit = least_limit(time, cost // cut.bars.prices.tick, cut.fit)
    return None if limit is None else cut.at(limit)
