"""Boxes for groups that are kept together anywhere: each is placed as one block with the shapes of its floorplans.

A group's shapes are those of the slicing floorplans with its blocks in the order of the data flow, at limits on the
slowest time from the bound upwards. Where these and the other blocks come to lie become boxes; within them the search
goes on as it does in boxes that were given, so that no block ever enters a rectangle that is not its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from wsc.compiler.errors import DoesNotFit
from wsc.placement.candidates import Catalogue
from wsc.placement.problem import Block, Fabric, Group, Ints, Net, Problem, Shape
from wsc.placement.result import Placement
from wsc.placement.slicing import Curves, affordable_reach, curves
from wsc.placement.tree import NONE

_FINE, _STEP = 16, 24  # so many limits a twenty-fourth apart, then each twice the one before


@dataclass(frozen=True)
class Ground:
    """The problem with a box for every group, and with one for every other block as well."""

    groups: Problem
    all: Problem
    interrupted: bool


def is_open(problem: Problem) -> bool:
    """Whether some group has no box yet."""
    return any(group.box is None for group in problem.groups)


def settle(
    problem: Problem,
    menus: Catalogue,
    order: Sequence[int],
    bound: int,
    splits: int,
    place: Callable[[Problem], Placement],
) -> Ground:
    """Boxes for the groups that have none, as `place` puts them as blocks; raises DoesNotFit where they do not fit."""
    outer, homes = _outer(problem, menus, order, bound, splits)
    try:
        placement = place(outer)
    except DoesNotFit as error:
        raise DoesNotFit(f"With its groups kept together the problem does not fit. {error}") from error
    found = [(at.x, at.y, at.width, at.height) for at in placement.placed]
    groups = tuple(
        group if group.box is not None else replace(group, box=found[homes[group.blocks[0]]])
        for group in problem.groups
    )
    grouped = {block for group in problem.groups for block in group.blocks}
    names = {group.name for group in problem.groups}
    alone = tuple(
        Group(_unused(block.name, names), (index,), found[homes[index]])
        for index, block in enumerate(problem.blocks)
        if index not in grouped
    )
    real = replace(problem, groups=groups)
    return Ground(real, replace(problem, groups=groups + alone), placement.interrupted)


def _outer(
    problem: Problem, menus: Catalogue, order: Sequence[int], bound: int, splits: int
) -> tuple[Problem, list[int]]:
    """The problem with each group that has no box as one block, and which of its blocks each block belongs to."""
    limits = list(_limits(bound, menus.slowest()))
    made: dict[tuple[int, ...], tuple[Shape, ...]] = {}
    blocks: list[Block] = []
    names = {block.name for block in problem.blocks}
    homes = [-1] * len(problem.blocks)
    open_groups = [group for group in problem.groups if group.box is None]
    of_block = {index: group for group in open_groups for index in group.blocks}
    for index in order:
        group = of_block.get(index)
        if homes[index] >= 0:
            continue
        for member in group.blocks if group else (index,):
            homes[member] = len(blocks)
        if group is None:
            blocks.append(problem.blocks[index])
            continue
        members = [block for block in order if block in group.blocks]
        kinds = tuple(menus.of_block[block] for block in members)
        if kinds not in made:
            made[kinds] = _shapes(problem.fabric, menus, members, limits, splits, group.name)
        blocks.append(Block(_unused(group.name, names), made[kinds]))
    weights = problem.weights and replace(problem.weights, adapter=problem.weights.adapter * 0)
    kept = tuple(
        replace(group, blocks=tuple(homes[block] for block in group.blocks))
        for group in problem.groups
        if group.box is not None
    )
    nets = tuple(_between(problem.nets, homes))
    return replace(problem, blocks=tuple(blocks), nets=nets, weights=weights, groups=kept), homes


def _unused(name: str, taken: set[str]) -> str:
    """The name, with primes until it is not taken; it is then."""
    while name in taken:
        name += "'"
    taken.add(name)
    return name


def _between(nets: Sequence[Net], homes: Sequence[int]) -> Iterator[Net]:
    """The nets between different homes, those of the same ends as one."""
    weights: dict[tuple[int, int], int] = {}
    for net in nets:
        ends = (homes[net.source], homes[net.target])
        if ends[0] != ends[1]:
            weights[ends] = weights.get(ends, 0) + net.weight
    return (Net(*ends, weight) for ends, weight in weights.items())


def _limits(bound: int, slowest: int) -> Iterator[int]:
    """Limits on the slowest time worth offering, from the least there can be to the longest."""
    limit, count = bound, 0
    while limit < slowest:
        yield limit
        count += 1
        limit += max(1, limit // _STEP if count < _FINE else limit)
    yield slowest


def _shapes(
    fabric: Fabric, menus: Catalogue, members: Sequence[int], limits: Sequence[int], splits: int, name: str
) -> tuple[Shape, ...]:
    """The least rectangles of a group at each limit; raises DoesNotFit where none is as small as the fabric."""
    reach = affordable_reach(len(members), splits)
    found: list[Shape] = []
    for limit in limits:
        if any(menus.menu(block).cores(limit) is None for block in members):
            continue
        heights = _heights(curves(menus, fabric, limit, reach, members))
        widths = np.flatnonzero((heights[1:] < heights[:-1]) & (heights[1:] <= fabric.height)) + 1
        found += [Shape(int(width), int(heights[width]), limit) for width in widths]
    if not found:
        raise DoesNotFit(
            f"No rectangle on the fabric of {fabric.width} x {fabric.height} was found that holds the "
            f"{len(members)} blocks of group {name!r}. A smaller group, or a larger fabric, would help."
        )
    return tuple(found)


def _heights(shapes: Curves) -> Ints:
    """The least height by width of all blocks, in rows or in columns of runs no longer than the curves reach."""
    rows = _stacked([curve.astype(np.int64) for curve in shapes.heights])
    columns = _stacked([curve.astype(np.int64) for curve in shapes.widths])
    # columns[h] falls with h: the least h whose columns are within a width
    beside = np.searchsorted(-columns, -np.arange(len(rows)), side="left")
    return np.minimum(rows, np.where(beside < len(columns), beside, NONE))


def _stacked(least: Sequence[Ints]) -> Ints:
    """By side the least total thickness of runs that make up the whole chain; `least[n - 1][i]` is that of a run."""
    total: list[Ints] = [np.zeros(least[0].shape[1], np.int64)]
    for stop in range(1, len(least[0]) + 1):
        runs = range(1, min(stop, len(least)) + 1)
        total.append(np.minimum.reduce([total[stop - n] + least[n - 1][stop - n] for n in runs]))
    return np.minimum(total[-1], NONE)
