"""The slicing floorplan of the shortest slowest time, with the chain in order."""

from __future__ import annotations

from collections.abc import Sequence

from wsc.placement.candidates import Catalogue, least_limit
from wsc.placement.ground import pieces
from wsc.placement.problem import Problem
from wsc.placement.slicing import PackedPiece, Packing, affordable_reach, curves, fill


def fastest_packing(
    problem: Problem, menus: Catalogue, order: Sequence[int], bound: int, splits: int
) -> Packing | None:
    """The slicing floorplan in the order of the chain of the shortest slowest time; None where there is none."""
    made: dict[int, Packing | None] = {}

    def packing(limit: int) -> Packing | None:
        cores = menus.cores(limit)
        if cores is None or cores > problem.fabric.free:
            return None
        if limit not in made:
            made[limit] = _packed(problem, menus, order, limit, splits)
        return made[limit]

    slowest, low, high, step = menus.slowest(), bound, bound, max(1, bound // 50)
    while packing(high) is None:
        if high >= slowest:
            return None
        low, high, step = high + 1, min(slowest, high + step), 2 * step
    limit = least_limit(low, high, lambda it: packing(it) is not None)
    return None if limit is None else packing(limit)


def _packed(
    problem: Problem, menus: Catalogue, order: Sequence[int], limit: int, splits: int
) -> Packing | None:
    """The slicing floorplans of all pieces of the problem within the limit; None where one does not fit."""
    found = []
    for piece in pieces(problem, menus, order, limit) or ():
        reach = affordable_reach(len(piece.order), splits)
        shapes = curves(menus, problem.fabric, limit, reach, piece.order)
        filled = (fill(shapes, boxes) for boxes in piece.ways)
        strips = next((it for it in filled if it is not None), None)
        if strips is None:
            return None
        found.append(PackedPiece(piece.order, shapes, tuple(strips)))
    return Packing(limit, tuple(found)) if found else None
