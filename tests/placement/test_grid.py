"""Cells on a grid: exchanges are judged exactly, and neighbours that talk end up near each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsc.compiler.errors import VerificationError
from wsc.placement.grid import Wire, place_on_grid


@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_figures_are_those_of_the_places(cells: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    wires = [Wire(int(a), int(b), int(w)) for a, b, w in rng.integers(0, cells, (8, 3))]
    found = place_on_grid(cells, wires, 4, 3)
    assert len(set(found.places)) == cells
    assert all(0 <= x < 4 and 0 <= y < 3 for x, y in found.places)
    length = sum(
        w.weight
        * sum(abs(a - b) for a, b in zip(found.places[w.source], found.places[w.target], strict=True))
        for w in wires
    )
    assert found.wire_length == length
    assert found == place_on_grid(cells, wires, 4, 3)


def test_a_chain_has_no_long_wire() -> None:
    wires = [Wire(i, i + 1, 10) for i in range(11)]
    assert place_on_grid(12, wires, 4, 3).wire_length == 110


def test_far_friends_are_brought_together() -> None:
    assert place_on_grid(12, [Wire(0, 11, 5)], 4, 3).wire_length == 5


def test_too_many_cells() -> None:
    with pytest.raises(VerificationError, match="13 cells on a grid of 4 x 3"):
        place_on_grid(13, [], 4, 3)
