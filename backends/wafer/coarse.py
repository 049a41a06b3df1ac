"""Every combination of tile sizes of a kernel at once, judged by products of per-axis fractions (numpy).

This is rough on purpose: it only picks the combinations that are worth drafting (`sizing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from wsc.backends.wafer.cutting import Chunking, extent, halo_serves, is_sum, overlap, windows_on
from wsc.backends.wafer.kernels import FusedKernel
from wsc.backends.wafer.machine import Wafer
from wsc.compiler.ops import Attention, AxisKind, Contract, Gather, Norm, Pool, Reduce, Softmax

Numbers = NDArray[np.float64]
LINK_SLACK = 1.5  # links are shared with other streams, and what waits for them holds buffers
_SUMMABLE = (Contract, Attention, Norm, Softmax, Reduce)


@dataclass(frozen=True)
class Job:
    """A kernel to size: its chunking, the chunks that each stream buffers, and how many streams take its result."""

    kernel: FusedKernel
    chunking: Chunking
    depths: tuple[int, ...]
    readers: int = 1

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for jobs that have the same candidates."""
        return (self.kernel.signature, self.chunking, self.depths, self.readers)


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
    slid = windows_on(kernel, axis)
    if slid and (partial_windows or any(f.is_weight and any(f.windows) for f in kernel.feeds)):
        return False  # tiles of a weight come without the overlap that a halo brings
    return all(halo_serves(window) for window, _ in slid)


def _is_table(kernel: FusedKernel) -> bool:
    op = kernel.anchor.op
    table = kernel.feeds[0]
    return isinstance(op, Gather) and table.is_weight and table.type.rank == 2 and op.dim == op.batch == 0


