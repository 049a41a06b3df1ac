"""Candidate regions of a kernel: ways to cut it, their time, memory and shape.

First every combination of tile sizes is judged at once by a coarse product of per-axis fractions (numpy), and those
on the frontier of cores against time are kept. Then each of these is drafted for real, which gives its memory and a
better time, and turned in the directions that make differently shaped rectangles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray

from wsc.backends.wafer.cutting import AxisCut, Chunking, Cutting, extent, is_sum, overlap, windows_on
from wsc.backends.wafer.emit.kernel import DraftedKernel, draft_kernel
from wsc.backends.wafer.estimate import code_bytes, data_bytes, instruction_cycles
from wsc.backends.wafer.kernels import FusedKernel
from wsc.backends.wafer.machine import Wafer
from wsc.compiler.ops import Attention, AxisKind, Contract, Gather, Norm, Pool, Reduce, Softmax

Numbers = NDArray[np.float64]
_SUMMABLE = (Contract, Attention, Norm, Softmax, Reduce)


@dataclass(frozen=True)
class Candidate:
    """One way to cut a kernel; `cycles` and `bytes` are expected for one input on the busiest core."""

    cutting: Cutting
    width: int
    height: int
    cycles: int
    bytes: int


@dataclass(frozen=True)
class SizingParams:
    """Limits of the search."""

    tiles_per_axis: int = 48
    combinations: int = 120_000
    kept: int = 72


def cuttable(kernel: FusedKernel, axis: int) -> bool:
    """Whether the region may be cut along an axis."""
    kind, op = kernel.axes[axis].kind, kernel.anchor.op
    if kind is AxisKind.WHOLE:
        return False
    if kind is AxisKind.SUM:
        return isinstance(op, _SUMMABLE) or _is_table(kernel)
    partial_windows = isinstance(op, Pool) and op.fn == "mean" and not op.count_padding
    return not (partial_windows and windows_on(kernel, axis))


def _is_table(kernel: FusedKernel) -> bool:
    op = kernel.anchor.op
    table = kernel.feeds[0]
    return isinstance(op, Gather) and table.is_weight and table.type.rank == 2 and op.dim == op.batch == 0


def tile_choices(kernel: FusedKernel, chunking: Chunking, axis: int, limit: int) -> list[tuple[int, int]]:
    """(tile, parts) for an axis: the smallest tile for each number of parts, thinned to about `limit`, coarse to fine."""
    n = extent(kernel, chunking, axis)
    if n <= 1 or not cuttable(kernel, axis):
        return [(n, 1)]
    sizes = {-(-n // parts) for parts in range(1, min(n, 2000) + 1)} | set(range(1, min(n, 2000)))
    by_parts: dict[int, int] = {}
    for tile in sorted(sizes):
        if parts := _parts(kernel, axis, n, tile):
            by_parts.setdefault(parts, tile)
    pairs = sorted(((t, p) for p, t in by_parts.items()), reverse=True)
    if len(pairs) <= limit:
        return pairs
    places = np.unique(np.geomspace(1, len(pairs), limit).round().astype(int)) - 1
    few = {pairs[i] for i in places} | {pairs[-1 - i] for i in places}
    return sorted(few, reverse=True)


def _parts(kernel: FusedKernel, axis: int, n: int, tile: int) -> int:
    """Parts that tiles of a size make; 0 where a window does not allow it."""
    parts = -(-n // tile)
    if parts == 1:
        return 1
    for window, length in windows_on(kernel, axis):
        if max(overlap(window)) > tile * window.stride:
            return 0
        parts = max(parts, -(-length // (tile * window.stride)))
    return parts


def candidates(
    kernel: FusedKernel,
    chunking: Chunking,
    depths: tuple[int, ...],
    machine: Wafer,
    target_cycles: float,
    params: SizingParams | None = None,
) -> list[Candidate]:
    """Candidates that fit a core's memory and the fabric, around `target_cycles` and beyond; empty where none fits."""
    params = params or SizingParams()
    coarse = Coarse.of(kernel, chunking, depths, machine, params)
    found: dict[tuple[int, int], Candidate] = {}
    for index in coarse.frontier(target_cycles, params.kept):
        for candidate in _turned(kernel, coarse.choice(index), chunking, depths, machine):
            key = (candidate.width, candidate.height)
            if key not in found or candidate.cycles < found[key].cycles:
                found[key] = candidate
    return list(found.values())


