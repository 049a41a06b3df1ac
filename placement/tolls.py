"""The best prices on what the blocks of a chain use, for the bound of turns.py: dynamic programming, and ellipsoids.

A bound is concave in the prices and any prices give one. They are sought by the ellipsoid method with deep cuts (Bland,
Goldfarb and Todd, Operations Research 29, 1981); the bound itself is computed in whole numbers, from prices that are
multiples of 2^-20. Wherever the search ends, what it has found is a bound.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wsc.placement.jit import jit
from wsc.placement.problem import Ints
from wsc.placement.sides import Sides

Floats = NDArray[np.float64]

ONE = 1 << 20
MIXED, ALL_X, ALL_Y = range(3)  # kinds of nets that a range speaks of
_NEVER = 1 << 60
_STEPS, _FINE = 800, 0.25  # of the search; it ends where no more than so many half hops can be gained
_DEAREST = 64.0  # price, in units in which they are about 1
_PRICES = 6
_X_WIRE, _Y_WIRE, _CORES, _TALL, _WIDE, _PLANE = range(_PRICES)  # what has a price


class Chain(NamedTuple):
    """Blocks of the same kind with nets of the same weights share a role (kind, weight before, weight after)."""

    roles: Ints
    of: Ints  # the role of each block of the chain


class Room(NamedTuple):
    """Sides of the fabric, its free cores, and how long a pile along x and one along y are, in half hops."""

    width: int
    height: int
    free: int
    pile_x: int
    pile_y: int


@jit
def least_of_ranges(sides: Sides, chain: Chain, ranges: Ints, room: Room) -> int:
    """The least over the ranges of t and u (see turns.py) of the best bound found in each, in half hops."""
    least = 4 * _NEVER
    for at in range(len(ranges)):
        least = min(least, _climb(sides, chain, ranges[at], room, least))
    return -(-least // ONE)


@jit
def _climb(sides: Sides, chain: Chain, of: Ints, room: Room, enough: int) -> int:
    """The best bound in a range over the prices looked at, in parts of a half hop, or one that is `enough`."""
    units = np.array([1.0, 1.0, 1.0 / room.width, 1.0, 1.0, 1.0 / room.width])
    centre = np.array([0.5, 0.5, 4.0, 0.0, 0.0, 2.0])
    reach = np.array([0.5, 0.5, 16.0, 8.0, 8.0, 8.0])
    shape = np.diag(_PRICES * reach * reach)
    whole, used, slope = np.zeros(_PRICES, np.int64), np.zeros(_PRICES, np.int64), np.zeros(_PRICES)
    best = -4 * _NEVER
    for _ in range(_STEPS):
        short, fine = 0.0, 0.0
        if not _outside(centre, slope):
            for at in range(_PRICES):
                whole[at] = int(centre[at] * units[at] * ONE)
            value = _cheapest(sides, chain, of, room, whole, used) + _given(of, room, whole)
            _fill_slope(of, room, whole, used, slope)
            slope *= units
            best = max(best, value)
            short, fine = (best - value) / ONE, _FINE
        if best >= enough or not _cut(centre, shape, slope, short, fine):
            break
    return best


@jit
def _outside(centre: Floats, slope: Floats) -> bool:
    """Whether some price is none that may be asked; `slope` then leads back."""
    slope[:] = 0.0
    for at in range(_PRICES):
        least = -_DEAREST if at in (_TALL, _WIDE) else 0.0
        most = 1.0 if at in (_X_WIRE, _Y_WIRE) else _DEAREST
        if not least <= centre[at] <= most:
            slope[at] = 1.0 if centre[at] < least else -1.0
            return True
    return False


@jit
def _cut(centre: Floats, shape: Floats, slope: Floats, short: float, fine: float) -> bool:
    """Shrinks the ellipsoid to where more than the best is still possible; False where no more than `fine` is."""
    size = len(centre)
    ahead = np.zeros(size)
    reach = 0.0
    for row in range(size):
        for column in range(size):
            ahead[row] += shape[row, column] * slope[column]
        reach += ahead[row] * slope[row]
    reach = np.sqrt(max(reach, 0.0))
    if reach <= fine or short >= reach:
        return False
    deep = short / reach
    step = (1.0 + size * deep) / (size + 1.0)
    scale = size * size / (size * size - 1.0) * (1.0 - deep * deep)
    shrink = 2.0 * step / (1.0 + deep)
    for row in range(size):
        centre[row] += step * ahead[row] / reach
        for column in range(size):
            fall = shrink * ahead[row] * ahead[column] / (reach * reach)
            shape[row, column] = scale * (shape[row, column] - fall)
    return True


@jit
def _given(of: Ints, room: Room, whole: Ints) -> int:
    """What the bound has at these prices beside what the blocks choose: of a range the end that is the lower."""
    tall, wide = whole[_TALL], whole[_WIDE]
    value: int = -whole[_CORES] * room.free - whole[_PLANE] * of[6]
    value -= tall * (of[1] if tall > 0 else of[0]) + wide * (of[3] if wide > 0 else of[2])
    value += (ONE - whole[_X_WIRE]) * room.pile_x + (ONE - whole[_Y_WIRE]) * room.pile_y
    return value


@jit
def _fill_slope(of: Ints, room: Room, whole: Ints, used: Ints, slope: Floats) -> None:
    """Fills in by how much the bound changes with each price."""
    slope[_X_WIRE] = used[_X_WIRE] - room.pile_x
    slope[_Y_WIRE] = used[_Y_WIRE] - room.pile_y
    slope[_CORES] = used[_CORES] - room.free
    slope[_TALL] = used[_TALL] - (of[1] if whole[_TALL] > 0 else of[0])
    slope[_WIDE] = used[_WIDE] - (of[3] if whole[_WIDE] > 0 else of[2])
    slope[_PLANE] = used[_PLANE] - of[6]


@jit
def _cheapest(sides: Sides, chain: Chain, of: Ints, room: Room, whole: Ints, used: Ints) -> int:
    """The least cost at these prices over all shapes and kinds of nets; `used` is what it takes of each thing."""
    costs, picks = _costs(sides, chain, of, room, whole)
    # sums of the blocks before, by the kind of the net to the next (1: y), and 2 more where both kinds were there
    last = len(chain.of) - 1
    sums = np.full((last + 1, 4), _NEVER)
    back = np.zeros((last + 1, 4), np.int64)
    sums[0, :2] = costs[chain.of[0], :2]
    for at in range(1, last):
        for state in range(4):
            for after in range(2):
                to = after + (2 if state >= 2 or after != state else 0)
                total = sums[at - 1, state] + costs[chain.of[at], 2 * (state & 1) + after]
                if total < sums[at, to]:
                    sums[at, to], back[at, to] = total, state
    first, beyond = ((2, 4), (0, 1), (1, 2))[of[7]]
    state, least = first, 2 * _NEVER
    for end in range(first, beyond):
        total = sums[last - 1, end] + costs[chain.of[last], 2 * (end & 1)]
        if total < least:
            state, least = end, total
    used[:] = 0
    after = 0
    for at in range(last, -1, -1):
        before = state & 1 if at else 0
        role = chain.of[at]
        _use(sides, picks[role, 2 * before + after], chain.roles[role], before, after, of, room, used)
        if at:
            after, state = before, back[at - 1, state]
    return least


@jit
def _costs(sides: Sides, chain: Chain, of: Ints, room: Room, whole: Ints) -> tuple[Ints, Ints]:
    """For each role, and the kinds of the nets before and after (2 y + y'), the least cost and the shape it has."""
    costs = np.full((len(chain.roles), 4), _NEVER)
    picks = np.zeros((len(chain.roles), 4), np.int64)
    for role in range(len(chain.roles)):
        kind, before, after = chain.roles[role]
        for row in range(sides.start[kind], sides.start[kind + 1]):
            w, h = sides.width[row], sides.height[row]
            own = whole[_CORES] * w * h
            if 2 * h > room.height:
                own += (whole[_TALL] - whole[_PLANE] * of[4]) * w
            if 2 * w > room.width:
                own += (whole[_WIDE] - whole[_PLANE] * of[5]) * h
            if 2 * h > room.height or 2 * w > room.width:
                own += whole[_PLANE] * w * h
            x, y = whole[_X_WIRE] * w, whole[_Y_WIRE] * h
            for way in range(4):
                cost = own + before * (y if way & 2 else x) + after * (y if way & 1 else x)
                if cost < costs[role, way]:
                    costs[role, way], picks[role, way] = cost, row
    return costs, picks


@jit
def _use(
    sides: Sides, row: int, role: Ints, before: int, after: int, of: Ints, room: Room, used: Ints
) -> None:
    """Adds what a block takes of each thing that has a price."""
    w, h = sides.width[row], sides.height[row]
    used[_Y_WIRE] += (role[1] * before + role[2] * after) * h
    used[_X_WIRE] += (role[1] * (1 - before) + role[2] * (1 - after)) * w
    used[_CORES] += w * h
    if 2 * h > room.height:
        used[_TALL] += w
        used[_PLANE] -= of[4] * w
    if 2 * w > room.width:
        used[_WIDE] += h
        used[_PLANE] -= of[5] * h
    if 2 * h > room.height or 2 * w > room.width:
        used[_PLANE] += w * h
