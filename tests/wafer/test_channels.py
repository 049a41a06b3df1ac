"""Routes that wait for each other are found, and named; those of programs do not."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wafer.compiling import compile_for, machine
from tests.wafer.models import MODELS
from tests.wafer.test_defects import damaged
from wsc.backends.wafer.channels import check_routes, find_circle
from wsc.backends.wafer.simulate.routes import Flights, Runs, Ways, find_ways
from wsc.backends.wafer.simulate.traffic import find_traffic
from wsc.compiler.errors import VerificationError

# round a square: east, south, west, north, each turning where the next one starts
SQUARE = [
    ((0, 0), (2, 0), (2, 1)),
    ((2, 0), (2, 2), (1, 2)),
    ((2, 2), (0, 2), (0, 1)),
    ((0, 2), (0, 0), (1, 0)),
]


def hand_made(routes: list[tuple[tuple[int, int], ...]]) -> Ways:
    """Routes of two straight pieces each as the ways of flows."""
    ends = [np.array([route[at][c] for route in routes]) for at in (0, -1) for c in (0, 1)]
    rows, columns = [], []
    for flow, route in enumerate(routes):
        for (ax, ay), (bx, by) in pairwise(route):
            (rows if ay == by else columns).append((flow, ay, ax, bx) if ay == by else (flow, ax, ay, by))
    made = [Runs(*(np.array(column) for column in zip(*some, strict=True))) for some in (rows, columns)]
    return Ways(Flights(*ends, np.ones(len(routes), np.int64)), *made)


def test_a_circle_is_named() -> None:
    with pytest.raises(VerificationError) as caught:
        check_routes("s7", hand_made(SQUARE))
    assert str(caught.value) == (
        "stream s7: its routes wait for each other in a circle: east from (0, 0) to (1, 0) -> east from (1, 0) to"
        " (2, 0) -> south from (2, 0) to (2, 1) -> south from (2, 1) to (2, 2) -> west from (2, 2) to (1, 2) -> west"
        " from (1, 2) to (0, 2) -> north from (0, 2) to (0, 1) -> north from (0, 1) to (0, 0) -> east from (0, 0)"
        " to (1, 0)"
    )


@pytest.mark.parametrize("left_out", range(4))
def test_three_sides_of_a_square_do_not_lock(left_out: int) -> None:
    check_routes("s", hand_made([route for n, route in enumerate(SQUARE) if n != left_out]))


def test_all_turns_of_a_square_without_meeting_do_not_lock() -> None:
    """The four turns are there, on lines that do not meet: directions have a circle, and lines have none."""
    apart = [tuple((x + 10 * n, y + 10 * n) for x, y in route) for n, route in enumerate(SQUARE)]
    check_routes("s", hand_made(apart))
    assert find_circle(apart) == []


def test_lines_in_a_circle_whose_pieces_are_not_do_not_lock() -> None:
    """Round a dead core and back to the same row: the row waits for itself, but further on."""
    detour = [((0, 1), (2, 1), (2, 0), (4, 0), (4, 1), (6, 1))]
    assert find_circle(detour) == []
    assert find_circle([*detour, ((4, 1), (4, 0), (2, 0), (2, 1))]) == []


flows = st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))


@given(st.lists(flows, min_size=1, max_size=40), st.sampled_from(["xy", "yx"]))
def test_routes_along_one_dimension_and_then_the_other_never_lock(
    places: list[tuple[int, int, int, int]], route: str
) -> None:
    columns = [np.array(column) for column in zip(*places, strict=True)]
    check_routes("s", find_ways(Flights(*columns, np.ones(len(places), np.int64)), route))


@pytest.mark.parametrize("name", sorted(MODELS)[:6])
def test_streams_of_programs_never_lock(name: str) -> None:
    found = compile_for("wafer-16x16", MODELS[name]())
    for traffic in find_traffic(found.program, machine("wafer-16x16")):
        check_routes(traffic.stream.name, traffic.ways)


def test_streams_round_dead_cores_never_lock(tmp_path: Path) -> None:
    hurt = damaged(tmp_path, "dead_cores = [[3, 3], [12, 9], [7, 7], [10, 3]]")
    found = compile_for(hurt, MODELS["attention_block"]())
    for traffic in find_traffic(found.program, hurt):
        check_routes(traffic.stream.name, traffic.ways)
