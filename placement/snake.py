"""Snakes to begin with: the chain in rows of bars, every bar as high as its row, each row running back where the last
one came.

Bars that span their row keep neighbours close: a net along the row costs half of either width and nothing across.
The cost of a row is then a sum over its bars, so that dynamic programming over where rows end finds the best snake,
with a price on height (a Lagrange multiplier) in place of the limit on the sum of the rows' heights.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wsc.placement.jit import jit
from wsc.placement.problem import Net
from wsc.placement.tree import NONE, Int16s, Int64s

MOST_ROWS = 9
_FAR = np.int64(1) << 60


@dataclass(frozen=True, slots=True)
class Snake:
    """Rows of a chain: where each ends (one past its last position), how high it is, and the estimated wire cost."""

    stops: tuple[int, ...]
    heights: tuple[int, ...]
    wire: int


@dataclass(frozen=True, eq=False)
class Spans:
    """The nets of a chain as the bars see them: by position, twice the nets over a bar (once for one that ends in
    it), and by gap between positions the nets that pass, all weighted."""

    over: Int64s
    past: Int64s

    @classmethod
    def of(cls, order: Sequence[int], nets: Sequence[Net]) -> Spans:
        """The spans of nets over the blocks in this order."""
        place = {block: at for at, block in enumerate(order)}
        over, past = np.zeros(len(order), np.int64), np.zeros(len(order) + 1, np.int64)
        for net in nets:
            first, last = sorted((place[net.source], place[net.target]))
            over[first] += net.weight
            over[last] += net.weight
            over[first + 1 : last] += 2 * net.weight
            past[first + 1 : last + 1] += net.weight
        return cls(over, past)


def snakes(widths: Int16s, spans: Spans, room: tuple[int, int], price: int) -> list[Snake]:
    """The best snake of each number of rows, one for each of several prices of height, that about fits the room.

    `widths[i, h]` is the least width of the bar at position i in a row of height h; `room` is (width, height).
    `price` is what a row's height is thought to be worth, in the unit of the spans. Cost is in half hops.
    """
    found: dict[tuple[int, ...], Snake] = {}
    for eighths in (0, 1, 2, 4, 8, 16, 32, 64, 128):
        cost, high = _rows(widths.astype(np.int64), spans.over, spans.past, room[0], price * eighths // 8)
        for snake in _cheapest(cost, high, price * eighths // 8):
            if sum(snake.heights) <= room[1] + room[1] // 32:
                found[snake.stops + snake.heights] = snake
    return list(found.values())


@jit
def _rows(widths: Int64s, over: Int64s, past: Int64s, room: int, price: int) -> tuple[Int64s, Int64s]:
    """For each run first..stop-1 the least cost of a row of it, over all heights, and that height."""
    count, heights = widths.shape
    cost = np.full((count, count + 1), _FAR, np.int64)
    high = np.zeros((count, count + 1), np.int64)
    for height in range(1, heights):
        for first in range(count):
            length = np.int64(0)
            wire = np.int64(0)
            for stop in range(first + 1, count + 1):
                width = widths[stop - 1, height]
                length += width
                if width >= NONE or length > room:
                    break
                wire += width * over[stop - 1]
                total = wire + height * (past[first] + past[stop] + price)
                if total < cost[first, stop]:
                    cost[first, stop] = total
                    high[first, stop] = height
    return cost, high


def _cheapest(cost: Int64s, high: Int64s, price: int) -> list[Snake]:
    """For each number of rows up to MOST_ROWS the snake of least cost, where there is one."""
    count = len(cost)
    best = np.full(count + 1, _FAR)
    best[0] = 0
    before: list[Int64s] = []
    found = []
    for _ in range(min(MOST_ROWS, count)):
        sums = np.minimum(best[:-1, None] + cost, _FAR)
        before.append(np.argmin(sums, axis=0))
        best = np.min(sums, axis=0)
        if best[count] >= _FAR:
            continue
        stops = [count]
        for firsts in reversed(before):
            stops.append(int(firsts[stops[-1]]))
        stops.reverse()
        heights = tuple(int(high[a, b]) for a, b in itertools.pairwise(stops))
        found.append(Snake(tuple(stops[1:]), heights, int(best[count]) - price * sum(heights)))
    return found
