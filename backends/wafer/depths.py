"""How many chunks each stream must buffer so that no kernel waits for memory.

Where two paths join, the data of the shorter one waits for the longer. With every kernel at the same interval, the
wait in chunks follows from the order of the kernels alone: one interval is `TICKS` ticks, a kernel's first chunk
leaves one chunk time after it starts, and a kernel that needs a tensor whole starts when its last chunk is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

from wsc.backends.wafer.chunks import feed_chunks, result_chunks
from wsc.backends.wafer.cutting import Chunking
from wsc.backends.wafer.kernels import Feed, FusedKernel

TICKS = 8
_WHOLE_TRAVEL = (
    6  # ticks for a tensor that travels whole: up to three quarters of an interval on shared links
)
_TRAVEL = 2  # ticks for the way between kernels and for what a chunk waits inside one


def plan_depths(
    kernels: Sequence[FusedKernel], chunkings: Mapping[str, Chunking]
) -> dict[str, tuple[int, ...]]:
    """For each kernel by name, the chunks that each of its streams buffers; at least two, for double buffering."""
    starts: dict[str, float] = {}
    made = {k.result.name: k for k in kernels}
    depths: dict[str, tuple[int, ...]] = {}
    for kernel in kernels:
        chunking = chunkings[kernel.name]
        arrivals = [_arrival(f, made, chunkings, starts) for f in kernel.streams]
        ready = [_ready(f, chunking, a, last) for f, (a, last) in zip(kernel.streams, arrivals, strict=True)]
        starts[kernel.name] = max(ready, default=0.0)
        depths[kernel.name] = tuple(
            _depth(feed, chunking, first, starts[kernel.name])
            for feed, (first, _) in zip(kernel.streams, arrivals, strict=True)
        )
    return depths


def _arrival(
    feed: Feed,
    made: Mapping[str, FusedKernel],
    chunkings: Mapping[str, Chunking],
    starts: Mapping[str, float],
) -> tuple[float, float]:
    """When the first and the last chunk of a feed are there."""
    if feed.source not in made:
        return 0.0, 0.0
    producer = made[feed.source]
    chunks = result_chunks(producer, chunkings[producer.name])[1]
    start = starts[producer.name] + max(_TRAVEL, _WHOLE_TRAVEL // chunks)
    return start + TICKS / chunks, start + TICKS


def _ready(feed: Feed, chunking: Chunking, first: float, last: float) -> float:
    chunked = feed_chunks(feed, chunking)[1] > 1
    return first if chunked else last


def _depth(feed: Feed, chunking: Chunking, first: float, start: float) -> int:
    step = TICKS / feed_chunks(feed, chunking)[1]
    held = start + step - first
    return max(2, ceil(held / step) + (1 if step < TICKS else 0))
