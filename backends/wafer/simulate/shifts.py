"""Cycles of shifts: every core sends a tile, or a piece of it, while it receives one."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from wsc.backends.wafer.instructions import AllReduce, Rotate, Shift
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Buffer
from wsc.backends.wafer.simulate.costs import MOVEMENT, Cost
from wsc.backends.wafer.simulate.lines import flight_cycles, hop_cycles, link_words, sharing
from wsc.backends.wafer.trees import ring_numbers
from wsc.compiler.layout import Mesh


def shift(machine: Wafer, mesh: Mesh, op: Shift, operand: Buffer) -> Cost:
    """Of whole tiles in closed form, of pieces link by link."""
    if op.pieces is not None or op.enter:
        return _skew(machine, mesh, op, operand)
    return _exchange(machine, mesh, op, operand, 1)


def rotate(machine: Wafer, mesh: Mesh, op: Rotate, operand: Buffer) -> Cost:
    """A shift by one part of one piece."""
    return _exchange(machine, mesh, Shift(op.axis, 1, op.ring), operand, 1 / op.pieces)


def _exchange(machine: Wafer, mesh: Mesh, op: Shift, operand: Buffer, share: float) -> Cost:
    """Two tasks, one that sends and one that receives; both at once take `exchange_cycles_per_word`.

    The core is busy for a cycle a word, so that the next movement begins while this one goes on. On a line, those whose
    source lies beyond the last part are served from the other end. On an interleaved ring a step is two parts at most,
    and each link carries one tile of every step, since the ring passes it once each way. `share` of the tile moves.
    """
    parts = mesh[op.axis].parts
    most = mesh[op.skew].parts - 1 if op.skew else 1
    steps = {(op.by * k) % parts for k in (range(most + 1) if op.skew else (1,))}
    tiles = max(min(step, parts - step) for step in steps)
    farthest = max(max(step, parts - step) if step else 0 for step in steps)
    if op.ring:
        farthest = min(2 * tiles, parts - 1)
    words = link_words(machine, ceil(operand.tile_type.bytes * share)) if tiles else 0
    cost = exchanged(machine, mesh, op.axis, operand, words, words * tiles, farthest)
    if op.skew:
        return cost
    return replace(cost, flight=(farthest - _mean_distance(op, parts)) * hop_cycles(machine, mesh, op.axis))


def _mean_distance(op: Shift, parts: int) -> int:
    """Parts that a tile passes in the mean over a line, rounded up.

    What a part waits for in a loop was sent by a part that waited for another one in the step before, and so on round
    the ring: steps follow each other at the mean of the ways, and only the end of the loop sees the longest.
    """
    numbers = ring_numbers(parts, op.ring)
    order = np.argsort(numbers)
    ways = np.abs(order[(numbers + op.by) % parts] - np.arange(parts))
    return ceil(int(ways.sum()) / parts)


def hand_on(machine: Wafer, mesh: Mesh, axis: str, operand: Buffer) -> Cost:
    """Every part but the last sends its tile to the next."""
    words = link_words(machine, operand.tile_type.bytes) if mesh[axis].parts > 1 else 0
    return exchanged(machine, mesh, axis, operand, words, words, min(1, words))


def exchanged(
    machine: Wafer, mesh: Mesh, axis: str, operand: Buffer, words: int, on_link: float, farthest: int
) -> Cost:
    """An exchange: words that a core sends and receives, those on the busiest link, parts that the farthest pass."""
    on_links = ceil(on_link) * sharing(mesh, axis, operand)
    startup = 2 * machine.core.task_startup_cycles
    through = ceil(max(words * machine.core.exchange_cycles_per_word, on_links))
    flight = flight_cycles(machine, mesh, axis, farthest)
    return Cost(MOVEMENT, startup + words, startup + through + flight, (mesh[axis].along,), on_links)


def _skew(machine: Wafer, mesh: Mesh, op: Shift, operand: Buffer) -> Cost:
    """A shift counted in pieces, or from a line onto a ring: what every link carries is added up, for each step."""
    parts, pieces = mesh[op.axis].parts, op.pieces or 1
    numbers = ring_numbers(parts, op.ring)
    order = np.arange(parts) if op.enter else np.argsort(numbers)
    number_of = range(mesh[op.skew].parts) if op.skew else (1,)
    place = (numbers[:, None] * pieces + np.arange(pieces)).ravel()
    here = np.repeat(np.arange(parts), pieces)
    carried, most, farthest = 0, 0, 0
    for step in sorted({op.by * k % (parts * pieces) for k in number_of}):
        source = order[(place + step) % (parts * pieces) // pieces]
        moves = source != here
        received = np.bincount(here[moves], minlength=parts)
        sent = np.bincount(source[moves], minlength=parts)
        most = max(most, int(received.max()), int(sent.max()))
        last = parts - 1
        back = _busiest_link(last - source, last - here, parts)
        carried = max(carried, _busiest_link(source, here, parts), back)
        farthest = max(farthest, int(np.abs(source - here).max()))
    words = link_words(machine, ceil(operand.tile_type.bytes / pieces))
    return exchanged(machine, mesh, op.axis, operand, words * most, words * carried, farthest)


def _busiest_link(source: NDArray[np.int64], target: NDArray[np.int64], parts: int) -> int:
    """Most of the ways from lower to higher parts that share a link."""
    up = source < target
    first, behind = (np.bincount(ends[up], minlength=parts) for ends in (source, target))
    return int(np.cumsum(first - behind).max())


def ring_all_reduce(machine: Wafer, mesh: Mesh, op: AllReduce, operand: Buffer) -> Cost:
    """Twice round an interleaved ring: P - 1 exchanges of a P-th of the tile to combine it, as many to pass it on."""
    parts = mesh[op.axis].parts
    step = _exchange(machine, mesh, Shift(op.axis, 1, "interleaved"), operand, 1 / parts)
    rounds = 2 * (parts - 1)
    return replace(
        step,
        occupancy=max(1, rounds * step.occupancy),
        latency=max(1, rounds * (step.latency + 1)),
        line_cycles=rounds * step.line_cycles,
    )
