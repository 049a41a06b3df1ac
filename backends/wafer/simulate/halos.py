"""Cycles of a halo: what a core sends and receives, and the copy of its tile beside that, bank by bank.

A core copies its tile, two words a cycle where nothing is in the way, while it sends the edges of that tile and
receives those of its neighbours. A word that is sent or comes goes before the copy: it takes its part of a port, and
the copy waits for a bank that it is at. The tiles of the result lie half of the banks away from the operand's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil

import numpy as np

from wsc.backends.wafer.instructions import Halo
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Buffer
from wsc.backends.wafer.simulate.costs import Cost
from wsc.backends.wafer.simulate.lines import copied, hop_cycles, link_words, sharing
from wsc.backends.wafer.simulate.shifts import exchanged
from wsc.compiler.layout import Mesh

Banks = tuple[int, ...]  # of the words of a walk through memory, in turn
_WORD = 4  # bytes


@dataclass(frozen=True)
class _Memory:
    """Bytes that the ports pass a cycle, and banks."""

    read: int
    written: int
    banks: int


@dataclass(eq=False)
class _Walk:
    """Words that a core sends, or receives: one every `pace` cycles from cycle `due` on."""

    banks: Banks
    sends: bool
    due: float
    done: int = 0


def halo(machine: Wafer, mesh: Mesh, op: Halo, operand: Buffer) -> Cost:
    """Both neighbours at once: a core sends what it receives, `lo` one way and `hi` the other, and copies its tile."""
    tile, core = operand.tile_type, machine.core
    parts, lo, hi = _existing(mesh[op.axis].parts, op, operand)
    if parts == 1:
        return copied(machine, operand)
    row = tile.bytes // max(1, tile.shape[op.dim])
    below, above = link_words(machine, lo * row), link_words(machine, hi * row)
    words = below + above if parts > 2 else max(below, above)
    cost = exchanged(machine, mesh, op.axis, operand, words, max(below, above), 1)
    memory = _Memory(core.read_bytes_per_cycle, core.write_bytes_per_cycle, core.memory_banks)
    pace = core.exchange_cycles_per_word
    way = 2 * machine.fabric.ramp_cycles + hop_cycles(machine, mesh, op.axis)
    walks = _walks(tile.shape, op.dim, (lo, hi), tile.dtype.bytes, memory.banks)
    exchange = ceil(words * max(pace, sharing(mesh, op.axis, operand))) + way if words else 0
    through = max(exchange, _played(walks, min(parts, 4), pace, way, memory))
    return replace(cost, latency=2 * core.task_startup_cycles + through)


def _existing(parts: int, op: Halo, operand: Buffer) -> tuple[int, int, int]:
    """Parts that hold something of the tensor, and the rows that come from either side: the last part may have few."""
    if not operand.layout.cuts[op.dim]:
        return parts, op.lo, op.hi
    rows, tile = operand.type.shape[op.dim], operand.tile_type.shape[op.dim]
    parts = min(parts, -(-rows // tile))
    return parts, op.lo, min(op.hi, rows - tile) if parts == 2 else op.hi


@dataclass(frozen=True)
class _Walks:
    """Banks of the tile where it lies and where it is copied to; of the edges that go and come, below and above."""

    tile: tuple[Banks, Banks]
    below: tuple[Banks, Banks]  # to the part before, and from it
    above: tuple[Banks, Banks]


@lru_cache(maxsize=256)
def _walks(shape: tuple[int, ...], dim: int, rows: tuple[int, int], size: int, banks: int) -> _Walks:
    extent, (lo, hi) = shape[dim], rows
    grown = tuple(n + lo + hi if d == dim else n for d, n in enumerate(shape))
    whole, wide = (np.arange(int(np.prod(s))).reshape(s) for s in (shape, grown))
    lanes = max(1, _WORD // size)
    first = lo * int(np.prod(shape[dim + 1 :])) * size // _WORD  # where the tile begins in the result

    def walk(elements: np.ndarray, rows: range, shift: int) -> Banks:
        taken = np.take(elements, rows, axis=dim).ravel()[::lanes] * size // _WORD
        return tuple(((taken + shift) % banks).tolist())

    there = banks // 2 - first
    return _Walks(
        (walk(whole, range(extent), 0), walk(wide, range(lo, lo + extent), there)),
        (walk(whole, range(hi), 0), walk(wide, range(lo), there)),
        (walk(whole, range(extent - lo, extent), 0), walk(wide, range(lo + extent, lo + extent + hi), there)),
    )


@lru_cache(maxsize=256)
def _played(walks: _Walks, parts: int, pace: float, way: int, memory: _Memory) -> int:
    """Cycles until the slowest core has copied its tile: of the first, the second, one between others, the last."""
    cores = (_exchange(walks, part, parts, pace, way) for part in range(parts))
    return max(_copy(walks.tile, list(core), pace, memory) for core in cores)


def _exchange(walks: _Walks, part: int, parts: int, pace: float, way: int) -> Iterator[_Walk]:
    """A core sends to the part before it, then to the one behind; what comes has done the same."""
    (down, from_below), (up, from_above) = walks.below, walks.above
    turn = len(down) * pace
    if part > 0 and down:
        yield _Walk(down, True, 0)
    if part + 1 < parts and up:
        yield _Walk(up, True, turn if part > 0 else 0)
    if part > 0 and from_below:
        yield _Walk(from_below, False, way + (turn if part > 1 else 0))
    if part + 1 < parts and from_above:
        yield _Walk(from_above, False, way)


def _copy(tile: tuple[Banks, Banks], walks: list[_Walk], pace: float, memory: _Memory) -> int:
    """Cycles until a tile is copied from bank to bank beside the words of an exchange."""
    sources, targets = tile
    now, at, words = 0, 0, len(sources)
    while at < words:
        used, read, written = 0, memory.read, memory.written
        sent, came = False, False
        for walk in walks:
            need = 1 << walk.banks[walk.done] if walk.done < len(walk.banks) else 0
            if not need or walk.due >= now + 1 or need & used or (sent if walk.sends else came):
                continue
            used |= need
            walk.done, walk.due = walk.done + 1, max(walk.due, now) + pace
            read, written = read - _WORD * walk.sends, written - _WORD * (not walk.sends)
            sent, came = sent or walk.sends, came or not walk.sends
        while at < words and read >= _WORD and written >= _WORD:
            need = 1 << sources[at] | 1 << targets[at]
            if need & used:
                break
            used |= need
            read, written, at = read - _WORD, written - _WORD, at + 1
        now += 1
    return now
