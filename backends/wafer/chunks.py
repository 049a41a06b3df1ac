"""Which dimension of each kernel passes chunk by chunk, so that a kernel starts before its producer has ended.

A kernel can run in chunks along an axis that every part of its result depends on alone: rows of a linear layer, not
the channels of a convolution. Streams whose tensor has no such dimension (keys and values of attention) are received
whole before the first chunk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from wsc.backends.wafer.cutting import Chunking, windows_on
from wsc.backends.wafer.kernels import Feed, FusedKernel
from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops import AxisKind, Expand, Gather, Op, Permute, Reshape, Slice


@dataclass(frozen=True)
class ChunkParams:
    """At most so many chunks, of at least so many rows: short ones leave the vector units waiting on start-up."""

    most_chunks: int = 8
    least_rows: int = 16


# Shorter chunks need less memory: a model that does not fit with one is tried with the next.
SHORTENING = (ChunkParams(), ChunkParams(16, 8), ChunkParams(32, 4), ChunkParams(64, 2))


def plan_chunks(kernels: Sequence[FusedKernel], params: ChunkParams = SHORTENING[0]) -> dict[str, Chunking]:
    """The chunking of every kernel by name; kernels are in topological order."""
    made: dict[str, tuple[FusedKernel, Chunking]] = {}
    for kernel in kernels:
        made[kernel.result.name] = (kernel, _chunking(kernel, made, params))
    return {kernel.name: chunking for kernel, chunking in made.values()}


def result_chunks(kernel: FusedKernel, chunking: Chunking) -> tuple[int, int]:
    """(dimension, number) of the chunks in which the kernel's result leaves it."""
    row = kernel.result_axes[-1]
    return (
        (row.index(chunking.axis), chunking.chunks) if chunking.axis in row and chunking.axis >= 0 else (0, 1)
    )


def feed_chunks(feed: Feed, chunking: Chunking) -> tuple[int, int]:
    """(dimension, number) of the chunks in which a feed enters the kernel."""
    chunked = chunking.axis >= 0 and chunking.axis in feed.axes
    return (feed.axes.index(chunking.axis), chunking.chunks) if chunked else (0, 1)


def chunk_views(
    views: Sequence[Op], type: TensorType, dim: int, chunks: int
) -> tuple[tuple[Op, ...], int] | None:
    """The views as they act on one chunk of a tensor cut along `dim`, and the dimension the chunks have after them.

    None where a chunk before the views is no chunk after them.
    """
    result: list[Op] = []
    for op in views:
        after = op.infer([type])
        found = _follow(op, type, after, dim)
        if found is None or after.shape[found] != type.shape[dim]:
            return None
        if isinstance(op, (Reshape, Expand)):
            shape = list(op.shape)
            shape[found] //= chunks
            op = replace(op, shape=tuple(shape))
        result.append(op)
        type, dim = after, found
    return tuple(result), dim


def _follow(op: Op, before: TensorType, after: TensorType, dim: int) -> int | None:
    if isinstance(op, Permute):
        return op.order.index(dim)
    if isinstance(op, Slice):
        return None if op.dim == dim else dim
    if isinstance(op, Expand):
        return dim
    return op.tiling([before], after).operands[0][dim]


def _chunking(
    kernel: FusedKernel, made: Mapping[str, tuple[FusedKernel, Chunking]], params: ChunkParams
) -> Chunking:
    arriving = [_arrival(feed, made) for feed in kernel.streams]
    for axis, chunks in (found for found in arriving if found is not None):
        fitting = all(
            axis not in feed.axes or found == (axis, chunks) or not _is_chunked(feed, made)
            for feed, found in zip(kernel.streams, arriving, strict=True)
        )
        if fitting and _may_chunk(kernel, axis):
            return Chunking(axis, chunks)
    if any(_is_chunked(feed, made) for feed in kernel.streams):
        return Chunking()
    return _fresh(kernel, params)


def _is_chunked(feed: Feed, made: Mapping[str, tuple[FusedKernel, Chunking]]) -> bool:
    return feed.source in made and result_chunks(*made[feed.source])[1] > 1


def _arrival(feed: Feed, made: Mapping[str, tuple[FusedKernel, Chunking]]) -> tuple[int, int] | None:
    """(kernel axis, number) of the chunks that arrive at a feed, if they can be told apart there."""
    if feed.source not in made:
        return None
    producer, chunking = made[feed.source]
    dim, chunks = result_chunks(producer, chunking)
    if chunks == 1:
        return None
    passed = chunk_views(feed.views, producer.result.type, dim, chunks)
    axis = feed.axes[passed[1]] if passed else None
    return None if axis is None else (axis, chunks)


def _may_chunk(kernel: FusedKernel, axis: int) -> bool:
    in_result = all(axis in row for row in kernel.result_axes)
    parallel = kernel.axes[axis].kind is AxisKind.PARALLEL
    return in_result and parallel and not windows_on(kernel, axis)


def _fresh(kernel: FusedKernel, params: ChunkParams) -> Chunking:
    """Chunks where none arrive: along the longest axis that all streams and the result share. Images pass whole."""
    if not kernel.streams or kernel.result.type.rank > 3:
        return Chunking()
    shared = set.intersection(*(set(f.axes) for f in kernel.streams)) - {None}
    able = [a for a in shared if a is not None and _may_chunk(kernel, a) and not _is_last(kernel, a)]
    for axis in sorted(able, key=lambda a: (-kernel.axes[a].extent, a)):
        extent = kernel.axes[axis].extent
        fitting = [c for c in range(params.most_chunks, 1, -1) if extent % c == 0]
        fitting = [c for c in fitting if extent // c >= params.least_rows]
        if fitting:
            return Chunking(axis, fitting[0])
    return Chunking()


def _is_last(kernel: FusedKernel, axis: int) -> bool:
    """Whether the axis walks the last dimension of the result: features, which the next layer needs whole."""
    return kernel.result_axes[-1][-1] == axis and not isinstance(kernel.anchor.op, Gather)
