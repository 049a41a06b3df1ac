"""What no placement can beat, from areas, least sides and port tuples alone; it knows no search.

Time: the least at which the blocks' least areas add up to the free cores (candidates.py). Wire: two rectangles that
do not overlap are apart by half their widths one way or half their heights the other, so a net's centres are at
least half the sum of the two blocks' least sides apart. Adapters: an entry that no shapes of both ends have in
common differs.

All three only get better with more time, so that over a range of times the wire and adapters of its end go with the
time of its start.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from wsc.placement.candidates import Catalogue
from wsc.placement.problem import Problem
from wsc.placement.scene import Prices

_LOOKS = 160  # times at which sides and port tuples are looked at


@dataclass(frozen=True, slots=True)
class Bounds:
    """Lower bounds: slowest time in ticks, wire in half hops at any time, and the cost by the problem's prices."""

    time: int
    half_hops: int
    cost: int


def bounds_of(problem: Problem, menus: Catalogue, prices: Prices, time: int, known: int) -> Bounds:
    """The bounds; `time` is the one on the slowest time and `known` the cost of some placement."""
    slowest = max(time, menus.slowest())
    cost, _ = cheapest_times(problem, menus, prices, time, known, 1)
    return Bounds(time, half_hops_at(problem, menus, slowest), cost)


def cheapest_times(
    problem: Problem, menus: Catalogue, prices: Prices, time: int, known: int, count: int
) -> tuple[int, list[int]]:
    """A lower bound on the cost, at most `known`, and up to `count` times at which it is least, the cheapest first.

    Best first: of ranges of attainable times the one of the least bound is halved, until it is a single time. So the
    bound is exact in what it knows, and those are the times worth trying where the bound on wire can be met.
    """
    times = [time, *(it for it in menus.times(time, min(menus.slowest(), known // prices.tick)) if it > time)]
    rests: dict[int, int] = {}

    def rest(at: int) -> int:
        if at not in rests:
            odd = adapters_at(problem, menus, times[at]) * prices.adapter if prices.adapter else 0
            rests[at] = half_hops_at(problem, menus, times[at]) * prices.half_hop + odd
        return rests[at]

    last = len(times) - 1
    waiting = [(times[0] * prices.tick + rest(last), 0, last)]
    bound, found = None, list[int]()
    while waiting and len(found) < count and len(rests) < _LOOKS:
        cost, low, high = heapq.heappop(waiting)
        if cost >= known:
            break
        if low == high:
            bound = cost if bound is None else bound
            found.append(times[low])
            continue
        middle = (low + high) // 2
        for first, stop in ((low, middle), (middle + 1, high)):
            heapq.heappush(waiting, (times[first] * prices.tick + rest(stop), first, stop))
    if bound is None:
        bound = min(waiting)[0] if waiting else known
    return min(bound, known), found


def half_hops_at(problem: Problem, menus: Catalogue, limit: int) -> int:
    """Twice the least wire with all blocks within the limit."""
    sides = [_least_side(menus, kind, limit) for kind in range(len(menus.menus))]
    of = [sides[kind] for kind in menus.of_block]
    return sum(net.weight * (of[net.source] + of[net.target]) for net in problem.nets)


def adapters_at(problem: Problem, menus: Catalogue, limit: int) -> int:
    """The entries of port tuples that differ over the nets whatever shapes within the limit are chosen."""
    offered = [
        [frozenset(np.unique(column).tolist()) for column in menu.within(limit).ports.T]
        for menu in menus.menus
    ]
    of = [offered[kind] for kind in menus.of_block]
    pairs = ((of[net.source], of[net.target]) for net in problem.nets)
    return sum(a.isdisjoint(b) for first, second in pairs for a, b in zip(first, second, strict=False))


def _least_side(menus: Catalogue, kind: int, limit: int) -> int:
    table = menus.menus[kind].within(limit)
    return int(min(table.width.min(), table.height.min()))
