"""Timelines put together until they are small enough: nothing is lost, long spans stay."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from wsc.simulation.timeline import Span, Timeline, Track, at_most


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
