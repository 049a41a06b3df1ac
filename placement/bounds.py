"""What no placement can beat, from areas, least sides and port tuples alone; it knows no search.

Time: the least at which the blocks' least areas add up to the free cores (candidates.py). Wire: two rectangles that
do not overlap are apart by half their widths one way or half their heights the other, so a net's centres are at
least half the sum of the two blocks' least sides apart. Adapters: an entry that no shapes of both ends have in
common differs.

All three only get better with more time, so that over a range of times the wire and adapters of its end go with the
time of its start.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wsc.placement.candidates import Catalogue
from wsc.placement.problem import Problem
from wsc.placement.scene import Prices

_PARTS = 48  # ranges of time looked at one by one, each a part of the time
_SHARE = 64


@dataclass(frozen=True, slots=True)
class Bounds:
    """Lower bounds: slowest time in ticks, wire in half hops at any time, and the cost by the problem's prices."""

    time: int
    half_hops: int
    cost: int


def bounds_of(problem: Problem, menus: Catalogue, prices: Prices, time: int, known: int) -> Bounds:
    """The bounds; `time` is the one on the slowest time and `known` the cost of some placement."""
    slowest = max(time, menus.slowest())
    least = half_hops_at(problem, menus, slowest)
    cost = known
    start = time
    for part in range(_PARTS):
        if start * prices.tick >= cost or start > slowest:
            break
        end = slowest if part == _PARTS - 1 else min(slowest, start + start // _SHARE)
        wire = half_hops_at(problem, menus, end) * prices.half_hop
        odd = adapters_at(problem, menus, end) * prices.adapter if prices.adapter else 0
        cost = min(cost, start * prices.tick + wire + odd)
        start = end + 1
    return Bounds(time, least, cost)


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
