"""Why a program does not go on: which kernels wait for which streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import networkx as nx

from wsc.backends.wafer.program import HOST, Program, Stream
from wsc.simulation.channel import Channel, ReceiveTask, SendTask
from wsc.simulation.dataflow import Task


@dataclass(frozen=True)
class Wait:
    """A kernel waits for another at the end of a stream."""

    kernel: str
    other: str
    stream: str
    reason: str


def explain_deadlock(
    program: Program, tasks: Mapping[str, Sequence[Task]], channels: Mapping[str, Channel]
) -> str:
    """The kernels that wait for each other in a circle; where there is no circle, all that wait."""
    streams = {channels[stream.name]: stream for stream in program.streams}
    waits = [wait for name, ones in tasks.items() for task in ones for wait in _waits(name, task, streams)]
    if not waits:
        return "no kernel waits for a stream; the buffers inside a kernel block each other"
    return "; ".join(f"kernel '{w.kernel}' waits for {w.reason}" for w in _circle(waits) or waits)


def _waits(kernel: str, task: Task, streams: Mapping[Channel, Stream]) -> Iterator[Wait]:
    if isinstance(task, ReceiveTask) and not task.ready():
        stream = streams[task.channel]
        reason = f"content {task.started} of stream {stream.name} from {_name(stream.source.kernel)}"
        yield Wait(kernel, stream.source.kernel, stream.name, reason)
    if isinstance(task, SendTask) and task.has_operands() and not task.ready():
        stream = streams[task.channel]
        reason = (
            f"room in stream {stream.name} to {_name(stream.target.kernel)} (capacity {stream.capacity},"
            f" {task.started} contents sent)"
        )
        yield Wait(kernel, stream.target.kernel, stream.name, reason)


def _name(kernel: str) -> str:
    return "the host" if kernel == HOST else f"'{kernel}'"


def _circle(waits: Sequence[Wait]) -> list[Wait]:
    graph = nx.MultiDiGraph((w.kernel, w.other, w.stream) for w in waits)
    by_edge = {(w.kernel, w.other, w.stream): w for w in waits}
    try:
        return [by_edge[edge] for edge in nx.find_cycle(graph)]
    except nx.NetworkXNoCycle:
        return []
