"""When the spacing of outputs is taken as steady."""

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from wsc.simulation.steady import LONGEST_PERIOD, WARM_UP, mean_interval, steady_interval


def times(gaps: list[int]) -> list[int]:
    return list(accumulate(gaps, initial=1000))


def test_a_spacing_that_repeats_is_steady() -> None:
    assert steady_interval(times([90, 5, 7, 50, 50, 50, 50])) == 50


def test_not_before_the_pipeline_has_filled() -> None:
    assert steady_interval(times([50] * (WARM_UP - 2))) is None
    assert steady_interval(times([50] * (WARM_UP - 1))) == 50


def test_a_period_is_averaged_and_rounded_up() -> None:
    assert steady_interval(times([90, 5, 7, 10, 11, 10, 11])) == 11
    assert steady_interval(times([1, 10, 20, 30, 10, 20, 30])) == 20


def test_what_hardly_changes_is_steady() -> None:
    wobbling = [1000, 1003, 998, 1001, 1007, 1000, 1002, 1001, 999, 1004, 1000, 1006]
    assert steady_interval(times(wobbling)) == 1002
    assert steady_interval(times([gap * (i + 1) for i, gap in enumerate(wobbling)])) is None


def test_the_mean_is_of_the_later_half() -> None:
    assert mean_interval([0, 1, 2, 3, 13, 23, 34]) == 11
    assert mean_interval([7]) == 0


@given(st.lists(st.integers(1, 9), min_size=1, max_size=LONGEST_PERIOD), st.integers(0, 5))
def test_every_short_period_is_found(period: list[int], start: int) -> None:
    found = steady_interval(times([100] * start + period * (2 * WARM_UP)))
    assert found is not None
    assert abs(found - sum(period) / len(period)) < 1
