"""A timeline as Perfetto reads it: the protobuf trace of its own package, or JSON in Chrome's trace format.

One cycle is shown as one nanosecond: Perfetto's times are whole nanoseconds, and a cycle of a clock is no whole number
of them. Groups of tracks are processes, tracks are threads, and a counter says how many tracks of a group are busy; the
timeline's own counters are of a process that is called the machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import accumulate, groupby
from typing import Any

from wsc.simulation.timeline import Counter, Span, Timeline, Track

_MACHINE = "machine"
_SEQUENCE = 1  # of packets; one writer


def chrome_json(timeline: Timeline) -> str:
    """JSON that chrome://tracing and Perfetto open; a cycle is a nanosecond."""
    events: list[dict[str, Any]] = []
    for process, (group, tracks) in enumerate(_groups(timeline), 1):
        events.append({"ph": "M", "name": "process_name", "pid": process, "args": {"name": group}})
        for thread, track in enumerate(tracks, 1):
            place = {"pid": process, "tid": thread}
            events.append({"ph": "M", "name": "thread_name", **place, "args": {"name": track.name}})
            events.extend(_chrome_span(span, place) for span in track.spans)
        counter = {"ph": "C", "name": f"busy {group}", "pid": process}
        events.extend({**counter, "ts": at / 1000, "args": {"busy": count}} for at, count in _busy(tracks))
    machine = len(timeline.tracks) + 1
    for quantity in timeline.counters:
        named = {"ph": "C", "name": _titled(quantity), "pid": machine}
        events.extend(
            {**named, "ts": at / 1000, "args": {quantity.unit: value}} for at, value in quantity.points
        )
    if timeline.counters:
        events.append({"ph": "M", "name": "process_name", "pid": machine, "args": {"name": _MACHINE}})
    about = {"title": timeline.title, "clock_hz": timeline.clock_hz, "one nanosecond shown": "one cycle"}
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ns", "otherData": about}) + "\n"


def _chrome_span(span: Span, place: dict[str, int]) -> dict[str, Any]:
    when = {"ts": span.start / 1000, "dur": span.cycles / 1000}
    return {"ph": "X", "name": span.name, "cat": span.kind, **when, **place, "args": dict(span.arguments)}


def perfetto_trace(timeline: Timeline) -> bytes:
    """A .perfetto-trace; a cycle is a nanosecond. Needs the package `perfetto`."""
    from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace

    trace = Trace()
    for process, (group, tracks) in enumerate(_groups(timeline), 1):
        owner = process << 32
        described = trace.packet.add().track_descriptor
        described.uuid, described.process.pid, described.process.process_name = owner, process, group
        counter = owner + (1 << 31)
        described = trace.packet.add().track_descriptor
        described.uuid, described.parent_uuid, described.name = counter, owner, f"busy {group}"
        described.counter.SetInParent()
        for thread, track in enumerate(tracks, 1):
            _add_track(trace, track, owner, process, thread)
        for at, count in _busy(tracks):
            event = _event(trace, at, counter)
            event.type, event.counter_value = event.TYPE_COUNTER, count
    if timeline.counters:
        _add_counters(trace, timeline.counters, len(timeline.tracks) + 1)
    return bytes(trace.SerializeToString())


def _add_counters(trace: Any, counters: tuple[Counter, ...], process: int) -> None:
    owner = process << 32
    described = trace.packet.add().track_descriptor
    described.uuid, described.process.pid, described.process.process_name = owner, process, _MACHINE
    for number, counter in enumerate(counters, 1):
        described = trace.packet.add().track_descriptor
        described.uuid, described.parent_uuid, described.name = owner + number, owner, _titled(counter)
        described.counter.unit_name = counter.unit
        for at, value in counter.points:
            event = _event(trace, at, owner + number)
            event.type, event.double_counter_value = event.TYPE_COUNTER, value


def _titled(counter: Counter) -> str:
    return f"{counter.name}, {counter.unit}"


def _add_track(trace: Any, track: Track, owner: int, process: int, thread: int) -> None:
    described = trace.packet.add().track_descriptor
    described.uuid, described.parent_uuid = owner + thread, owner
    thread_of = described.thread
    thread_of.pid, thread_of.tid, thread_of.thread_name = process, (process << 20) + thread, track.name
    for span in track.spans:
        begin = _event(trace, span.start, owner + thread)
        begin.type, begin.name = begin.TYPE_SLICE_BEGIN, span.name
        begin.categories.append(span.kind)
        for name, value in span.arguments.items():
            _annotate(begin.debug_annotations.add(), name, value)
        end = _event(trace, span.end, owner + thread)
        end.type = end.TYPE_SLICE_END


def _annotate(note: Any, name: str, value: str | int | float) -> None:
    note.name = name
    kind = {str: "string_value", int: "int_value", float: "double_value"}[type(value)]
    setattr(note, kind, value)


def _event(trace: Any, at: int, track: int) -> Any:
    packet = trace.packet.add()
    packet.timestamp, packet.trusted_packet_sequence_id = at, _SEQUENCE
    packet.track_event.track_uuid = track
    return packet.track_event


def _groups(timeline: Timeline) -> Iterator[tuple[str, list[Track]]]:
    """Groups of tracks; spans that overlap on a track go to further tracks, since a thread does one thing at a time."""
    for group, tracks in groupby(timeline.tracks, key=lambda track: track.group):
        yield group, [part for track in tracks for part in _apart(track)]


def _apart(track: Track) -> Iterator[Track]:
    rows: list[list[Span]] = []
    for span in track.spans:
        row = next((row for row in rows if row[-1].end <= span.start), None)
        if row is None:
            row = []
            rows.append(row)
        row.append(span)
    for number, row in enumerate(rows or [[]]):
        yield Track(track.group, f"{track.name} ({number + 1})" if number else track.name, tuple(row))


def _busy(tracks: list[Track]) -> list[tuple[int, int]]:
    """(cycle, how many tracks are busy from there on), where that changes."""
    changes: dict[int, int] = {}
    for track in tracks:
        for span in track.spans:
            changes[span.start] = changes.get(span.start, 0) + 1
            changes[span.end] = changes.get(span.end, 0) - 1
    times = sorted(at for at, change in changes.items() if change)
    return list(zip(times, accumulate(changes[at] for at in times), strict=True))
