"""The two forms of a timeline say the same."""

import json
from dataclasses import replace
from typing import Any

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace

from wsc.reports.perfetto import chrome_json, perfetto_trace
from wsc.simulation.timeline import Counter, Span, Timeline, Track

TIMELINE = Timeline(
    "m on w",
    850e6,
    (
        Track("kernels", "fc", (Span("mac", "compute", 0, 10, {"run": 0}), Span("send", "movement", 10, 5))),
        Track("streams", "s0", (Span("s0", "stream", 4, 10), Span("s0", "stream", 8, 10, {"half": 0.5}))),
    ),
)
SPANS = {("fc", "mac", 0, 10), ("fc", "send", 10, 15), ("s0", "s0", 4, 14), ("s0 (2)", "s0", 8, 18)}


def test_chrome_json_has_every_span_in_nanoseconds() -> None:
    events = json.loads(chrome_json(TIMELINE))["traceEvents"]
    tracks = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"}
    found = {
        (tracks[e["pid"], e["tid"]], e["name"], round(e["ts"] * 1000), round((e["ts"] + e["dur"]) * 1000))
        for e in events
        if e["ph"] == "X"
    }
    assert found == SPANS
    busy = [(round(e["ts"] * 1000), e["args"]["busy"]) for e in events if e["name"] == "busy streams"]
    assert busy == [(4, 1), (8, 2), (14, 1), (18, 0)]


def test_the_protobuf_trace_has_every_span_on_its_track() -> None:
    trace = Trace()
    trace.ParseFromString(perfetto_trace(TIMELINE))
    names = {
        p.track_descriptor.uuid: p.track_descriptor.thread.thread_name
        for p in trace.packet
        if p.HasField("track_descriptor")
    }
    events = [
        p
        for p in trace.packet
        if p.HasField("track_event") and p.track_event.type != p.track_event.TYPE_COUNTER
    ]
    open_spans: dict[int, Any] = {}
    found = set()
    for packet in events:
        event = packet.track_event
        if event.type == event.TYPE_SLICE_BEGIN:
            assert event.track_uuid not in open_spans  # slices of a thread do not overlap
            open_spans[event.track_uuid] = packet
        else:
            begin = open_spans.pop(event.track_uuid)
            found.add((names[event.track_uuid], begin.track_event.name, begin.timestamp, packet.timestamp))
    assert found == SPANS
    assert not open_spans


def test_arguments_keep_their_types() -> None:
    trace = Trace()
    trace.ParseFromString(perfetto_trace(TIMELINE))
    notes = [n for p in trace.packet for n in p.track_event.debug_annotations]
    assert [(n.name, n.int_value, n.double_value) for n in notes] == [("run", 0, 0.0), ("half", 0, 0.5)]


def test_counters_of_the_machine_are_in_both_forms() -> None:
    timeline = replace(TIMELINE, counters=(Counter("power", "W", ((0, 2.5), (7, 1.0))),))
    events = json.loads(chrome_json(timeline))["traceEvents"]
    found = [(round(e["ts"] * 1000), e["args"]["W"]) for e in events if e["name"] == "power, W"]
    assert found == [(0, 2.5), (7, 1.0)]
    trace = Trace()
    trace.ParseFromString(perfetto_trace(timeline))
    names = {
        p.track_descriptor.uuid: p.track_descriptor.name
        for p in trace.packet
        if p.HasField("track_descriptor")
    }
    points = [
        (p.timestamp, p.track_event.double_counter_value)
        for p in trace.packet
        if p.HasField("track_event") and names.get(p.track_event.track_uuid) == "power, W"
    ]
    assert points == [(0, 2.5), (7, 1.0)]
