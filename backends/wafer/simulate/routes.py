"""Words on every link of the fabric, from flows and their routes.

A route goes along one dimension, then along the other. Where it would enter a rectangle of dead cores it walks around
it, on the nearer side, and goes on behind it; where it would turn within one it turns earlier, on the side of its
target. No two rectangles touch (`wsc.backends.wafer.defects`), so the way around one never meets another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from wsc.backends.wafer.defects import Box
from wsc.backends.wafer.spares import Repair

Index = NDArray[np.int64]
Words = NDArray[np.float64]
EAST, WEST, SOUTH, NORTH = range(4)


@dataclass(frozen=True, eq=False)
class LinkLoads:
    """`words[d, j, i]` leave core (x + i, y + j) in direction d: 0 east (x grows), 1 west, 2 south (y grows), 3 north.

    Column -1 is the wafer's west edge, where the host's tensors come in.
    """

    x: int
    y: int
    words: Words

    @property
    def busiest(self) -> int:
        """Words on the most loaded link."""
        return int(self.words.max(initial=0))


@dataclass(frozen=True, eq=False)
class Flights:
    """Flows by place: from (`sx`, `sy`) to (`tx`, `ty`), `words` each; arrays of one length."""

    sx: Index
    sy: Index
    tx: Index
    ty: Index
    words: Index


@dataclass(frozen=True, eq=False)
class Runs:
    """Straight pieces of the ways of flows: of flow `flow`, on line `at`, from `start` to `stop`."""

    flow: Index
    at: Index
    start: Index
    stop: Index

    def __getitem__(self, which: NDArray[np.bool_]) -> Runs:
        return Runs(self.flow[which], self.at[which], self.start[which], self.stop[which])

    def __add__(self, other: Runs) -> Runs:
        return Runs(*(np.concatenate(pair) for pair in zip(self.columns, other.columns, strict=True)))

    @property
    def columns(self) -> tuple[Index, Index, Index, Index]:
        """The arrays."""
        return self.flow, self.at, self.start, self.stop


@dataclass(frozen=True, eq=False)
class Ways:
    """The ways of `flights`: pieces in rows (at y, along x) and in columns (at x, along y)."""

    flights: Flights
    rows: Runs
    columns: Runs
    repair: Repair | None = None
    detour_hops: int = 0

    @cached_property
    def hops(self) -> Index:
        """Links on the way of each flow."""
        pieces = self.rows + self.columns
        lengths = np.abs(pieces.stop - pieces.start)
        counted = np.bincount(pieces.flow, lengths, self.flights.words.size).astype(np.int64)
        return counted if self.repair is None else counted + self._detours(self.repair)

    def _detours(self, repair: Repair) -> Index:
        """Hops more of each flow, past dead cores and aside."""
        high, wide = (n - 1 for n in repair.aside.shape)
        r, c, down = self.rows, self.columns, repair.along_columns
        aside = np.pad(repair.aside, ((0, 0), (1, 0)))  # the host's column stands where its number says
        skipped = aside[r.at, r.stop.clip(-1, wide) + 1] - aside[r.at, r.start.clip(-1, wide) + 1]
        at = c.at.clip(0, wide)
        gone = down[c.stop.clip(0, high), at] - down[c.start.clip(0, high), at]
        longer = np.concatenate([np.abs(skipped), np.abs(gone)]) * self.detour_hops
        return np.bincount(np.concatenate([r.flow, c.flow]), longer, self.flights.words.size).astype(np.int64)

    @cached_property
    def loads(self) -> LinkLoads:
        """Loads of the links."""
        r, c = self.rows, self.columns
        if not self.flights.words.size:
            return LinkLoads(0, 0, np.zeros((4, 1, 1)))
        xs, ys = np.concatenate([r.start, r.stop, c.at]), np.concatenate([c.start, c.stop, r.at])
        x, y = int(xs.min()), int(ys.min())
        shape = int(ys.max()) - y + 1, int(xs.max()) - x + 1
        words = np.zeros((4, *shape))
        carried = self.flights.words
        words[EAST], words[WEST] = _along_rows(shape, r.at - y, r.start - x, r.stop - x, carried[r.flow])
        south, north = _along_rows(shape[::-1], c.at - x, c.start - y, c.stop - y, carried[c.flow])
        words[SOUTH], words[NORTH] = south.T, north.T
        return LinkLoads(x, y, words)


def find_ways(
    flights: Flights, route: str, boxes: Sequence[Box] = (), fabric: tuple[int, int] = (0, 0)
) -> Ways:
    """The way of every flow, first along x ("xy") or first along y ("yx"), around `boxes` on a fabric (width, height).

    No flow starts or ends within a box, nor outside of an edge that a box touches, in one of the box's rows.
    """
    f = flights
    flow = np.arange(f.words.size)
    width, height = fabric
    across = [box.transposed for box in boxes]
    if route == "xy":
        rows, columns = _turn_earlier(Runs(flow, f.sy, f.sx, f.tx), Runs(flow, f.tx, f.sy, f.ty), boxes)
    else:
        columns, rows = _turn_earlier(Runs(flow, f.sx, f.sy, f.ty), Runs(flow, f.ty, f.sx, f.tx), across)
    rows, beside_rows = _walk_around(rows, boxes, height)
    columns, beside_columns = _walk_around(columns, across, width)
    return Ways(flights, rows + beside_columns, columns + beside_rows)


def _turn_earlier(first: Runs, second: Runs, boxes: Sequence[Box]) -> tuple[Runs, Runs]:
    """Ways, one run each in either direction, that turn before a box instead of in it, on the side of the target."""
    x, y = first.stop, first.at
    inside = np.zeros(x.size, np.bool_)
    before, beside = first.start.copy(), second.stop.copy()
    for box in boxes:
        within = (box.x <= x) & (x <= box.right) & (box.y <= y) & (y <= box.bottom)
        before = np.where(within, np.where(first.start < x, box.x - 1, box.right + 1), before)
        beside = np.where(within, np.where(second.stop < y, box.y - 1, box.bottom + 1), beside)
        inside |= within
    turned, onward, before, beside = first[inside], second[inside], before[inside], beside[inside]
    approach = Runs(turned.flow, turned.at, turned.start, before)
    pass_by = Runs(turned.flow, beside, before, turned.stop)
    aside = Runs(turned.flow, before, turned.at, beside)
    arrive = Runs(onward.flow, onward.at, beside, onward.stop)
    return first[~inside] + approach + pass_by, second[~inside] + aside + arrive


def _walk_around(runs: Runs, boxes: Sequence[Box], lines: int) -> tuple[Runs, Runs]:
    """Runs along x that end before each box and go on behind it, past it on a line beside it; and the steps aside."""
    steps = Runs(*(np.zeros(0, np.int64) for _ in range(4)))
    for box in boxes:
        low, high = np.minimum(runs.start, runs.stop), np.maximum(runs.start, runs.stop)
        hit = (box.y <= runs.at) & (runs.at <= box.bottom) & (low < box.x) & (high > box.right)
        if not hit.any():
            continue
        blocked, east = runs[hit], runs.start[hit] < box.x
        before = np.where(east, box.x - 1, box.right + 1)
        behind = np.where(east, box.right + 1, box.x - 1)
        beside = _nearer_side(blocked.at, box, lines)
        flow, at = blocked.flow, blocked.at
        runs = runs[~hit] + Runs(flow, at, blocked.start, before) + Runs(flow, at, behind, blocked.stop)
        runs += Runs(flow, beside, before, behind)
        steps += Runs(flow, before, at, beside) + Runs(flow, behind, beside, at)
    return runs, steps


def _nearer_side(line: Index, box: Box, lines: int) -> Index:
    above = (line - box.y <= box.bottom - line) & (box.y > 0) | (box.bottom + 1 >= lines)
    return np.where(above, box.y - 1, box.bottom + 1)


def _along_rows(
    shape: tuple[int, int], row: Index, start: Index, stop: Index, words: Index
) -> tuple[Words, Words]:
    """Words that leave each place of `shape` (rows, places) upwards and downwards.

    Upwards a flow leaves start .. stop - 1, downwards stop + 1 .. start: each adds at one end of its interval and
    takes off behind the other, and a running sum fills the interval.
    """
    up = start < stop
    down = start > stop
    return (
        _running_sum(shape, row[up], start[up], stop[up], words[up]),
        _running_sum(shape, row[down], stop[down] + 1, start[down] + 1, words[down]),
    )


def _running_sum(shape: tuple[int, int], row: Index, first: Index, behind: Index, words: Index) -> Words:
    if not words.size:
        return np.zeros(shape)
    width = shape[1] + 1
    size = shape[0] * width
    steps = np.bincount(row * width + first, words, size) - np.bincount(row * width + behind, words, size)
    return np.asarray(steps.reshape(shape[0], width).cumsum(axis=1)[:, :-1])
