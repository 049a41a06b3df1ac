"""The time line as the page draws it: tracks of spans, few enough for a page."""

from __future__ import annotations

from typing import Any

from wsc.simulation.timeline import Span, Timeline, at_most

SPANS = 12_000
KINDS = ("compute", "movement", "stream")


def timeline_data(timeline: Timeline | None) -> dict[str, Any] | None:
    """Names once, and for each track [group, name, spans]; a span is [name, kind, start less the last's end, cycles].

    None where there is no time line.
    """
    if timeline is None:
        return None
    shown = at_most(timeline, SPANS)
    names: dict[str, int] = {}
    tracks = []
    for track in shown.tracks:
        end, spans = 0, list[int]()
        for span in track.spans:
            spans += [names.setdefault(_name(span), len(names)), _kind(span), span.start - end, span.cycles]
            end = span.end
        tracks.append([track.group, track.name, spans])
    return {
        "clock": shown.clock_hz,
        "names": list(names),
        "tracks": tracks,
        "all": timeline.spans,
        "shown": shown.spans,
    }


def _name(span: Span) -> str:
    return str(span.arguments.get("instruction", span.name))


def _kind(span: Span) -> int:
    return KINDS.index(span.kind) if span.kind in KINDS else len(KINDS)
