"""Ways and channels of nets: none meet on a channel, rooms keep what they promise, nets turn where they must."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wsc.placement.channels import Cells, Room, choose_channels, meetings


def _row(*cells: int) -> Cells:
    found = np.zeros((1, 6), np.bool_)
    found[0, list(cells)] = True
    return found


def test_sets_that_lie_in_others_are_left_out() -> None:
    assert meetings([_row(0, 1), _row(1, 2), _row(2), _row(5)]) == [[0, 1], [1, 2]]
    assert meetings([]) == []


@given(st.lists(st.sets(st.integers(0, 5), min_size=1), min_size=1, max_size=6), st.integers(1, 6))
def test_nets_that_meet_have_different_channels(nets: list[set[int]], channels: int) -> None:
    ways = [[_row(*cells)] for cells in nets]
    most = max(sum(cell in cells for cells in nets) for cell in range(6))
    found = choose_channels(ways, channels, [])
    assert found is not None or channels < most or most > 1  # what meets nowhere needs one
    if found is not None:
        taken = [(cell, channel) for cells, (_, channel) in zip(nets, found, strict=True) for cell in cells]
        assert len(taken) == len(set(taken))
        assert all(0 <= channel < channels for _, channel in found)
    if channels >= len(nets):
        assert found is not None


def test_a_net_turns_where_it_would_meet_too_many() -> None:
    ways = [[_row(0, 1)], [_row(1, 2)], [_row(1), _row(3)]]
    assert choose_channels(ways[:2] + [ways[2][:1]], 2, []) is None
    found = choose_channels(ways, 2, [])
    assert found is not None
    assert [way for way, _ in found] == [0, 0, 1]


def test_a_room_lets_as_many_through_as_it_says() -> None:
    ways = [[_row(0)], [_row(1)], [_row(2)]]
    room = (slice(0, 1), slice(0, 3))
    found = choose_channels(ways, 3, [Room(room, 1)])
    assert found is not None
    assert len({channel for _, channel in found}) == 1
    assert choose_channels(ways, 3, [Room(room, 0)]) is None
