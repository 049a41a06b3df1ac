"""Colours: who may share one, how many positions they take, and when they run out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsc.backends.wafer.colors import EAST, MOST_POSITIONS, RAMP, SOUTH, WEST, Colored, Family, allocate, path
from wsc.backends.wafer.movement.parts import Message
from wsc.compiler.errors import DoesNotFit


def family(*ways: tuple[int, int], name: str = "f", row: int = 0) -> Family:
    """Messages of a word along a row, from column to column."""
    messages = tuple(Message((a, row), ((b, row),), 1) for a, b in ways)
    return Family(name, f"kernel '{name}'", messages)


def test_a_path_turns_once_and_forks_where_targets_part() -> None:
    assert path(Message((0, 0), ((2, 1),), 1)) == {
        (0, 0): (RAMP, (EAST,)),
        (1, 0): (WEST, (EAST,)),
        (2, 0): (WEST, (SOUTH,)),
        (2, 1): (0, (RAMP,)),
    }
    fork = path(Message((1, 0), ((0, 0), (3, 0)), 1))
    assert fork[1, 0] == (RAMP, (EAST, WEST))


def test_neighbours_need_two_colours_and_the_way_back_a_third() -> None:
    shift = family(*((p, p - 1) for p in range(1, 8)), (0, 7))
    found = allocate([shift], 21)
    assert (found.used, found.most_positions) == (3, 1)


def test_families_that_meet_differ_and_others_share() -> None:
    a, b, c = family((0, 3), name="a"), family((2, 5), name="b"), family((0, 5), name="c", row=1)
    found = allocate([a, b, c], 21)
    assert found.used == 2
    assert found.color["a"] != found.color["b"]


def test_a_gather_shares_one_colour_in_positions() -> None:
    gather = Family("g", "kernel 'g'", family(*((p, 0) for p in range(1, 20))).messages, ordered=True)
    found = allocate([gather], 21)
    assert (found.used, found.most_positions) == (1, 2)


@pytest.mark.parametrize("colors", [2, 3, 21])
def test_what_passes_a_core_comes_on_one_lane_and_leaves_on_the_other(colors: int) -> None:
    """Many streams beside a chain leave it few colours; it needs two in any case."""
    chain = tuple(Message((p, 0), ((p - 1, 0),), 100, lane=p % 2) for p in range(7, 0, -1))
    back = tuple(Message((p, 0), ((p + 1, 0),), 100, lane=p % 2) for p in range(7))
    found = allocate([Family("c", "kernel 'c'", chain + back)], colors)
    used = found.color["c"]
    for n, message in enumerate(chain + back):
        onward = [used[i] for i, m in enumerate(chain + back) if m.source == message.targets[0]]
        assert used[n] not in onward


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=40), st.integers(1, 21))
def test_no_message_is_led_astray(pairs: list[tuple[int, int]], colors: int) -> None:
    """In the order of its sequence, every router takes every message the way that the message goes."""
    messages = family(*((a, b) for a, b in pairs if a != b))
    try:
        found = allocate([messages], colors)
    except DoesNotFit:
        return
    assert found.used <= colors
    assert found.most_positions <= MOST_POSITIONS
    follow(found, messages)


def follow(found: Colored, messages: Family) -> None:
    passed: dict[tuple[int, tuple[int, int]], int] = {}
    for message, color in zip(messages.messages, found.color[messages.name], strict=True):
        for place, turn in path(message).items():
            sequence, number = found.sequences[color][place], passed.get((color, place), 0)
            assert found.positions[color][place][sequence[number % len(sequence)]] == turn
            passed[color, place] = number + 1


def test_running_out_is_told_with_the_count() -> None:
    many = [family((0, 1), name=f"k{i}") for i in range(5)]
    with pytest.raises(DoesNotFit) as caught:
        allocate(many, 4)
    assert str(caught.value) == (
        "the program takes 5 colours where its routes meet, and the machine has 4: kernel 'k4' alone takes 1; a cut"
        " over fewer axes, or fewer streams through the region, takes fewer"
    )


def test_a_message_to_itself_is_none() -> None:
    with pytest.raises(ValueError, match="a message from"):
        path(Message((0, 0), ((0, 0),), 1))