def tile_choices(
    kernel: FusedKernel, chunking: Chunking, axis: int, most: int, limit: int
) -> list[tuple[int, int]]:
    """(tile, parts) for an axis, coarse to fine: the smallest tile for each number of parts up to `most`.

    About `limit` of them, denser at both ends.
    """
    n = extent(kernel, chunking, axis)
    if n <= 1 or not cuttable(kernel, axis):
        return [(n, 1)]
    sizes = {-(-n // parts) for parts in range(1, min(n, most) + 1)}
    by_parts: dict[int, int] = {}
    for tile in sorted(sizes):
        if 0 < (parts := _parts(kernel, axis, n, tile)) <= most:
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


@dataclass(frozen=True)
class Coarse:
    """Every combination of tile sizes of a kernel: cores, rough cycles and rough bytes."""

    choices: tuple[tuple[tuple[int, int], ...], ...]
    grid: tuple[NDArray[np.int64], ...]
    cores: Numbers
    cycles: Numbers
    bytes: Numbers
    placeable: NDArray[np.bool_]  # no wider and no higher than the fabric
    fits: NDArray[np.bool_]

    @staticmethod
    def of(job: Job, machine: Wafer, params: SizingParams) -> Coarse:
        """All combinations, with finer steps where there are fewer axes."""
        kernel, chunking = job.kernel, job.chunking
        able = sum(cuttable(kernel, a) and extent(kernel, chunking, a) > 1 for a in range(len(kernel.axes)))
        limit = min(params.tiles_per_axis, max(6, int(params.combinations ** (1 / max(able, 1)))))
        most = max(machine.grid.width_cores, machine.grid.height_cores)
        choices = tuple(
            tuple(tile_choices(kernel, chunking, a, most, limit)) for a in range(len(kernel.axes))
        )
        grid = tuple(g.ravel() for g in np.meshgrid(*[np.arange(len(c)) for c in choices], indexing="ij"))
        tiles = [np.array([t for t, _ in c], float)[g] for c, g in zip(choices, grid, strict=True)]
        parts = [np.array([p for _, p in c], float)[g] for c, g in zip(choices, grid, strict=True)]
        rough = _Rough(job, machine, tiles, parts)
        cores = np.prod(parts, axis=0) if parts else np.ones(1)
        room = machine.core.sram_bytes - machine.core.runtime_code_bytes
        used, placeable = np.broadcast_to(rough.bytes(), cores.shape), _placeable(parts, machine)
        fits = (used <= room) & placeable
        return Coarse(choices, grid, np.asarray(cores, float), rough.cycles(), used, placeable, fits)

    def choice(self, index: int) -> list[tuple[int, int]]:
        """(tile, parts) of every axis."""
        return [c[g[index]] for c, g in zip(self.choices, self.grid, strict=True)]

    def frontier(self, target: float) -> list[int]:
        """Combinations near the least time for their number of cores, those nearest to the target time first.

        They are dense around the target and sparse elsewhere.
        """
        able = np.flatnonzero(self.fits)
        if not len(able):
            return []
        bucket = np.round(np.log(self.cores[able]) / np.log(1.03))
        near = np.abs(np.log(self.cycles[able] / max(target, 1.0))) < 0.45
        chosen: list[int] = []
        for some, step, count in (
            (able[near], bucket[near], 3),
            (able[~near], np.round(bucket[~near] / 8), 1),
        ):
            order = np.lexsort((some, self.cycles[some], step))
            some, step = some[order], step[order]
            rank = np.arange(len(some)) - np.searchsorted(step, step)
            chosen += self._undominated(some[rank < count], count)
        return sorted(chosen, key=lambda i: abs(np.log(self.cycles[i] / max(target, 1.0))))

    def _undominated(self, some: NDArray[np.intp], slack: int) -> list[int]:
        """Those that are not slower, by more than a few per cent, than one with fewer cores."""
        best = np.inf
        result = []
        for i in sorted(some, key=lambda i: (self.cores[i], self.cycles[i])):
            if self.cycles[i] <= best * (1.03 if slack > 1 else 1.0):
                result.append(int(i))
            best = min(best, float(self.cycles[i]))
        return result


def _placeable(parts: Sequence[Numbers], machine: Wafer) -> NDArray[np.bool_]:
    """Whether the parts can be dealt to x and y so that the region is no wider and no higher than the fabric."""
    cut = [p for p in parts if p.max() > 1]
    ones = np.ones(len(parts[0]) if parts else 1)
    able = np.zeros(len(ones), np.bool_)
    for turns in product((False, True), repeat=len(cut)):
        width = np.prod([p if x else ones for p, x in zip(cut, turns, strict=True)] or [ones], axis=0)
        height = np.prod([ones if x else p for p, x in zip(cut, turns, strict=True)] or [ones], axis=0)
        able |= (width <= machine.grid.width_cores) & (height <= machine.grid.height_cores)
    return able


class _Rough:
    """Products of per-axis fractions, over all combinations at once."""

    def __init__(self, job: Job, machine: Wafer, tiles: Sequence[Numbers], parts: Sequence[Numbers]) -> None:
        self.kernel, self.chunking, self.depths, self.readers = (
            job.kernel,
            job.chunking,
            job.depths,
            job.readers,
        )
        self.machine, self.tiles, self.parts = machine, tiles, parts

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
        vectors = machine.vector_startup_cycles(dtype) / longest
        if isinstance(anchor.op, Gather):
            ops = 0
        piece = machine.mac_vector_elements(dtype)
        mac_cycles = macs * (machine.mac_cycles(dtype) * np.ceil(longest / piece) * piece / longest + vectors)
        op_cycles = ops * (1 / machine.vector_ops_per_cycle(dtype) + vectors)
        total = everything * (mac_cycles + op_cycles)
        busy = total + self._after(vectors) + self._words() + 1.0
        return np.asarray(np.maximum(busy, self._ports()), np.float64)

    def _ports(self) -> Numbers:
        """Cycles that links into and out of the region need, were its rows and columns as many as serve them best."""
        incoming = sum(f.type.bytes for f in self.kernel.streams) / 4
        outgoing = self.readers * self.kernel.result.type.bytes / 4
        cores = np.prod(self.parts, axis=0) if self.parts else np.ones(1)
        return np.asarray(LINK_SLACK * np.sqrt(incoming * outgoing / cores), np.float64)

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
