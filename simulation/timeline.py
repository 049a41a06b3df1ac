"""What happens when in a simulated run: spans on tracks, kept few enough to be looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Span:
    """Something that goes on for `cycles` from cycle `start`, of one kind: "compute", "movement" or "stream"."""

    name: str
    kind: str
    start: int
    cycles: int
    arguments: Mapping[str, str | int | float] = field(default_factory=dict)

    @property
    def end(self) -> int:
        """The cycle after its last."""
        return self.start + self.cycles


@dataclass(frozen=True)
class Track:
    """What one unit does, span after span by their starts; tracks of one `group` stand together."""

    group: str
    name: str
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Timeline:
    """The first inputs of a run, from an empty machine."""

    title: str
    clock_hz: float
    tracks: tuple[Track, ...]

    @property
    def spans(self) -> int:
        """Spans of all tracks."""
        return sum(len(track.spans) for track in self.tracks)


def at_most(timeline: Timeline, spans: int) -> Timeline:
    """The timeline with runs of short spans put together until there are at most `spans`, or one a track.

    Spans that follow each other within a growing stretch of time become one, which says how many it stands for and how
    many of its cycles were busy; long ones stay as they are.
    """
    stretch = 1
    while timeline.spans > max(spans, len(timeline.tracks)):
        stretch *= 2
        tracks = [Track(t.group, t.name, tuple(_coarser(t.spans, stretch))) for t in timeline.tracks]
        timeline = Timeline(timeline.title, timeline.clock_hz, tuple(tracks))
    return timeline


def _coarser(spans: Sequence[Span], stretch: int) -> Iterable[Span]:
    together: list[Span] = []
    for span in spans:
        if together and (span.cycles >= stretch or span.end - together[0].start > stretch):
            yield _joined(together)
            together = []
        together.append(span)
    if together:
        yield _joined(together)


def _joined(spans: Sequence[Span]) -> Span:
    if len(spans) == 1:
        return spans[0]
    count = sum(int(span.arguments.get("spans", 1)) for span in spans)
    busy = sum(int(span.arguments.get("busy cycles", span.cycles)) for span in spans)
    longest = max(spans, key=lambda span: span.cycles)
    start, end = spans[0].start, max(span.end for span in spans)
    return Span(f"{count} spans", longest.kind, start, end - start, {"spans": count, "busy cycles": busy})
