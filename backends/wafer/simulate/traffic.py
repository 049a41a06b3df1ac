"""What each stream of a program puts on the fabric."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil

import numpy as np

from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import HOST, Endpoint, Program, Stream
from wsc.backends.wafer.simulate.flows import Flows, Index, Port, find_flows
from wsc.backends.wafer.simulate.routes import Flights, LinkLoads, Ways, find_ways


@dataclass(frozen=True, eq=False)
class Traffic:
    """A stream's words on ramps and links, in `parts` equal transfers together; `words` are those of a link.

    `source_words` and `target_words` are those of the busiest core at either end (0 at the host's).
    """

    stream: Stream
    parts: int
    ways: Ways
    source_words: int
    target_words: int
    bytes: int
    hop_bytes: int

    @property
    def tensors(self) -> int:
        """How often the figures above count for one input."""
        return self.stream.transfers // self.parts

    @property
    def loads(self) -> LinkLoads:
        """What `parts` transfers put on the links."""
        return self.ways.loads

    @cached_property
    def hops(self) -> int:
        """Links of the longest path."""
        return int(self.ways.hops.max(initial=0))

    @property
    def link_cycles(self) -> int:
        """Cycles of one transfer on its busiest link."""
        return ceil(self.loads.busiest / self.parts)

    @property
    def drain_cycles(self) -> int:
        """Cycles until one transfer has left its source, were the links free."""
        return max(self.link_cycles, ceil(self.source_words / self.parts))

    def edge_cycles(self, machine: Wafer) -> int:
        """Cycles of one transfer on the wafer's edge; 0 for a stream between kernels."""
        if HOST not in (self.stream.source.kernel, self.stream.target.kernel):
            return 0
        return ceil(self.bytes / self.stream.transfers / machine.edge_bytes_per_cycle)

    def flight_cycles(self, machine: Wafer) -> int:
        """Cycles from the start of one transfer until its last word is at the target, were the links free."""
        through = max(self.drain_cycles, ceil(self.target_words / self.parts), self.edge_cycles(machine))
        return through + self.hops * machine.fabric.hop_cycles + 2 * machine.fabric.ramp_cycles


def find_traffic(program: Program, machine: Wafer) -> tuple[Traffic, ...]:
    """The traffic of every stream, in order; flows that occur several times are found once."""
    known: dict[object, Flows] = {}
    found = []
    for stream in program.streams:
        whole = _is_whole(stream)
        key = (_port(program, stream, stream.source), stream.views, _port(program, stream, stream.target))
        if key not in known:
            known[key] = find_flows(*key)
        found.append(_traffic(program, machine, stream, known[key], stream.transfers if whole else 1))
    return tuple(found)


def _is_whole(stream: Stream) -> bool:
    """Whether the flows are those of the whole tensor: where chunks differ, unless the host takes any chunk."""
    by_host = HOST in (stream.source.kernel, stream.target.kernel) and not stream.views
    return stream.source.chunks != stream.target.chunks and not by_host


def _port(program: Program, stream: Stream, end: Endpoint) -> Port:
    """The tensor that the flows are of: all of it with its chunks, or a single chunk."""
    whole = _is_whole(stream)
    type = end.type if whole else end.chunk_type
    if end.kernel == HOST and not whole and not stream.views:
        type = (stream.target if end is stream.source else stream.source).chunk_type
    if end.kernel == HOST:
        return Port(type)
    kernel = program.kernel(end.kernel)
    chunks = end.chunks if whole else 1
    return Port(type, kernel[end.buffer].layout, kernel.mesh, chunks, end.dim)


def _traffic(program: Program, machine: Wafer, stream: Stream, flows: Flows, parts: int) -> Traffic:
    sizes = flows.elements * stream.target.type.dtype.bytes
    words = -(-sizes // machine.fabric.link_bytes_per_cycle)
    flights = _flights(program, machine, stream, flows, words)
    route = "yx" if stream.target.kernel == HOST else stream.route  # to the row on which it leaves, then out
    ways = find_ways(flights, route, machine.keep_outs, (program.width, program.height))
    if not machine.repair.whole:
        ways = replace(ways, repair=machine.repair, detour_hops=machine.defects.detour_hops)
    tensors = stream.transfers // parts
    return Traffic(
        stream=stream,
        parts=parts,
        ways=ways,
        source_words=_busiest(stream.source, flows.source, words),
        target_words=_busiest(stream.target, flows.target, words),
        bytes=int(sizes.sum()) * tensors,
        hop_bytes=int((sizes * ways.hops).sum()) * tensors,
    )


def _busiest(end: Endpoint, cores: Index, words: Index) -> int:
    if end.kernel == HOST or not words.size:
        return 0
    return int(np.bincount(cores, words).max())


def _flights(program: Program, machine: Wafer, stream: Stream, flows: Flows, words: Index) -> Flights:
    """The host's tensors come in at the west edge on the target's row and leave at the east edge on the source's.

    Where the core at the edge is dead they take the nearest row beside it.
    """
    sx, sy = _place(program, stream.source, flows.source)
    tx, ty = _place(program, stream.target, flows.target)
    if stream.source.kernel == HOST:
        sx, sy = np.full_like(tx, -1), _live_rows(machine, ty, 0)
    if stream.target.kernel == HOST:
        tx, ty = np.full_like(sx, program.width), _live_rows(machine, sy, program.width - 1)
    return Flights(sx, sy, tx, ty, words)


def _live_rows(machine: Wafer, rows: Index, column: int) -> Index:
    """The rows, or where a row's core in that column is dead the nearest row beside the dead ones."""
    for box in machine.keep_outs:
        if box.x <= column <= box.right:
            inside = (box.y <= rows) & (rows <= box.bottom)
            rows = np.where(inside, box.y - 1 if box.y else box.bottom + 1, rows)
    return rows


def _place(program: Program, end: Endpoint, cores: Index) -> tuple[Index, Index]:
    width = 1 if end.kernel == HOST else program.kernel(end.kernel).width
    return end.at[0] + cores % width, end.at[1] + cores // width
