"""Timelines put together until they are small enough: nothing is lost, long spans stay."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsc.simulation.timeline import Counter, Span, Timeline, Track, at_most, counter_of, thinned


def timeline(lengths: list[tuple[int, int]]) -> Timeline:
    """One track of spans by (gap before, cycles)."""
    spans, at = [], 0
    for gap, cycles in lengths:
        spans.append(Span("op", "compute", at + gap, cycles))
        at += gap + cycles
    return Timeline("t", 1e9, (Track("kernels", "a", tuple(spans)),))


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 50)), min_size=1, max_size=60), st.integers(1, 20)
)
def test_there_are_as_few_as_asked_and_no_work_is_lost(lengths: list[tuple[int, int]], most: int) -> None:
    whole = timeline(lengths)
    few = at_most(whole, most)
    assert few.spans <= max(1, most)
    spans = few.tracks[0].spans
    assert sum(int(s.arguments.get("spans", 1)) for s in spans) == whole.spans
    assert sum(int(s.arguments.get("busy cycles", s.cycles)) for s in spans) == sum(c for _, c in lengths)
    assert (spans[0].start, spans[-1].end) == (whole.tracks[0].spans[0].start, whole.tracks[0].spans[-1].end)
    assert all(a.end <= b.start for a, b in itertools.pairwise(spans))


def test_what_is_few_enough_stays_as_it_is() -> None:
    whole = timeline([(0, 5), (1, 7)])
    assert at_most(whole, 2) is whole


def test_a_long_span_is_not_put_together_with_short_ones() -> None:
    few = at_most(timeline([(0, 1), (0, 1), (0, 1), (0, 1000), (0, 1), (0, 1)]), 3)
    assert [span.cycles for span in few.tracks[0].spans] == [3, 1000, 2]


def integral(counter: Counter) -> float:
    return sum(v * (b - a) for (a, v), (b, _) in itertools.pairwise(counter.points))


CHANGES = st.lists(
    st.tuples(st.integers(0, 200), st.integers(1, 90), st.floats(0, 50)).map(
        lambda c: (c[0], c[0] + c[1], c[2])
    ),
    min_size=1,
    max_size=40,
)


@given(CHANGES, st.floats(0, 10))
def test_a_counter_adds_up_what_goes_on(changes: list[tuple[int, int, float]], base: float) -> None:
    made = counter_of("power", "W", base, changes)
    end = max(end for _, end, _ in changes)
    whole = base * end + sum(value * (end - start) for start, end, value in changes)
    assert integral(made) == pytest.approx(whole, abs=1e-6)
    assert made.points[-1] == (end, pytest.approx(base, abs=1e-9))
    assert [at for at, _ in made.points] == sorted({at for at, _ in made.points})


@given(CHANGES, st.integers(2, 12))
def test_a_thinned_counter_has_few_points_and_the_same_integral(
    changes: list[tuple[int, int, float]], few: int
) -> None:
    made = counter_of("power", "W", 1.0, changes)
    thin = thinned(made, few)
    assert len(thin.points) <= max(few, min(few, len(made.points)))
    assert integral(thin) == pytest.approx(integral(made), rel=1e-9, abs=1e-6)


@pytest.mark.slow
def test_a_million_spans_are_put_together() -> None:
    """A hundred units with ten thousand spans each, and a counter with a point for every one of them."""
    tracks = tuple(
        Track(
            "kernels",
            str(unit),
            tuple(Span("op", "compute", 4 * i, 1 + (i + unit) % 3) for i in range(10_000)),
        )
        for unit in range(100)
    )
    power = counter_of("power", "W", 5.0, [(s.start, s.end, 1.0) for track in tracks for s in track.spans])
    whole = Timeline("t", 1e9, tracks, (power,))
    assert whole.spans == 1_000_000
    few = at_most(whole, 50_000)
    assert 10_000 < few.spans <= 50_000
    busy = sum(int(s.arguments.get("busy cycles", s.cycles)) for track in few.tracks for s in track.spans)
    assert busy == sum(s.cycles for track in tracks for s in track.spans)
    assert len(few.counters[0].points) <= 50_000
    assert integral(few.counters[0]) == pytest.approx(integral(power))
