"""Streams between kernels as messages: which elements of the source's tile go to which places of the target's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from wsc.backends.wafer.movement.parts import (
    OPERAND,
    RESULT,
    Elements,
    Leg,
    Message,
    Place,
    Region,
    Span,
    Work,
    holders,
    words_of,
)
from wsc.backends.wafer.program import HOST, Endpoint, Program, Stream
from wsc.compiler.ops.base import Array
from wsc.compiler.ops.movement import Pad


@dataclass(eq=False)
class StreamExpansion:
    """A stream's messages, in the order of all its transfers, and the work of both ends.

    Work is by place, of one chunk of the end each (`sends[chunk]`, `receives[chunk]`). A host's core holds the words
    that it sends, or gets, for one input one after another: `payloads[place]` are their elements in the tensor.
    """

    stream: Stream
    messages: list[Message] = field(default_factory=list)
    sends: list[dict[Place, Work]] = field(default_factory=list)
    receives: list[dict[Place, Work]] = field(default_factory=list)
    payloads: dict[Place, list[Elements]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True, eq=False)
class _Flow:
    """Elements of one chunk of the source for one chunk of the target: from core to core, by number in the tiles."""

    sent: int
    received: int
    source: Place
    target: Place
    taken: Elements
    place: Elements


def expand_stream(program: Program, stream: Stream) -> StreamExpansion:
    """Messages of one input; the farthest of a transfer go first."""
    made = StreamExpansion(stream)
    made.sends = [{} for _ in range(stream.source.chunks)]
    made.receives = [{} for _ in range(stream.target.chunks)]
    flows = list(_flows(program, stream))
    flows.sort(key=lambda f: (max(f.sent, f.received), -_distance(f), f.source, f.target))
    size = stream.target.type.dtype.bytes
    latest: dict[tuple[int, Place], int] = {}
    for flow in flows:
        words = words_of(flow.taken.size, size)
        message = len(made.messages)
        made.messages.append(Message(flow.source, (flow.target,), words, stream.route))
        sender = made.sends[flow.sent].setdefault(flow.source, Work(tasks=0)).legs
        before = latest.get((flow.sent, flow.source), -1)
        sender.append(
            Leg(words, sends=message, reads=_span(made, stream.source, flow, OPERAND), after=before)
        )
        latest[flow.sent, flow.source] = len(sender) - 1
        receiver = made.receives[flow.received].setdefault(flow.target, Work(tasks=0)).legs
        receiver.append(Leg(words, receives=message, writes=_span(made, stream.target, flow, RESULT)))
    return made


def _span(made: StreamExpansion, end: Endpoint, flow: _Flow, memory: int) -> Span:
    """Where the elements lie in a tile, or one after another in the memory of the host's core."""
    if end.kernel != HOST:
        return Span(memory, flow.taken if memory == OPERAND else flow.place)
    place, elements = (flow.source, flow.taken) if memory == OPERAND else (flow.target, flow.place)
    lanes = max(1, 4 // end.type.dtype.bytes)
    start = sum(-(-kept.size // lanes) * lanes for kept in made.payloads[place])
    made.payloads[place].append(elements)
    return Span(memory, np.arange(start, start + elements.size))


def _distance(flow: _Flow) -> int:
    return abs(flow.source[0] - flow.target[0]) + abs(flow.source[1] - flow.target[1])


def _flows(program: Program, stream: Stream) -> Iterator[_Flow]:
    """Elements keep their number, from 1, through the views; what a view pads has number 0."""
    source, target = stream.source, stream.target
    alike = source.chunks == target.chunks
    kind = source.chunk_type if alike else source.type
    numbers: Array = np.arange(1, kind.elements + 1).reshape(kind.shape)
    for op in stream.views:
        op = replace(op, value=0.0) if isinstance(op, Pad) else op
        numbers = op.reference([numbers])
    chunk, core, offset = _sources(program, stream, alike)
    pieces = [numbers] if alike else np.split(numbers, target.chunks, axis=target.dim)
    for received, piece in enumerate(pieces):
        for place, elements, wanted in _targets(program, stream, received, piece):
            keys = np.stack([chunk[wanted - 1], core[wanted - 1]], axis=1)
            for sent, at in np.unique(keys, axis=0).tolist():
                chosen = (keys[:, 0] == sent) & (keys[:, 1] == at)
                taken = offset[wanted[chosen] - 1]
                begins = _source_place(program, stream, at, place)
                for repeat in range(source.chunks if alike else 1):
                    shift = repeat if alike else 0
                    ends = _target_place(program, stream, place, begins)
                    moved = taken, elements[chosen]
                    if alike and HOST in (source.kernel, target.kernel) and source.chunks > 1:
                        moved = _in_host(stream, moved, shift)
                    yield _Flow(sent + shift, received + shift, begins, ends, *moved)


def _in_host(stream: Stream, moved: tuple[Elements, Elements], chunk: int) -> tuple[Elements, Elements]:
    """Elements of a chunk by their number in the host's whole tensor."""
    taken, place = moved
    if stream.source.kernel == HOST:
        taken = _whole_numbers(stream.source, chunk)[taken]
    if stream.target.kernel == HOST:
        place = _whole_numbers(stream.target, chunk)[place]
    return taken, place


def _whole_numbers(end: Endpoint, chunk: int) -> Elements:
    whole = np.arange(end.type.elements).reshape(end.type.shape)
    return np.split(whole, end.chunks, axis=end.dim)[chunk].ravel()


def _sources(program: Program, stream: Stream, alike: bool) -> tuple[Elements, Elements, Elements]:
    """For every element of the source's tensor (or of one chunk): its chunk, its core there, its number in the tile."""
    end = stream.source
    if end.kernel == HOST:
        count = end.chunk_type.elements if alike else end.type.elements
        return np.zeros(count, int), np.zeros(count, int), np.arange(count)
    kernel = program.kernel(end.kernel)
    layout, mesh, shape = kernel[end.buffer].layout, kernel.mesh, end.chunk_type.shape
    tile = layout.tile(shape)
    full = (*mesh.shape, *tile)
    lead = len(mesh.shape)
    cores = np.arange(kernel.cores).reshape(mesh.shape + (1,) * len(tile))
    offsets = np.arange(int(np.prod(tile))).reshape((1,) * lead + tuple(tile))
    core = layout.collect(mesh, np.broadcast_to(cores, full), shape)
    offset = layout.collect(mesh, np.broadcast_to(offsets, full), shape)
    parts = 1 if alike else end.chunks
    chunk = [np.full(shape, i) for i in range(parts)]
    axis = end.dim if end.type.rank else None

    def joined(arrays: list[NDArray[np.int64]]) -> Elements:
        return (np.concatenate(arrays, axis=axis) if len(arrays) > 1 else arrays[0]).ravel()

    return joined(chunk), joined([core] * parts), joined([offset] * parts)


def _targets(
    program: Program, stream: Stream, chunk: int, numbers: Array
) -> Iterator[tuple[int, Elements, Elements]]:
    """Cores of the target with the elements of their tile that come from the source, and these by their number."""
    end = stream.target
    if end.kernel == HOST:
        flat = numbers.ravel()
        place = np.flatnonzero(flat)
        whole = place
        if end.chunks > 1 and stream.source.chunks != end.chunks:
            whole = _whole_numbers(end, chunk)[place]
        yield 0, whole, flat[place]
        return
    kernel = program.kernel(end.kernel)
    layout, mesh = kernel[end.buffer].layout, kernel.mesh
    tiles = layout.distribute(mesh, numbers).reshape(kernel.cores, -1)
    for core in holders(mesh, layout.at):
        place = np.flatnonzero(tiles[core])
        yield core, place, tiles[core][place]


def _place(program: Program, end: Endpoint, core: int) -> Place:
    kernel = program.kernel(end.kernel)
    x, y = Region.of(kernel).places[core]
    return x - kernel.x + end.at[0], y - kernel.y + end.at[1]


def _source_place(program: Program, stream: Stream, core: int, target: int) -> Place:
    """The host's tensors come in at the west edge on the row of the target."""
    if stream.source.kernel != HOST:
        return _place(program, stream.source, core)
    return -1, 0 if stream.target.kernel == HOST else _place(program, stream.target, target)[1]


def _target_place(program: Program, stream: Stream, core: int, source: Place) -> Place:
    """The host's tensors leave at the east edge on the row of the source."""
    if stream.target.kernel != HOST:
        return _place(program, stream.target, core)
    return program.width, source[1]


def pads(stream: Stream) -> float | None:
    """What the views of a stream pad with, if they do."""
    values = [op.value for op in stream.views if isinstance(op, Pad)]
    return values[0] if values else None
