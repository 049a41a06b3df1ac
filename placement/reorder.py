"""Other orders of the chain for a shorter slowest time: what the order of the data flow leaves a few lines too high.

Slicing floorplans keep their leaves in order, and which order packs best is chance: with blocks of few shapes a handful
of exchanges often lets a shorter time fit. Where time comes before wire that is worth a little wire. A random walk over
orders that never makes the floorplan at the next shorter time higher; equal arguments walk the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from wsc.placement.candidates import Catalogue
from wsc.placement.problem import MAX_SIDE, Fabric, Problem
from wsc.placement.regions import Box
from wsc.placement.slicing import PackedPiece, Packing, curves, fill

_STEPS = (-12, -6, -3, -2, -1, 1, 2, 3, 6, 12)  # how far a block moves in the order
_BEYOND = 16  # floorplans may be a sixteenth too high on the way
_LEAST = 32  # blocks: annealing and the exact model do well by shorter chains
_MOST = 200  # orders tried; more than that is not for problems where one takes no time


def reordered(problem: Problem, menus: Catalogue, packing: Packing, bound: int, work: int) -> Packing:
    """A packing of the whole fabric of a shorter slowest time, or the given one.

    `work` counts splits of runs: an order of n blocks has about n^3 / 6. Chains that it does not suffice for twice,
    and short ones, stay as they are.
    """
    order = packing.pieces[0].order
    blocks = len(order)
    each = max(1, (blocks**3 - blocks) // 6)
    tries = min(_MOST, work // each)
    times = [limit for limit in menus.times(bound, packing.limit - 1) if _affordable(problem, menus, limit)]
    if tries < 2 or blocks < _LEAST or not times:
        return packing
    rng = Random(0)
    least = _over(problem, menus, order, times[-1])
    for _ in range(tries):
        new = _moved(order, rng)
        over = _over(problem, menus, new, times[-1])
        if over > least:
            continue
        order, least = new, over
        while least <= 0:
            found = _packed(problem, menus, order, times.pop())
            packing = found or packing
            if not times:
                return packing
            least = _over(problem, menus, order, times[-1])
    return packing


def _affordable(problem: Problem, menus: Catalogue, limit: int) -> bool:
    """Whether the least areas within the limit leave any hope."""
    cores = menus.cores(limit)
    return cores is not None and cores <= problem.fabric.free


def _moved(order: Sequence[int], rng: Random) -> tuple[int, ...]:
    """An order in which one block has moved, or changed places with another."""
    new = list(order)
    one = rng.randrange(len(new))
    two = min(len(new) - 1, max(0, one + _STEPS[rng.randrange(len(_STEPS))]))
    if rng.randrange(2):
        new.insert(two, new.pop(one))
    else:
        new[one], new[two] = new[two], new[one]
    return tuple(new)


def _over(problem: Problem, menus: Catalogue, order: Sequence[int], limit: int) -> int:
    """By how many rows the lowest floorplan in this order is too high; 0 or less where it fits."""
    fabric = problem.fabric
    room = Fabric(fabric.width, min(MAX_SIDE, fabric.height + fabric.height // _BEYOND))
    shapes = curves(menus, room, limit, len(order), order)
    return shapes.height(0, len(order), fabric.width) - fabric.height


def _packed(problem: Problem, menus: Catalogue, order: tuple[int, ...], limit: int) -> Packing | None:
    whole = Box(0, 0, problem.fabric.width, problem.fabric.height)
    shapes = curves(menus, problem.fabric, limit, len(order), order)
    strips = fill(shapes, (whole,))
    return None if strips is None else Packing(limit, (PackedPiece(order, shapes, tuple(strips)),))