@dataclass(frozen=True)
class Coarse:
    """Every combination of tile sizes of a kernel: cores, rough cycles and rough bytes."""

    choices: tuple[tuple[tuple[int, int], ...], ...]
    grid: tuple[NDArray[np.int64], ...]
    cores: Numbers
    cycles: Numbers
    fits: NDArray[np.bool_]

    @staticmethod
    def of(
        kernel: FusedKernel, chunking: Chunking, depths: tuple[int, ...], machine: Wafer, params: SizingParams
    ) -> Coarse:
        """All combinations, with finer steps where there are fewer axes."""
        able = sum(cuttable(kernel, a) and extent(kernel, chunking, a) > 1 for a in range(len(kernel.axes)))
        limit = min(params.tiles_per_axis, max(6, int(params.combinations ** (1 / max(able, 1)))))
        choices = tuple(tuple(tile_choices(kernel, chunking, a, limit)) for a in range(len(kernel.axes)))
        grid = tuple(g.ravel() for g in np.meshgrid(*[np.arange(len(c)) for c in choices], indexing="ij"))
        tiles = [np.array([t for t, _ in c], float)[g] for c, g in zip(choices, grid, strict=True)]
        parts = [np.array([p for _, p in c], float)[g] for c, g in zip(choices, grid, strict=True)]
        rough = _Rough(kernel, chunking, depths, machine, tiles, parts)
        cores = np.prod(parts, axis=0) if parts else np.ones(1)
        room = machine.core.sram_bytes - machine.core.runtime_code_bytes
        fits = (rough.bytes() <= room) & (cores <= machine.cores)
        return Coarse(choices, grid, np.asarray(cores, float), rough.cycles(), fits)

    def choice(self, index: int) -> list[tuple[int, int]]:
        """(tile, parts) of every axis."""
        return [c[g[index]] for c, g in zip(self.choices, self.grid, strict=True)]

    def frontier(self, target: float, kept: int) -> list[int]:
        """Combinations near the least time for their number of cores: dense around the target, sparse elsewhere."""
        able = np.flatnonzero(self.fits)
        if not len(able):
            return []
        bucket = np.round(np.log(self.cores[able]) / np.log(1.03))
        near = np.abs(np.log(self.cycles[able] / max(target, 1.0))) < 0.45
        chosen: list[int] = []
        for some, step, count in ((able[near], bucket[near], 3), (able[~near], np.round(bucket[~near] / 8), 1)):
            order = np.lexsort((some, self.cycles[some], step))
            some, step = some[order], step[order]
            rank = np.arange(len(some)) - np.searchsorted(step, step)
            chosen += self._undominated(some[rank < count], count)
        order = sorted(chosen, key=lambda i: abs(np.log(self.cycles[i] / max(target, 1.0))))
        return order[:kept]

    def _undominated(self, some: NDArray[np.intp], slack: int) -> list[int]:
        """Those that are not slower, by more than a few per cent, than one with fewer cores."""
        best = np.inf
        result = []
        for i in sorted(some, key=lambda i: (self.cores[i], self.cycles[i])):
            if self.cycles[i] <= best * (1.03 if slack > 1 else 1.0):
                result.append(int(i))
            best = min(best, float(self.cycles[i]))
        return result


class _Rough:
    """Products of per-axis fractions, over all combinations at once."""

    def __init__(
        self,
        kernel: FusedKernel,
        chunking: Chunking,
        depths: tuple[int, ...],
        machine: Wafer,
        tiles: Sequence[Numbers],
        parts: Sequence[Numbers],
    ) -> None:
        self.kernel, self.chunking, self.depths, self.machine = kernel, chunking, depths, machine
        self.tiles, self.parts = tiles, parts

    def _share(self, axes: Sequence[int | None]) -> Numbers:
        """Part of a tensor that one core holds of one chunk of it."""
        share = np.ones(len(self.tiles[0]) if self.tiles else 1)
        for a in {a for a in axes if a is not None}:
            share = share * self.tiles[a] / self.kernel.axes[a].extent
        return share

    def _chunks(self, axes: Sequence[int | None]) -> int:
        return self.chunking.chunks if self.chunking.axis in axes and self.chunking.axis >= 0 else 1

    def _summed(self) -> Numbers:
        summed = [p for a, p in enumerate(self.parts) if is_sum(self.kernel, a)]
        return np.prod(summed, axis=0) if summed else np.ones(1)

    def bytes(self) -> Numbers:
        """Rough bytes a core: weights, buffered chunks, a copy of each stream, partial results."""
        kernel = self.kernel
        total = np.zeros(1)
        streams = iter(self.depths or (2,) * len(kernel.streams))
        for feed in kernel.feeds:
            copies = self._chunks(feed.axes) if feed.is_weight else next(streams)
            total = total + copies * feed.type.bytes * self._share(feed.axes)
        return total + kernel.anchor.type.bytes * self._share(kernel.result_axes[0])

    def cycles(self) -> Numbers:
        """Rough cycles an input: arithmetic, issue of vector instructions, words received and combined."""
        kernel, machine = self.kernel, self.machine
        everything = self._share(range(len(kernel.axes))) * self._chunks([self.chunking.axis])
        anchor, dtype = kernel.anchor, kernel.anchor.type.dtype
        types = [f.type for f in kernel.feeds if f.name in kernel.operands[0]]
        macs, ops = anchor.op.arithmetic(types, anchor.type) if len(types) == len(anchor.inputs) else (0, 0)
        longest = np.maximum.reduce(
            [self.tiles[a] for a in kernel.result_axes[0] if a is not None] or [np.ones(1)]
        )
        vectors = machine.core.vector_startup_cycles / longest
        if isinstance(anchor.op, Gather):
            ops = 0
        mac_cycles = macs * (machine.mac_cycles(dtype) + vectors)
        op_cycles = ops * (1 / machine.vector_ops_per_cycle(dtype) + vectors)
        total = everything * (mac_cycles + op_cycles)
        return total + self._after(vectors) + self._words() + 1.0

    def _after(self, vectors: Numbers) -> Numbers:
        """Cycles of the nodes after the anchor."""
        kernel = self.kernel
        total = np.zeros(1)
        scattered = self._summed()
        for node, row in zip(kernel.nodes[1:], kernel.result_axes[1:], strict=True):
            ops = max(node.op.arithmetic([node.type], node.type)[1], node.type.elements)
            share = self._share(row) * self._chunks(row) / scattered
            total = total + ops * share * (1 / self.machine.vector_ops_per_cycle(node.type.dtype) + vectors)
        return total

    def _words(self) -> Numbers:
        """Words that a core takes in, hands on and combines."""
        kernel = self.kernel
        total = np.zeros(1)
        for feed in kernel.streams:
            total = total + 2 * feed.type.bytes / 4 * self._share(feed.axes) * self._chunks(feed.axes)
        summed = self._summed()
        row = kernel.result_axes[0]
        whole = kernel.anchor.type.bytes / 4 * self._share(row) * self._chunks(row)
        return total + np.where(summed > 1, whole, 0.0)


