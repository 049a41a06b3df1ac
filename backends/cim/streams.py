"""The streams between stages, and how many chunks each must have room for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from heapq import heappop, heappush
from math import ceil

from wsc.backends.cim.program import HOST, Stream
from wsc.backends.cim.sizing import Option, Sizing
from wsc.backends.cim.stages import WHOLE, Cut, Draft
from wsc.compiler.ir.graph import Node

SLACK = 3  # chunks of room beyond the least, so that source and target work at the same time


def make_streams(
    cut: Cut, sizings: Sequence[Sizing], options: Sequence[Option], names: Sequence[str]
) -> tuple[Stream, ...]:
    """A stream for every value that a stage reads from another or from the host, and for every output."""
    streams: list[Stream] = []
    for draft in cut.drafts:
        for name in dict.fromkeys(name for node in draft.nodes for name in node.inputs):
            node = cut.graph[name]
            if node.is_weight or cut.stage_of.get(name) == draft.index:
                continue
            span = cut.span(draft, name)
            streams.append(_stream(cut, sizings, options, names, node, draft, span, len(streams)))
    for name in cut.graph.outputs:
        streams.append(_stream(cut, sizings, options, names, cut.graph[name], None, None, len(streams)))
    return _with_room(streams)


def _stream(
    cut: Cut,
    sizings: Sequence[Sizing],
    options: Sequence[Option],
    names: Sequence[str],
    node: Node,
    target: Draft | None,
    span: object,
    number: int,
) -> Stream:
    dim = cut.stream_dim.get(node.name, WHOLE)
    source = cut.stage_of.get(node.name)
    extent = 1 if dim == WHOLE else node.type.shape[dim]
    if dim == WHOLE:
        chunks = 1
    elif source is None:
        chunks = ceil(extent / ceil(extent / 64))
    else:
        chunks = options[source].chunks
    target_chunks = options[target.index].chunks if target else 1
    target_rows = ceil(cut.rows(target) / target_chunks) if target else 1
    return Stream(
        name=f"s{number}",
        source=HOST if source is None else names[source],
        target=HOST if target is None else names[target.index],
        tensor=node.name,
        type=node.type,
        extent=extent,
        source_rows=ceil(extent / chunks),
        source_chunks=chunks,
        target_rows=target_rows,
        target_chunks=target_chunks,
        span=span if dim != WHOLE else None,  # type: ignore[arg-type]
        capacity=1,
        homes=(),
    )


def _with_room(streams: list[Stream]) -> tuple[Stream, ...]:
    """Streams with the room that they want: that of sources which run ahead as far as they can, and some slack."""
    most = _room(streams, ahead=True)
    return tuple(
        s
        if s.target == HOST
        else replace(s, capacity=min(2 * s.source_chunks, room + min(SLACK, s.source_chunks)))
        for s, room in zip(streams, most, strict=True)
    )


def least_room(streams: Sequence[Stream], rounds: Mapping[str, int] | None = None) -> list[int]:
    """Chunks that each stream must hold so that the pipeline moves; all of them where its target is a round later.

    Every stage runs as soon as it can, but a chunk's readers before its maker, and inputs come one chunk at a time.
    The schedule is a valid one, so a pipeline with that much room never deadlocks: more room or other delays only
    let stages run earlier.
    """
    room = _room(streams, ahead=False)
    later = [bool(rounds) and _later(s, rounds or {}) for s in streams]
    return [s.source_chunks if late else r for s, r, late in zip(streams, room, later, strict=True)]


def _later(stream: Stream, rounds: Mapping[str, int]) -> bool:
    return HOST not in (stream.source, stream.target) and rounds[stream.source] != rounds[stream.target]


def _room(streams: Sequence[Stream], ahead: bool) -> list[int]:
    """The most chunks that each stream holds in a schedule in which stages run `ahead` of their readers, or do not."""
    schedule = _Eager(streams, ahead)
    schedule.run()
    return schedule.most


class _Eager:
    """One input through the pipeline, no time passing.

    It begins with what waits for nothing: the host's streams, each as if it had a stage of its own, and stages that
    read weights only.
    """

    def __init__(self, streams: Sequence[Stream], ahead: bool) -> None:
        self.streams = streams
        self.ahead = ahead
        self.produced = [0] * len(streams)
        self.released = [0] * len(streams)
        self.most = [1] * len(streams)
        self.inputs: dict[str, list[int]] = {}
        self.outputs: dict[str, list[int]] = {}
        self.chunks: dict[str, int] = {}
        for i, stream in enumerate(streams):
            self.inputs.setdefault(stream.target, []).append(i)
            self.outputs.setdefault(_source(stream), []).append(i)
            self.chunks[stream.target] = stream.target_chunks
        own = [s.source for s in streams if s.source != HOST and s.source not in self.inputs]
        self.beginnings = list(dict.fromkeys([_source(s) for s in streams if s.source == HOST] + own))
        for source in self.beginnings:
            self.chunks[source] = max(streams[i].source_chunks for i in self.outputs[source])
        self.fired = dict.fromkeys(self.chunks, 0)

    def run(self) -> None:
        """Everything, chunk by chunk of what begins."""
        # That of which the smallest part is there is next, so that several come side by side.
        begun = [(0.0, place) for place, source in enumerate(self.beginnings) if self.chunks[source]]
        while begun:
            _, place = heappop(begun)
            source = self.beginnings[place]
            self._begin(source)
            if self.fired[source] < self.chunks[source]:
                heappush(begun, (self.fired[source] / self.chunks[source], place))
        left = [s for s, chunks in self.chunks.items() if s != HOST and self.fired[s] < chunks]
        assert not left, f"no schedule runs stages {left}: what they read never comes"

    def _begin(self, source: str) -> None:
        """One more chunk of what begins; runs whatever that lets run."""
        ready = self._fire(source)
        while ready:
            stage = ready.pop()
            if not self.ahead and self._can(stage):
                ready += [stage, *self._fire(stage)]
            while self.ahead and self._can(stage):
                ready += [other for other in self._fire(stage) if other not in ready]

    def _deliver(self, streams: list[int]) -> list[str]:
        for i in streams:
            self.produced[i] += 1
            self.most[i] = max(self.most[i], self.produced[i] - self.released[i])
        return [self.streams[i].target for i in streams if self.streams[i].target != HOST]

    def _can(self, stage: str) -> bool:
        chunk = self.fired[stage]
        return chunk < self.chunks[stage] and all(
            self.produced[i] >= self.streams[i].needed(chunk) for i in self.inputs[stage]
        )

    def _fire(self, stage: str) -> list[str]:
        chunk = self.fired[stage]
        self.fired[stage] = chunk + 1
        for i in self.inputs.get(stage, []):
            self.released[i] = self.streams[i].freed(chunk)
        last = chunk + 1 == self.chunks[stage]
        return self._deliver(
            [i for i in self.outputs.get(stage, []) if self.streams[i].source_chunks > 1 or last]
        )


def _source(stream: Stream) -> str:
    """What makes a stream run: its stage, or the host for this stream alone."""
    return f"{HOST} {stream.name}" if stream.source == HOST else stream.source
