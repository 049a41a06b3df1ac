"""Pipeline schedules: every pass once and in a possible order, memory as known, the bubble as in the papers."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsc.backends.gpu_cluster.plan.training_cost import in_flight
from wsc.backends.gpu_cluster.transformer.schedule import Action, actions
from wsc.backends.gpu_cluster.transformer.schedule import in_flight as counted
from wsc.backends.gpu_cluster.transformer.shape import Parallelism, Schedule

SCHEDULES: tuple[Schedule, ...] = ("gpipe", "1f1b", "interleaved", "zero-bubble")


@st.composite
def cases(draw: st.DrawFn) -> tuple[Schedule, int, int, int]:
    schedule = draw(st.sampled_from(SCHEDULES))
    ranks = draw(st.integers(1, 6))
    virtual = draw(st.integers(2, 4)) if schedule == "interleaved" else 1
    return schedule, ranks, virtual, ranks * draw(st.integers(1, 4))


def length(
    case: tuple[Schedule, int, int, int],
    forward: float = 1.0,
    backward: float = 2.0,
    orders: Sequence[Sequence[Action]] = (),
) -> float:
    """When the last pass of a step ends, messages taking no time; fails where ranks wait for each other for ever."""
    schedule, ranks, virtual, microbatches = case
    waiting = [list(order) for order in orders or actions(schedule, ranks, virtual, microbatches)]
    done: dict[tuple[str, int, int], float] = {}
    free = [0.0] * ranks
    times = {"F": forward, "B": backward, "I": backward / 2, "W": backward / 2}
    last = ranks * virtual - 1
    while any(waiting):
        moved = False
        for rank, order in enumerate(waiting):
            while order and (ready := when(order[0], rank, ranks, last, done)) is not None:
                action = order.pop(0)
                free[rank] = max(free[rank], ready) + times[action.kind] / virtual
                done[action.kind, action.chunk * ranks + rank, action.microbatch] = free[rank]
                moved = True
        assert moved, "ranks wait for each other"
    return max(free)


def when(
    action: Action, rank: int, ranks: int, last: int, done: dict[tuple[str, int, int], float]
) -> float | None:
    """When what a pass needs is there; None if it is not yet known."""
    stage, number = action.chunk * ranks + rank, action.microbatch
    if action.kind == "F":
        needs = [("F", stage - 1, number)] if stage else []
    elif action.kind == "W":
        needs = [("I", stage, number)]
    else:
        needs = [("F", stage, number), *([(action.kind, stage + 1, number)] if stage < last else [])]
    found = [done.get(need) for need in needs]
    return None if None in found else max([0.0, *(time for time in found if time is not None)])


@given(cases())
def test_every_pass_is_made_once(case: tuple[Schedule, int, int, int]) -> None:
    schedule, _, virtual, microbatches = case
    kinds = "FIW" if schedule == "zero-bubble" else "FB"
    wanted = {
        Action(kind, chunk, i) for kind in kinds for chunk in range(virtual) for i in range(microbatches)
    }  # type: ignore[arg-type]
    for order in actions(*case):
        assert len(order) == len(wanted)
        assert set(order) == wanted


@given(cases())
def test_no_rank_waits_for_ever_and_the_bubble_is_as_known(case: tuple[Schedule, int, int, int]) -> None:
    schedule, ranks, virtual, microbatches = case
    busy, fill = 3.0 * microbatches, 3.0 * (ranks - 1) / virtual
    if schedule == "zero-bubble":
        assert length(case) <= busy + fill  # never longer than 1F1B
    else:
        assert length(case) == pytest.approx(busy + fill)


def test_zero_bubble_is_shorter_where_there_are_enough_microbatches() -> None:
    assert length(("zero-bubble", 4, 1, 16)) == pytest.approx(
        3.0 * 16 + 3 * 1.0
    )  # ZB-H1: a third of the bubble


@given(cases())
def test_activations_held_are_as_the_planner_reckons(case: tuple[Schedule, int, int, int]) -> None:
    schedule, ranks, virtual, microbatches = case
    plan = Parallelism(
        pipeline=ranks, virtual=virtual, schedule=schedule, micro_batch=1, global_batch=microbatches
    )
    for rank, order in enumerate(actions(*case)):
        held = sum(counted(order, chunk) for chunk in range(virtual))
        assert held <= in_flight(plan, rank) * (1 if virtual == 1 else 2)
        if virtual == 1:
            assert held == in_flight(plan, rank)


@given(st.integers(1, 5), st.integers(2, 3), st.integers(0, 3), st.integers(1, 3))
def test_groups_may_be_larger_than_the_ranks(ranks: int, virtual: int, more: int, groups: int) -> None:
    """No longer than with groups as large as the ranks, for what fills is the same; every pass once."""
    group = ranks + more
    microbatches = group * groups
    orders = actions("interleaved", ranks, virtual, microbatches, group)
    assert all(len(set(order)) == len(order) == 2 * virtual * microbatches for order in orders)
    case = ("interleaved", ranks, virtual, microbatches)
    expected = 3.0 * microbatches + 3.0 * (ranks - 1) / virtual
    assert length(case, orders=orders) == pytest.approx(expected)  # type: ignore[arg-type]


def test_a_group_smaller_than_the_ranks_is_refused() -> None:
    with pytest.raises(ValueError, match="2 microbatches in a row are fewer than 4 ranks"):
        actions("interleaved", 4, 2, 8, 2)


def test_interleaving_takes_microbatches_in_groups() -> None:
    with pytest.raises(ValueError, match="6 microbatches do not divide by 4 ranks"):
        actions("interleaved", 4, 2, 6)
