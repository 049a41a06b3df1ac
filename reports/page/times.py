"""The time line as the page draws it: tracks of spans, few enough for a page."""

from __future__ import annotations

from typing import Any

from wsc.simulation.timeline import Counter, Span, Timeline, at_most, thinned

SPANS = 12_000
POINTS = 800  # of a counter
KINDS = ("compute", "movement", "stream")


def timeline_data(timeline: Timeline | None) -> dict[str, Any] | None:
    """Names once, for each track [group, name, spans], and counters; see `_counter`.

    The spans of a track are in one row, four numbers each: name, kind, start less the end of the one before, cycles.

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
        "counters": [_counter(counter) for counter in timeline.counters],
        "all": timeline.spans,
        "shown": shown.spans,
    }


def _counter(counter: Counter) -> list[Any]:
    """[name, unit, cycles, values], to four digits."""
    points = thinned(counter, POINTS).points
    return [
        counter.name,
        counter.unit,
        [at for at, _ in points],
        [float(f"{value:.4g}") for _, value in points],
    ]


def _name(span: Span) -> str:
    return str(span.arguments.get("instruction", span.name))


def _kind(span: Span) -> int:
    return KINDS.index(span.kind) if span.kind in KINDS else len(KINDS)
