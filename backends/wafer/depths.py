"""How many chunks each stream must buffer so that no kernel waits for memory.

Where two paths join, the data of the shorter one waits for the longer. With every kernel at the same interval, the
wait in chunks follows from the order of the kernels alone: one interval is `TICKS` ticks, a kernel's first chunk
leaves one chunk time after it starts, and a kernel that needs a tensor whole starts when its last chunk is there.

Kernels start as early as they can. That is the shortest way for an input, and holds the most memory: queries of a
decoder wait for its encoder, made long before they are needed. Where memory is short, kernels start when the tensors
that wait are smallest in all (`DepthParams.late`), which costs no time between inputs: what comes from the host waits
there. And where that is still too much, at most so many inputs wait at a kernel (`DepthParams.inputs`), and those
that come before it wait for room: one whole input is always enough for the kernels to run one after another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array

from wsc.backends.wafer.chunks import feed_chunks, result_chunks
from wsc.backends.wafer.cutting import Chunking
from wsc.backends.wafer.kernels import FusedKernel

TICKS = 8
_WHOLE_TRAVEL = (
    6  # ticks for a tensor that travels whole: up to three quarters of an interval on shared links
)
_CLOSE = 1e-6  # of a chunk: what the solver of late starts is off by
_TRAVEL = 2  # ticks for the way between kernels and for what a chunk waits inside one


@dataclass(frozen=True)
class DepthParams:
    """Whether kernels start as `late` as leaves least waiting, and for how many `inputs` a stream has room at most."""

    late: bool = False
    inputs: int | None = None


def plan_depths(
    kernels: Sequence[FusedKernel], chunkings: Mapping[str, Chunking], params: DepthParams | None = None
) -> dict[str, tuple[int, ...]]:
    """For each kernel by name, the chunks that each of its streams buffers; at least two, for double buffering."""
    params = params or DepthParams()
    edges = list(_edges(kernels, chunkings))
    starts = _late(kernels, edges) if params.late else _early(kernels, edges)
    depths: dict[str, list[int]] = {kernel.name: [] for kernel in kernels}
    for edge in edges:
        held = edge.step
        if edge.source is not None or not params.late:
            held = starts[edge.target] + edge.step - edge.first(starts)
        off = _CLOSE if params.late else 0.0
        depth = ceil(held / edge.step - off) + (1 if edge.step < TICKS else 0)
        if params.inputs is not None:
            depth = min(depth, params.inputs * edge.chunks + 1)
        depths[edge.target].append(max(2, depth))
    return {name: tuple(found) for name, found in depths.items()}


def in_time(kernels: Sequence[FusedKernel], chunkings: Mapping[str, Chunking]) -> list[tuple[int, int]]:
    """Kernels by number and the next to start, where they start late: what is needed late belongs beside its reader."""
    starts = _late(kernels, list(_edges(kernels, chunkings)))
    order = sorted(range(len(kernels)), key=lambda i: (round(starts[kernels[i].name], 3), i))
    return list(pairwise(order))


@dataclass(frozen=True)
class _Edge:
    """A stream in `chunks`, sent as `sent` of them after `travel` ticks; what the host sends has no source."""

    source: str | None
    target: str
    bytes: int
    chunks: int
    sent: int = 1
    travel: float = 0.0

    @property
    def step(self) -> float:
        """Ticks of a chunk."""
        return TICKS / self.chunks

    def first(self, starts: Mapping[str, float]) -> float:
        """When the first chunk is there."""
        return 0.0 if self.source is None else starts[self.source] + self.travel + TICKS / self.sent

    def ready(self, starts: Mapping[str, float]) -> float:
        """When the kernel that it goes to may start: with its first chunk, or with all of them."""
        if self.source is None or self.chunks > 1:
            return self.first(starts)
        return starts[self.source] + self.travel + TICKS


def _edges(kernels: Sequence[FusedKernel], chunkings: Mapping[str, Chunking]) -> Iterator[_Edge]:
    """Every stream of every kernel, in order."""
    made = {k.result.name: k for k in kernels}
    for kernel in kernels:
        for feed in kernel.streams:
            chunks = feed_chunks(feed, chunkings[kernel.name])[1]
            producer = made.get(feed.source)
            if producer is None:
                yield _Edge(None, kernel.name, feed.type.bytes, chunks)
                continue
            sent = result_chunks(producer, chunkings[producer.name])[1]
            travel = max(_TRAVEL, _WHOLE_TRAVEL // sent)
            yield _Edge(producer.name, kernel.name, feed.type.bytes, chunks, sent, travel)


def _early(kernels: Sequence[FusedKernel], edges: Sequence[_Edge]) -> dict[str, float]:
    """When each kernel can start at the earliest; kernels are in topological order, and so are edges."""
    starts = {kernel.name: 0.0 for kernel in kernels}
    for edge in edges:
        starts[edge.target] = max(starts[edge.target], edge.ready(starts))
    return starts


def _late(kernels: Sequence[FusedKernel], edges: Sequence[_Edge]) -> dict[str, float]:
    """The starts at which the bytes that wait between kernels are fewest: a linear program over differences."""
    number = {kernel.name: i for i, kernel in enumerate(kernels)}
    nothing = dict.fromkeys(number, 0.0)
    inner = [(number[e.source], number[e.target], e) for e in edges if e.source is not None]
    if not inner:
        return nothing
    cost = np.zeros(len(number))
    for source, target, edge in inner:
        cost[target] += edge.bytes
        cost[source] -= edge.bytes
    rows = np.repeat(np.arange(len(inner)), 2)
    columns = [i for source, target, _ in inner for i in (source, target)]
    differences = csr_array((np.tile([1.0, -1.0], len(inner)), (rows, columns)), (len(inner), len(number)))
    least = [-edge.ready(nothing) for _, _, edge in inner]
    found = linprog(cost / max(1.0, float(np.abs(cost).max())), differences, least, method="highs-ds")
    return {name: float(found.x[i]) for name, i in number.items()}
