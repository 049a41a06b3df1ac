"""Turns a problem, limits on time and regions into the arrays that the compiled search reads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from wsc.placement.candidates import Catalogue, Menu
from wsc.placement.problem import Problem
from wsc.placement.regions import Box
from wsc.placement.tree import NONE, STACK, Int16s, Int32s, Int64s, Scene, invert

_MARGIN = 8  # a state may stick out by an eighth of the fabric


@dataclass(frozen=True)
class Prices:
    """What a tick of the slowest time, half a hop of a net of weight 1, and an adapter cost, in a common whole unit.

    `unit` of them are 1 in the problem's weights.
    """

    tick: int
    half_hop: int
    adapter: int
    unit: int

    @classmethod
    def of(cls, problem: Problem) -> Prices:
        """The prices by the problem's weights; without weights any tick is dearer than all the wire there can be."""
        if problem.weights is None:
            reach = 2 * (problem.fabric.width + problem.fabric.height)
            return cls(1 + reach * sum(net.weight for net in problem.nets), 1, 0, 2)
        weights = problem.weights
        each = (weights.time / problem.ticks_per_cycle, weights.wire / 2, weights.adapter)
        unit = math.lcm(*(Fraction(price).denominator for price in each))
        tick, half_hop, adapter = (int(price * unit) for price in each)
        return cls(tick, half_hop, adapter, unit)


@dataclass(frozen=True)
class Stage:
    """A scene, the limits its levels stand for, and its port tuples by tag."""

    scene: Scene
    limits: tuple[int, ...]
    tuples: tuple[tuple[int, ...], ...]
    regions: tuple[Box, ...]


def stage_of(
    problem: Problem,
    menus: Catalogue,
    prices: Prices,
    limits: Sequence[int],
    regions: Sequence[Box],
    zones: Sequence[Sequence[int]],
) -> Stage:
    """The scene of a problem at these limits on the slowest time, in these regions of the fabric.

    `zones` are sets of blocks that share regions, in whose trees they may move.
    """
    zone = np.zeros(len(problem.blocks), np.int32)
    for index, members in enumerate(zones):
        zone[list(members)] = index
    side = max(problem.fabric.width, problem.fabric.height)
    side += max(2, side // _MARGIN) + 1
    tagged = prices.adapter > 0
    tuples = _tuples(menus, limits[-1]) if tagged else ()
    tags = _Tags.of(tuples)
    shape = (len(limits), len(menus.menus), 2, side)
    curves, names = np.full(shape, NONE, np.int16), np.full((*shape[:2], side), -1, np.int32)
    rows: list[Int32s] = []
    for level, limit in enumerate(limits):
        for kind, menu in enumerate(menus.menus):
            _fill_curves(menu, limit, curves[level, kind])
            rows.append(_port_rows(menu, limit, tags, curves[level, kind, STACK], names[level, kind], tagged))
    near_at, near, near_cost = _nearness(problem, prices)
    scene = Scene(
        curves=curves,
        tags=names,
        kind=np.array(menus.of_block, np.int32),
        time_cost=np.array([limit * prices.tick for limit in limits], np.int64),
        near_at=near_at,
        near=near,
        near_cost=near_cost,
        nets=np.array([(net.source, net.target) for net in problem.nets], np.int32).reshape(-1, 2),
        net_cost=np.array([net.weight * prices.half_hop for net in problem.nets], np.int64),
        regions=np.array([(b.x, b.y, b.width, b.height) for b in regions], np.int32),
        port_at=np.cumsum([0, *map(len, rows)]).astype(np.int32),
        ports=np.concatenate(rows) if rows else np.zeros((0, 3), np.int32),
        tuples=np.array(tuples or [()], np.int32).reshape(max(1, len(tuples)), -1),
        adapter_cost=prices.adapter,
        zone=zone,
    )
    return Stage(scene, tuple(limits), tuples, tuple(regions))


def _tuples(menus: Catalogue, limit: int) -> tuple[tuple[int, ...], ...]:
    """Every port tuple that some menu offers within the limit, in order."""
    every = [np.unique(menu.within(limit).ports, axis=0) for menu in menus.menus]
    return tuple(sorted({tuple(map(int, row)) for rows in every for row in rows}))


def _fill_curves(menu: Menu, limit: int, curves: Int16s) -> None:
    least = np.minimum(menu.heights(limit, curves.shape[1] - 1), NONE)
    curves[STACK] = least
    invert(curves[STACK], curves[1 - STACK])


@dataclass(frozen=True)
class _Tags:
    """Port tuples as numbers in order; a tuple's tag is the place of its number among them."""

    least: int
    span: int
    numbers: Int64s

    @classmethod
    def of(cls, tuples: tuple[tuple[int, ...], ...]) -> _Tags:
        """The tags of tuples that are in order."""
        entries = np.array(tuples or [()], np.int64)
        least = int(entries.min(initial=0))
        blank = cls(least, int(entries.max(initial=0)) - least + 1, np.zeros(0, np.int64))
        return cls(blank.least, blank.span, blank.number(entries))

    def number(self, ports: Int64s) -> Int64s:
        """The number of each row."""
        numbers = np.zeros(len(ports), np.int64)
        for column in ports.T:
            numbers = numbers * self.span + (column - self.least)
        return numbers


def _port_rows(menu: Menu, limit: int, tags: _Tags, heights: Int16s, names: Int32s, tagged: bool) -> Int32s:
    """Rows (tag, width, height) of a menu, and `names` filled with the tag of the least height by width."""
    if not tagged:
        return np.zeros((0, 3), np.int32)
    table = menu.within(limit)
    marks = np.searchsorted(tags.numbers, tags.number(table.ports)).astype(np.int32)
    lowest = np.flatnonzero(heights[table.width] == table.height)[
        ::-1
    ]  # the first of a width is written last
    names[table.width[lowest]] = marks[lowest]
    falls = np.append(True, heights[1 : len(names)] != heights[: len(names) - 1])
    names[:] = names[np.maximum.accumulate(np.where(falls, np.arange(len(names)), 0))]
    return np.stack([marks, table.width, table.height], axis=1).astype(np.int32)


def _nearness(problem: Problem, prices: Prices) -> tuple[Int32s, Int32s, Int64s]:
    """The nets of each block, as rows of neighbours and their costs."""
    near: list[list[tuple[int, int]]] = [[] for _ in problem.blocks]
    for net in problem.nets:
        near[net.source].append((net.target, net.weight * prices.half_hop))
        near[net.target].append((net.source, net.weight * prices.half_hop))
    flat = [pair for pairs in near for pair in pairs]
    starts = np.cumsum([0, *map(len, near)]).astype(np.int32)
    to = np.array([other for other, _ in flat], np.int32)
    return starts, to, np.array([cost for _, cost in flat], np.int64)
