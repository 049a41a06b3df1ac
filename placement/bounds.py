"""What no placement can beat, from areas, least sides and port tuples alone; it knows no search.

Time: the least at which the blocks' least areas add up to the free cores (candidates.py). Wire: two rectangles that
do not overlap are apart by half their widths one way or half their heights the other, so a net's centres are at
least half the sum of the two blocks' least sides apart; nets that close a cycle, and chains too long for one row, take
more (spread.py), blocks that nearly fill the fabric are not all as thin as they may be (crowding.py), and chains too
long for a row have to be piled up (turns.py). Adapters: an entry that no shapes of both ends have in common differs.

All of it only gets better with more time, so that over a range of times the wire and adapters of its end go with the
time of its start.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from wsc.placement.candidates import Catalogue
from wsc.placement.crowding import Crowding
from wsc.placement.problem import Problem
from wsc.placement.scene import Prices
from wsc.placement.spread import Spread
from wsc.placement.turns import Turns

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
    spread, crowding = Spread.of(problem), Crowding(problem, menus)
    turns = Turns(problem, menus, spread) if len(spread.path) > 2 else None

    def rest(limit: int) -> int:
        wire = max(spread.half_hops(problem, menus, limit), crowding.half_hops(limit))
        if turns and turns.no_row(limit):
            wire = max(wire, turns.half_hops(limit))
        odd = adapters_at(problem, menus, limit) * prices.adapter if prices.adapter else 0
        return wire * prices.half_hop + odd

    last = max(time, min(menus.slowest(), known // prices.tick))
    times = [time, *(it for it in menus.times(time, last) if it > time)]
    cost, _ = next(by_bound(times, prices.tick, rest, _LOOKS))
    return Bounds(time, spread.half_hops(problem, menus, slowest), min(cost, known))


def cheapest_times(
    problem: Problem, menus: Catalogue, prices: Prices, time: int, known: int, count: int
) -> tuple[int, list[int]]:
    """A lower bound on the cost, at most `known`, and up to `count` times at which it is least, the cheapest first.

    The bound knows nets, cycles and chains alone: it is exact in that, and those are the times worth trying where such
    a bound on wire can be met.
    """
    times = [time, *(it for it in menus.times(time, min(menus.slowest(), known // prices.tick)) if it > time)]
    spread = Spread.of(problem)

    def rest(limit: int) -> int:
        odd = adapters_at(problem, menus, limit) * prices.adapter if prices.adapter else 0
        return spread.half_hops(problem, menus, limit) * prices.half_hop + odd

    bound, found = None, list[int]()
    for cost, limit in by_bound(times, prices.tick, rest, _LOOKS):
        if cost >= known:
            break
        bound = cost if bound is None else bound
        if limit is None:
            break
        found.append(limit)
        if len(found) == count:
            break
    return known if bound is None else bound, found


def by_bound(
    times: Sequence[int], tick: int, rest: Callable[[int], int], looks: int
) -> Iterator[tuple[int, int | None]]:
    """The least costs at single times with those times, increasing: `tick` a time and what `rest` says goes with it.

    `rest` must not rise with time. Best first: of ranges of times the one of the least bound is halved, until it is a
    single time. After about so many looks at `rest` the last item is a bound for all times that are left, and None.
    """
    rests: dict[int, int] = {}

    def rest_at(at: int) -> int:
        if at not in rests:
            rests[at] = rest(times[at])
        return rests[at]

    last = len(times) - 1
    waiting = [(times[0] * tick + rest_at(last), 0, last)]
    while waiting:
        cost, low, high = heapq.heappop(waiting)
        if low == high:
            yield cost, times[low]
            continue
        if len(rests) >= looks:
            yield cost, None
            return
        middle = (low + high) // 2
        for first, stop in ((low, middle), (middle + 1, high)):
            heapq.heappush(waiting, (times[first] * tick + rest_at(stop), first, stop))


def adapters_at(problem: Problem, menus: Catalogue, limit: int) -> int:
    """The entries of port tuples that differ over the nets whatever shapes within the limit are chosen."""
    offered = [
        [frozenset(np.unique(column).tolist()) for column in menu.within(limit).ports.T]
        for menu in menus.menus
    ]
    of = [offered[kind] for kind in menus.of_block]
    pairs = ((of[net.source], of[net.target]) for net in problem.nets)
    return sum(a.isdisjoint(b) for first, second in pairs for a, b in zip(first, second, strict=False))
