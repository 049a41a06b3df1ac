"""Which blocks may use which free boxes of the fabric: pins, groups with boxes of their own, and everyone else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wsc.compiler.errors import PlacementError
from wsc.placement.candidates import Catalogue
from wsc.placement.problem import Fabric, Group, Problem
from wsc.placement.regions import Box, around, partitions


@dataclass(frozen=True, slots=True)
class Piece:
    """Blocks in the order of the data flow, and the ways to cut what they may use into free boxes."""

    order: tuple[int, ...]
    ways: tuple[tuple[Box, ...], ...]


def pieces(problem: Problem, menus: Catalogue, order: Sequence[int], limit: int) -> list[Piece] | None:
    """The problem in pieces that share no core; None where a pinned block has no place for a shape within the limit.

    A pinned block is a piece of its own, in the least box that holds one of its shapes at its corner.
    """
    whole = Box(0, 0, problem.fabric.width, problem.fabric.height)
    taken = _pinned(problem, menus, limit)
    if taken is None:
        return None
    found = [Piece((block,), ((box,),)) for block, box in taken.items()]
    grouped = {block for group in problem.groups for block in group.blocks}
    boxed = boxed_groups(problem)
    for group, box in boxed:
        members = tuple(block for block in order if block in group.blocks and block not in taken)
        if members:
            found.append(Piece(members, _free(problem, box, list(taken.values()))))
    rest = tuple(block for block in order if block not in grouped and block not in taken)
    if rest:
        obstacles = [*taken.values(), *(box for _, box in boxed)]
        found.append(Piece(rest, _free(problem, whole, obstacles)))
    return found


def boxed_groups(problem: Problem) -> list[tuple[Group, Box]]:
    """The groups that have a box, with it."""
    return [(group, Box(*group.box)) for group in problem.groups if group.box is not None]


def check_ground(problem: Problem, menus: Catalogue) -> None:
    """Raises PlacementError for groups whose boxes overlap or leave the fabric, and pins that leave no place."""
    boxes = [(group.name, box) for group, box in boxed_groups(problem)]
    for at, (name, box) in enumerate(boxes):
        if box.x + box.width > problem.fabric.width or box.y + box.height > problem.fabric.height:
            raise PlacementError(f"The box of group {name!r} reaches outside the fabric.")
        for other, second in boxes[:at]:
            if box.meets(second):
                raise PlacementError(f"The boxes of groups {other!r} and {name!r} overlap.")
    if _pinned(problem, menus, menus.slowest()) is None:
        names = ", ".join(repr(block.name) for block in problem.blocks if block.pin is not None)
        raise PlacementError(
            f"The pinned blocks {names} have no shapes that lie on the fabric at their corners without overlapping "
            "one another, a blocked core or the box of a group that is not theirs."
        )


def _pinned(problem: Problem, menus: Catalogue, limit: int) -> dict[int, Box] | None:
    """The boxes of the pinned blocks, each of the fewest cores that is free when its turn comes."""
    taken: dict[int, Box] = {}
    boxed = boxed_groups(problem)
    homes = {block: box for group, box in boxed for block in group.blocks}
    for index, block in enumerate(problem.blocks):
        if block.pin is None:
            continue
        table = menus.menu(index).within(limit)
        sides = np.unique(np.column_stack([table.width * table.height, table.width, table.height]), axis=0)
        home = homes.get(index, Box(0, 0, problem.fabric.width, problem.fabric.height))
        others = [box for group, box in boxed if index not in group.blocks]
        options = (Box(*block.pin, int(width), int(height)) for _, width, height in sides)
        free = (
            box
            for box in options
            if home.holds(box)
            and not any(box.meets(other) for other in (*taken.values(), *others))
            and not any(box.covers(cell) for cell in problem.fabric.blocked)
        )
        found = next(free, None)
        if found is None:
            return None
        taken[index] = found
    return taken


def _free(problem: Problem, area: Box, obstacles: list[Box]) -> tuple[tuple[Box, ...], ...]:
    """The ways to cut an area without its obstacles and blocked cells into boxes."""
    boxes = around(area, obstacles)
    if boxes == [Box(0, 0, problem.fabric.width, problem.fabric.height)]:
        return tuple(partitions(problem.fabric))
    found: list[Box] = []
    for box in boxes:
        cells = tuple((x - box.x, y - box.y) for x, y in problem.fabric.blocked if box.covers((x, y)))
        inner = partitions(Fabric(box.width, box.height, cells))[0]
        found += [Box(box.x + it.x, box.y + it.y, it.width, it.height) for it in inner]
    return (tuple(sorted(found, key=lambda box: (-box.cores, box.x, box.y))),)
