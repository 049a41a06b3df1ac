"""The rectangles a contest kernel can run in, made on demand, and a contest input as a placement problem.

A conv with execution parameters (h, w, c, k) is h * w * (c + 1) high and 3k wide; a block's convs share h and w and
stand side by side, so that its width is the sum and its height the largest. Time and memory fall as any parameter
grows; the rules are in docs/placement.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from wsc.placement.ispd2020.kgraph import Kernel, KernelGraph
from wsc.placement.jit import jit
from wsc.placement.problem import Block, Fabric, Ints, Net, Problem, Shape, Table, Weights

H, W, R, S, C, K, T = range(7)


def convs_of(kernel: Kernel) -> tuple[tuple[int, ...], ...]:
    """The convs of a kernel, each (H, W, R, S, C, K, T)."""
    if kernel.kind == "conv":
        return (kernel.formal,)
    h, w, f = kernel.formal
    if kernel.kind == "dblock":
        return ((h, w, 1, 1, f, f // 4, 1), (h, w, 3, 3, f // 4, f // 4, 1), (h, w, 1, 1, f // 4, f, 1))
    return (
        (h, w, 1, 1, f // 2, f // 4, 1),
        (h, w, 3, 3, f // 4, f // 4, 2),
        (h // 2, w // 2, 1, 1, f // 4, f, 1),
        (h, w, 1, 1, f // 2, f, 2),
    )


@dataclass(frozen=True, eq=False)
class ConvShapes:
    """The shapes of one kind of kernel; a source of `wsc.placement.problem`.

    `side` is the longest side of the fabric, `memory` the bytes a tile has. All convs of a block take the same c:
    more than the smallest C of them would serve only those that have more input features, and adapters with it.
    Port tuples are (h, w, c); the payload is 1 for a rectangle turned by a quarter.
    """

    convs: tuple[tuple[int, ...], ...]
    side: int
    memory: int
    ticks: int

    def within(self, limit: int) -> Table:
        """For each (h, w, c) the narrowest shape within `limit` ticks, upright and turned.

        The narrowest dominates: of one (h, w, c) all shapes are equally high, and each conv's time and memory fall
        with its k alone, so the least k that keeps both limits is enough.
        """
        rows = _enumerate(self._array(), limit, self.side, self.memory, self.ticks)
        width, height, time, memory = rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3]
        turned = np.repeat(np.array([0, 1], np.int64), len(rows))
        return Table(
            np.concatenate([width, height]),
            np.concatenate([height, width]),
            np.concatenate([time, time]),
            turned,
            np.concatenate([memory, memory]),
            np.concatenate([rows[:, 4:], rows[:, 4:]]),
        )

    def times(self, low: int, high: int) -> Ints:
        """The times from `low` to `high` that some k, h, w and c give one of the convs."""
        found = [np.zeros(0, np.int64)]
        for conv in self.convs:
            unit = conv[R] * conv[S] * self.ticks // conv[T] ** 2
            area = np.unique(np.outer(_quotients(conv[H]), _quotients(conv[W])))
            depth = np.unique(np.outer(_quotients(conv[C]), _quotients(conv[K])))
            for first in area * unit:
                span = np.searchsorted(depth, [-(-low // first), high // first + 1])
                found.append(first * depth[span[0] : span[1]])
        return np.unique(np.concatenate(found))

    def slowest(self) -> int:
        """The time with h = w = c = k = 1 of the slowest conv."""
        return max(
            conv[H] * conv[W] * conv[C] * conv[K] * conv[R] * conv[S] * self.ticks // conv[T] ** 2
            for conv in self.convs
        )

    def turns(self) -> bool:
        """They all are."""
        return True

    def offers(self, shape: Shape) -> bool:
        """Whether the shape is the narrowest of its (h, w, c) at its time."""
        if len(shape.ports) != 3:
            return False
        table = self.within(shape.time)
        same = (table.ports == np.array(shape.ports)).all(axis=1) & (table.payload == shape.payload)
        return any(table.shape(int(row)) == shape for row in np.flatnonzero(same))

    def features(self, shape: Shape) -> tuple[int, ...]:
        """The k of each conv of one of the shapes."""
        h, w, c = shape.ports
        return tuple(
            int(_least_k(row, h, w, c, shape.time, self.memory, self.ticks)) for row in self._array()
        )

    def _array(self) -> Ints:
        return np.array(self.convs, np.int64)


def problem_of(graph: KernelGraph) -> Problem:
    """The placement problem of a contest input."""
    kinds = {kernel: convs_of(kernel) for kernel in graph.kernels}
    ticks = math.lcm(*(conv[T] ** 2 for convs in kinds.values() for conv in convs))
    side = max(graph.width, graph.height)
    sources = {convs: ConvShapes(convs, side, graph.memory, ticks) for convs in set(kinds.values())}
    blocks = tuple(Block(kernel.name, sources[kinds[kernel]]) for kernel in graph.kernels)
    nets = tuple(Net(a, b) for a, b in graph.edges)
    return Problem(Fabric(graph.width, graph.height), blocks, nets, Weights(*graph.weights), ticks)


def _quotients(extent: int) -> Ints:
    """Every ceil(extent / part)."""
    return np.unique(-(-extent // np.arange(1, extent + 1)))


@jit
def _least_k(conv: Ints, h: int, w: int, c: int, limit: int, memory: int, ticks: int) -> int:
    """The least k within both limits; 0 where there is none.

    Memory is floor(K (C R S h w + (W + S - 1)(H + R - 1) c) / (k c h w)), over one denominator.
    """
    tiles = ((conv[H] + h - 1) // h) * ((conv[W] + w - 1) // w) * ((conv[C] + c - 1) // c)
    passes = limit // (tiles * conv[R] * conv[S] * ticks // conv[T] ** 2)
    if passes == 0:
        return 0
    held = conv[C] * conv[R] * conv[S] * h * w + (conv[W] + conv[S] - 1) * (conv[H] + conv[R] - 1) * c
    in_memory = conv[K] * held // ((memory + 1) * c * h * w) + 1
    k = max((conv[K] + passes - 1) // passes, in_memory)
    return k if k <= conv[K] else 0


@jit
def _row(convs: Ints, h: int, w: int, c: int, limit: int, memory: int, ticks: int, row: Ints) -> bool:
    """Fills a row (width, height, time, memory, h, w, c) of a block; False where some conv keeps no limit."""
    row[0] = row[2] = row[3] = 0
    for index in range(convs.shape[0]):
        conv = convs[index]
        k = _least_k(conv, h, w, c, limit, memory, ticks)
        if k == 0:
            return False
        tiles = ((conv[H] + h - 1) // h) * ((conv[W] + w - 1) // w) * ((conv[C] + c - 1) // c)
        passes = tiles * ((conv[K] + k - 1) // k)
        row[0] += 3 * k
        row[2] = max(row[2], passes * conv[R] * conv[S] * ticks // conv[T] ** 2)
        held = conv[C] * conv[R] * conv[S] * h * w + (conv[W] + conv[S] - 1) * (conv[H] + conv[R] - 1) * c
        row[3] = max(row[3], conv[K] * held // (k * c * h * w))
    row[1] = h * w * (c + 1)
    row[4], row[5], row[6] = h, w, c
    return True


@jit
def _fill(convs: Ints, limit: int, side: int, memory: int, ticks: int, rows: Ints) -> int:
    """Fills the rows there are, each of `rows.shape[0]` at most, and returns their number."""
    row = np.zeros(7, np.int64)
    count = 0
    highest, widest, deepest = convs[:, H].min(), convs[:, W].min(), convs[:, C].min()
    for h in range(1, min(highest, side // 2) + 1):
        for w in range(1, min(widest, side // (2 * h)) + 1):
            for c in range(1, min(deepest, side // (h * w) - 1) + 1):
                if _row(convs, h, w, c, limit, memory, ticks, row) and row[0] <= side:
                    if count < rows.shape[0]:
                        rows[count] = row
                    count += 1
    return count


def _enumerate(convs: Ints, limit: int, side: int, memory: int, ticks: int) -> Ints:
    rows = np.empty((32_768, 7), np.int64)
    count = _fill(convs, limit, side, memory, ticks, rows)
    if count > len(rows):
        rows = np.empty((count, 7), np.int64)
        _fill(convs, limit, side, memory, ticks, rows)
    return rows[:count]
