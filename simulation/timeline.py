"""What happens when in a simulated run: spans on tracks, kept few enough to be looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate


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
class Counter:
    """A quantity over time: `points` are (cycle, the value from there on), by cycle."""

    name: str
    unit: str
    points: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Timeline:
    """The first inputs of a run, from an empty machine; `counters` are of the whole machine."""

    title: str
    clock_hz: float
    tracks: tuple[Track, ...]
    counters: tuple[Counter, ...] = ()

    @property
    def spans(self) -> int:
        """Spans of all tracks."""
        return sum(len(track.spans) for track in self.tracks)


def counter_of(name: str, unit: str, base: float, changes: Iterable[tuple[int, int, float]]) -> Counter:
    """A counter that is `base`, and more by `value` while each (start, end, value) of `changes` goes on."""
    steps: dict[int, float] = {0: 0.0}
    for start, end, value in changes:
        steps[start] = steps.get(start, 0.0) + value
        steps[end] = steps.get(end, 0.0) - value
    times = sorted(steps)
    values = accumulate(steps[at] for at in times)
    least = base * 1e-12  # what is left of sums of floats that cancel
    return Counter(
        name,
        unit,
        tuple((at, base + (v if abs(v) > least else 0.0)) for at, v in zip(times, values, strict=True)),
    )


def thinned(counter: Counter, points: int) -> Counter:
    """A counter of at most so many points, each the mean over its equal share of the time: its integral stays."""
    if len(counter.points) <= points:
        return counter
    starts = [at for at, _ in counter.points]
    first, last = starts[0], starts[-1]
    wide = -(-(last - first) // max(1, points - 1))
    sums: dict[int, float] = {}
    for (at, value), end in zip(counter.points, [*starts[1:], last], strict=True):
        while at < end:
            box = (at - first) // wide
            stop = min(end, first + (box + 1) * wide)
            sums[box] = sums.get(box, 0.0) + value * (stop - at)
            at = stop
    made = [(first + box * wide, total / min(wide, last - first - box * wide)) for box, total in sums.items()]
    return Counter(counter.name, counter.unit, (*made, counter.points[-1]))


def at_most(timeline: Timeline, spans: int) -> Timeline:
    """The timeline with runs of short spans put together until there are at most `spans`, or one a track.

    Spans that follow each other within a growing stretch of time become one, which says how many it stands for and how
    many of its cycles were busy; long ones stay as they are. No counter keeps more points than that.
    """
    if any(len(counter.points) > spans for counter in timeline.counters):
        timeline = replace(timeline, counters=tuple(thinned(c, spans) for c in timeline.counters))
    stretch = 1
    while timeline.spans > max(spans, len(timeline.tracks)):
        stretch *= 2
        tracks = [Track(t.group, t.name, tuple(_coarser(t.spans, stretch))) for t in timeline.tracks]
        timeline = replace(timeline, tracks=tuple(tracks))
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
