"""How short the wire of a chain can be that does not lie in one row, where its blocks have to be piled up.

For each block take the least rectangle of its menu within its own at the same corner; a block has width w and height
h of that, and the fabric is W x H. Rectangles that do not overlap are apart in x or in y. A net whose ends are apart
in x is an x net (its part along x is at least half of both widths), any other a y net (along y at least half of both
heights). X and Y are what all nets measure along x and along y, so that X >= the halves of widths at x nets and
Y >= the halves of heights at y nets. Besides:

1. *Piles.* Let l be a block's least width and L the sum of these. The widths w of all blocks lie within W, so that
   over x the sum of l / w over the blocks there is L / W on average, and for some x it is no less. If L > W, two or
   more blocks lie there, one above the other, and as the chain joins the lowest and the highest, Y is at least their
   heights but for half of those two: the least of that over all sets of blocks and shapes that reach L / W (piles.py)
   is the pile. In any case two blocks of what is no row along x are not apart in x, and half their heights is a pile.
   The same goes for X, with widths and heights exchanged.
2. *Tall and wide.* Call a block tall if h > H / 2, and wide if w > W / 2; t is the sum of the widths of the tall and u
   that of the heights of the wide ones. Any two tall blocks are apart in x, so that t <= W; so u <= H. A tall block a
   and a wide block b other than a are apart in one of both ways. The wide ones that are apart from a in y are so
   from one another, so that their heights are at most H - h(a); the tall ones apart in x from b have widths of at
   most W - w(b). Adding w(a) h(b) up over all pairs: t u - (the cores of blocks that are both) <=
   t H - (cores of the tall) + u W - (cores of the wide), that is, the cores of all that are tall or wide are at most
   t H + u W - t u. (All blocks tall is a row; a chain of tall blocks cannot go on in wide ones for nothing.)
3. *Cores.* The blocks have no more cores than are free.

t u is no convex function: the pairs (t, u) are covered by ranges in each of which a plane p t + q u + r is above
t H + u W - t u. In a range all that is said is linear in what the blocks choose, and any prices of at least 0 on its
inequalities give a bound (Lagrange): the least over shapes and kinds of nets, by dynamic programming along the chain,
of what is left (tolls.py).
"""

from __future__ import annotations

import itertools

import numpy as np

from wsc.placement.candidates import Catalogue
from wsc.placement.piles import pile
from wsc.placement.problem import Ints, Problem
from wsc.placement.sides import Sides, sides_of, turned
from wsc.placement.spread import Spread
from wsc.placement.tolls import ALL_X, ALL_Y, MIXED, Chain, Room, least_of_ranges

_PARTS = 24  # ranges of the heights of wide blocks, up to half of the fabric
_MOST_CORES, _MOST_BLOCKS = 1 << 24, 1 << 10  # all sums stay within 64 bits


class Turns:
    """Bounds by limit on time, for the chain of two nets or more that a spread has found."""

    def __init__(self, problem: Problem, menus: Catalogue, spread: Spread) -> None:
        path, after = spread.path, spread.weights()
        self._fabric, self._menus, self._lightest = problem.fabric, menus, min(after)
        kinds = [menus.of_block[block] for block in path]
        roles = list(zip(kinds, [0, *after], [*after, 0], strict=True))
        index = {role: at for at, role in enumerate(sorted(set(roles)))}
        self._chain = Chain(
            np.array(list(index), np.int64), np.array([index[role] for role in roles], np.int64)
        )
        self._counts = np.bincount(kinds, minlength=len(menus.menus))
        square = problem.fabric.width == problem.fabric.height
        self._ranges = ranges_of(problem.fabric.width, problem.fabric.height, square and _all_turn(menus))
        self._found: dict[bytes, int] = {}
        cores = problem.fabric.width * problem.fabric.height
        weights = 2 * max(after)
        self._sums_fit = cores <= _MOST_CORES and len(path) * weights <= _MOST_BLOCKS

    def no_row(self, limit: int) -> bool:
        """Whether the blocks are too long for a row within the limit, along x and along y."""
        sides = sides_of(self._menus, limit)
        if sides is None:
            return True
        width, height = (
            self._counts @ np.minimum.reduceat(it, sides.start[:-1]) for it in (sides.width, sides.height)
        )
        return bool(width > self._fabric.width and height > self._fabric.height)

    def half_hops(self, limit: int) -> int:
        """Twice the least wire of what is no row within the limit; 0 where sums would not stay within 64 bits."""
        if not self._sums_fit:
            return 0
        sides = sides_of(self._menus, limit)
        if sides is None:
            return 0
        key = b"".join(column.tobytes() for column in sides)
        if key not in self._found:
            self._found[key] = self._least(sides)
        return self._found[key]

    def _least(self, sides: Sides) -> int:
        fabric = self._fabric
        piles = (
            self._lightest * pile(turned(sides), self._counts, fabric.height, fabric.width),
            self._lightest * pile(sides, self._counts, fabric.width, fabric.height),
        )
        room = Room(fabric.width, fabric.height, fabric.free, *piles)
        return max(0, int(least_of_ranges(sides, self._chain, self._ranges, room)))


def _all_turn(menus: Catalogue) -> bool:
    return all(menu.source.turns() for menu in menus.menus)


def ranges_of(width: int, height: int, alike: bool) -> Ints:
    """Ranges of t and u that cover all there are, as rows (least t, most t, least u, most u, p, q, r, kinds of nets).

    The plane p t + q u + r is no less than t H + u W - t u there. Where x and y are `alike` the layouts with u <= t
    are enough, as any other is one of them with x and y exchanged.
    """
    ranges = [
        (0, width, low, high, height - high, 0, high * width, MIXED) for low, high in _ranges(height // 2)
    ]
    if not alike:
        for low, high in _ranges(width // 2):
            ranges.append((low, high, 0, height, 0, width - high, high * height, MIXED))
    # both above the half: (t - t0) (u - u0) >= 0
    t, u = width // 2, height // 2
    ranges.append((t, width, u, height, height - u, width - t, t * u, MIXED))
    everything = (0, width, 0, height, 0, 0, width * height)
    return np.array([*ranges, (*everything, ALL_X), (*everything, ALL_Y)], np.int64)


def _ranges(last: int) -> list[tuple[int, int]]:
    """0, and the numbers from 1 to the last in about equal parts."""
    ends = sorted({last * part // _PARTS for part in range(_PARTS + 1)})
    return [(0, 0), *((low + 1, high) for low, high in itertools.pairwise(ends))]
