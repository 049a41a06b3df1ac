"""How high blocks have to be piled up that are together too long to lie side by side: see turns.py."""

from __future__ import annotations

import numpy as np

from wsc.placement.jit import jit
from wsc.placement.problem import Ints
from wsc.placement.sides import Sides

_SHARE = 1 << 30  # shares of a pile are multiples of its inverse


@jit
def pile(sides: Sides, counts: Ints, along: int, across: int) -> int:
    """The least height of a pile in half cells, of which its lowest and its highest block count half.

    `counts` are the blocks of each kind. Where the sum of their least widths leaves room for a row in `along` it is
    that of the two least heights. More than two blocks of a kind count as any number: that only makes piles lower.
    """
    total = np.int64(0)
    for kind in range(len(counts)):
        total += counts[kind] * sides.width[sides.start[kind] : sides.start[kind + 1]].min()
    lowest = _two_lowest(sides, counts, 2 * across)
    if total <= along:
        return lowest
    best = np.full(
        (3, 2 * across + 1), -1, np.int64
    )  # the most that piles of a height with 0 to 2 ends reach
    best[0, 0] = 0
    for kind in range(len(counts)):
        many = counts[kind] > 2
        for _ in range(1 if many else counts[kind]):
            new = best if many else best.copy()  # in place a pile may have any number
            _with_one_more(sides, kind, best, new)
            best = new
    need = total * _SHARE // along
    for high in range(2 * across + 1):
        if best[:, high].max() >= need:
            return max(high, lowest)
    return 2 * across + 1


@jit
def _two_lowest(sides: Sides, counts: Ints, most: int) -> int:
    """The sum of the two least heights there are."""
    first, second = most, most
    for kind in range(len(counts)):
        low = sides.height[sides.start[kind] : sides.start[kind + 1]].min()
        for _ in range(min(2, counts[kind])):
            if low < first:
                first, second = low, first
            elif low < second:
                second = low
    return first + second


@jit
def _with_one_more(sides: Sides, kind: int, best: Ints, new: Ints) -> None:
    """Raises `new` by a block of a kind, on piles of `best`, with what it is of its least width (rounded up)."""
    least = sides.width[sides.start[kind] : sides.start[kind + 1]].min()
    for row in range(sides.start[kind], sides.start[kind + 1]):
        share = -(-least * _SHARE // sides.width[row])
        _piled(best, new, sides.height[row], share)


@jit
def _piled(best: Ints, new: Ints, high: int, share: int) -> None:
    """Raises `new` by one block more, on piles of `best`, as an end of the pile or between."""
    for cost in range(best.shape[1] - high):
        for ends in range(3):
            reached = best[ends, cost]
            if reached < 0:
                continue
            if ends < 2 and reached + share > new[ends + 1, cost + high]:
                new[ends + 1, cost + high] = reached + share
            if cost + 2 * high < best.shape[1] and reached + share > new[ends, cost + 2 * high]:
                new[ends, cost + 2 * high] = reached + share
