"""Layers of pipeline stages: no way is faster, none overflows, judged by every way there is."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsc.compiler.errors import VerificationError
from wsc.placement.stages import StageProblem, partition


def ways(items: int, stages: int) -> Iterator[tuple[int, ...]]:
    """Every way to share out items over stages."""
    if stages == 1:
        yield (items,)
        return
    for first in range(items + 1):
        for rest in ways(items - first, stages - 1):
            yield (first, *rest)


@st.composite
def problems(draw: st.DrawFn) -> StageProblem:
    units, turns = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    stages = units * turns
    return StageProblem(
        items=draw(st.integers(0, 6)),
        item_time=draw(st.integers(1, 5)),
        extra_time=tuple(draw(st.integers(0, 9)) for _ in range(stages)),
        unit=tuple(stage % units for stage in range(stages)),
        item_memory=tuple(draw(st.integers(0, 5)) for _ in range(stages)),
        extra_memory=tuple(draw(st.integers(0, 5)) for _ in range(units)),
        capacity=draw(st.integers(0, 20)),
    )


@settings(max_examples=40, deadline=None)
@given(problems())
def test_no_way_is_better(problem: StageProblem) -> None:
    fitting = [way for way in ways(problem.items, len(problem.unit)) if problem.fits(way)]
    found = partition(problem)
    if not fitting:
        assert found is None
        return
    assert found is not None
    assert problem.fits(found)
    assert problem.slowest(found) == min(map(problem.slowest, fitting))


def test_the_ends_of_a_model_get_fewer_layers() -> None:
    problem = StageProblem(126, 10, (2, *[0] * 14, 10), tuple(range(16)), (1,) * 16, (0,) * 16, 126)
    found = partition(problem)
    assert found is not None
    assert problem.slowest(found) == 80
    assert found[-1] == 7


@pytest.mark.parametrize("change", [{"unit": (0,)}, {"unit": (0, 2)}, {"items": -1}, {"item_memory": (1,)}])
def test_a_problem_that_is_none_is_refused(change: dict[str, object]) -> None:
    whole = StageProblem(4, 1, (0, 0), (0, 1), (1, 1), (0, 0), 9)
    with pytest.raises(VerificationError):
        StageProblem(**{**whole.__dict__, **change})  # type: ignore[arg-type]