def _turned(
    kernel: FusedKernel,
    choice: Sequence[tuple[int, int]],
    chunking: Chunking,
    depths: tuple[int, ...],
    machine: Wafer,
) -> list[Candidate]:
    """The candidates that one choice of tiles makes, axes turned to x and y in every useful way."""
    cut = [(a, t, p) for a, (t, p) in enumerate(choice) if p > 1]
    cut.sort(key=lambda c: is_sum(kernel, c[0]))  # parts that are summed lie next to each other
    made: list[Candidate] = []
    drafted: DraftedKernel | None = None
    used = cycles = 0
    for turns in product("yx", repeat=len(cut)):
        width = prod(p for (_, _, p), along in zip(cut, turns, strict=True) if along == "x")
        height = prod(p for (_, _, p), along in zip(cut, turns, strict=True) if along == "y")
        if width > machine.grid.width_cores or height > machine.grid.height_cores:
            continue
        cuts = tuple(AxisCut(a, t, p, along) for (a, t, p), along in zip(cut, turns, strict=True))
        cutting = Cutting(cuts, chunking, depths)
        if drafted is None:
            drafted = draft_kernel(kernel, cutting)
            used, cycles = _cost(drafted, chunking, machine)
            if used > machine.core.sram_bytes:
                return []
        ports = _port_cycles(kernel, cutting, drafted)
        made.append(Candidate(cutting, width, height, max(cycles, ports), used))
    return made


def _cost(drafted: DraftedKernel, chunking: Chunking, machine: Wafer) -> tuple[int, int]:
    """(bytes, cycles) of a drafted kernel."""
    buffers = {b.name: b for b in drafted.buffers}
    once = sum(instruction_cycles(i, buffers, machine) for i in drafted.once)
    each = sum(instruction_cycles(i, buffers, machine) for i in drafted.body)
    sent = drafted.result.tile_type.bytes / machine.fabric.link_bytes_per_cycle + machine.core.task_startup_cycles
    code = machine.core.runtime_code_bytes + code_bytes(len(drafted.once) + len(drafted.body) + 2, machine)
    return data_bytes(drafted.buffers) + code, int(once + chunking.chunks * (each + sent))


def _port_cycles(kernel: FusedKernel, cutting: Cutting, drafted: DraftedKernel) -> int:
    """Cycles an input that the links into and out of the region are busy: in along rows, out along columns."""
    columns = _spread(drafted.result.layout.axes, cutting, "x")
    outgoing = kernel.result.type.bytes / 4 / columns
    incoming = 0.0
    for feed in kernel.streams:
        names = [f"a{a}" for a in feed.axes if a is not None]
        incoming += feed.type.bytes / 4 / _spread(names, cutting, "y")
    return int(max(outgoing, incoming))


def _spread(names: Sequence[str], cutting: Cutting, along: str) -> int:
    return prod(c.parts for c in cutting.cuts if c.along == along and c.name in names)
