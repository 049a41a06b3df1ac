"""How short wire can be where the blocks nearly fill the fabric: nets and cycles of nets, with a price on cores.

A block whose least side is short is long, and often takes more cores than another shape of it. With any price p >= 0
on a core, what all placements have in common is: wire >= the least over all shapes of (wire + p cores) - p (free
cores), since no more than the free cores are taken. Wire is bounded as in spread.py, from sides alone: a block at d
nets that are in no cycle takes d times its lesser side s in half hops, and one in a cycle of weight g besides

- 4 g s if the rectangles of the cycle lie in a row, but 2 g s for the first and the last of it;
- else 2 g (w + h) for some block, 2 g s for two others and nothing for the rest; but never less than 2 g s for all.

The shapes are chosen block by block, at what a block takes in all; where cycles share a block its cores and other nets
count in the first of them alone. Any price gives a bound; a few are tried, and then some about the best.
"""

from __future__ import annotations

import numpy as np

from wsc.placement.candidates import Catalogue
from wsc.placement.jit import jit
from wsc.placement.problem import Ints, Problem
from wsc.placement.sides import Sides, sides_of
from wsc.placement.spread import Spread

_ONE = 1 << 20  # prices are multiples of its inverse
_NEVER = 1 << 60
_POWERS, _LOWEST, _FINER = (
    13,
    3,
    7,
)  # prices are tried from an eighth over a side of the fabric, doubled, then finer
_MOST_CORES, _MOST_WEIGHT = 1 << 24, 1 << 12  # all sums stay within 64 bits


class Crowding:
    """Bounds on the wire of all placements by limit on time."""

    def __init__(self, problem: Problem, menus: Catalogue) -> None:
        spread = Spread.of(problem)
        self._fabric, self._menus = problem.fabric, menus
        count = len(problem.blocks)
        degrees = [0] * count
        for net in spread.nets:
            degrees[net.source] += net.weight
            degrees[net.target] += net.weight
        rows, taken = (
            list[tuple[int, int, int, int]](),
            set[int](),
        )  # kind, nets, whether it is priced, cycle's weight
        ends = [0]
        for cycle in spread.cycles:
            for block in cycle.blocks:
                first = block not in taken
                rows.append((menus.of_block[block], degrees[block] if first else 0, int(first), cycle.weight))
            taken.update(cycle.blocks)
            ends.append(len(rows))
        self._in_cycles, self._ends = np.array(rows, np.int64).reshape(-1, 4), np.array(ends, np.int64)
        alone = {(menus.of_block[block], degrees[block]): 0 for block in range(count) if block not in taken}
        for block in range(count):
            if block not in taken:
                alone[menus.of_block[block], degrees[block]] += 1
        self._alone = np.array([(*key, many) for key, many in sorted(alone.items())], np.int64).reshape(-1, 3)
        cores = problem.fabric.width * problem.fabric.height
        weight = 4 * sum(net.weight for net in problem.nets) + count
        self._sums_fit = cores <= _MOST_CORES and weight <= _MOST_WEIGHT

    def half_hops(self, limit: int) -> int:
        """Twice the least wire with all blocks within the limit; 0 where sums would not stay within 64 bits."""
        sides = sides_of(self._menus, limit) if self._sums_fit else None
        if sides is None:
            return 0
        tried: dict[int, int] = {}

        def at(price: int) -> int:
            if price not in tried:
                left = int(_at_price(sides, self._in_cycles, self._ends, self._alone, price))
                tried[price] = left - price * self._fabric.free
            return tried[price]

        side = max(self._fabric.width, self._fabric.height)
        best = max((0, *(min(_ONE, (_ONE << it) // side >> _LOWEST) for it in range(_POWERS))), key=at)
        step = best // 4
        for _ in range(_FINER):
            best = max((best, best - step, min(_ONE, best + step)), key=at)
            step //= 2
        return -(-at(best) // _ONE)


@jit
def _at_price(sides: Sides, in_cycles: Ints, ends: Ints, alone: Ints, price: int) -> int:
    """The least wire and price of cores, in parts of a half hop."""
    total = 0
    for row in range(len(alone)):
        kind, nets, many = alone[row]
        total += many * _cheapest(sides, kind, nets, 0, price)
    for cycle in range(len(ends) - 1):
        total += _around(sides, in_cycles[ends[cycle] : ends[cycle + 1]], price)
    return total


@jit
def _around(sides: Sides, rows: Ints, price: int) -> int:
    """The least of the blocks of one cycle."""
    size = len(rows)
    none, half = np.zeros(size, np.int64), np.zeros(size, np.int64)
    full, both = np.zeros(size, np.int64), np.zeros(size, np.int64)
    for at in range(size):
        kind, nets, first, weight = rows[at]
        own = price if first else 0
        none[at] = _cheapest(sides, kind, nets, 0, own)
        half[at] = _cheapest(sides, kind, nets + 2 * weight, 0, own)
        full[at] = _cheapest(sides, kind, nets + 4 * weight, 0, own)
        both[at] = _cheapest(sides, kind, nets, 2 * weight, own)
    saved = np.sort(full - half)
    row = full.sum() - saved[-1] - saved[-2]
    least = _NEVER
    for corner in range(size):
        more = half - none
        more[corner] = _NEVER
        more.sort()
        least = min(least, none.sum() - none[corner] + both[corner] + more[0] + more[1])
    found: int = max(half.sum(), min(row, least))
    return found


@jit
def _cheapest(sides: Sides, kind: int, lesser: int, both: int, price: int) -> int:
    """The least over the shapes of a kind of `lesser` lesser sides, `both` times both, and its cores."""
    least = _NEVER
    for row in range(sides.start[kind], sides.start[kind + 1]):
        w, h = sides.width[row], sides.height[row]
        least = min(least, (lesser * min(w, h) + both * (w + h)) * _ONE + price * w * h)
    return least
