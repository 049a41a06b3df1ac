"""Words that movements put on memories and links, counted one by one on small meshes."""

import pytest

from tests.wafer.simulate.programs import wafer
from wsc.backends.wafer.instructions import (
    AllReduce,
    AllToAll,
    Halo,
    Move,
    Multicast,
    ReduceScatter,
    ReduceTo,
    Shift,
)
from wsc.backends.wafer.program import Buffer
from wsc.backends.wafer.simulate.hops import Moved, moved
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.layout import Layout, Mesh

MACHINE = wafer("wafer-4x4")
LINE = Mesh.parse("p=4x")
WORDS = 12  # of a tile


def count(op: Move, mesh: Mesh = LINE, at: tuple[str, ...] = ()) -> Moved:
    buffer = Buffer("x", TensorType(DType.F32, (WORDS,)), Layout(((),), at=at), "local")
    return moved(MACHINE, mesh, op, buffer)


@pytest.mark.parametrize(
    ("op", "read", "written", "hops"),
    [
        (Multicast(("p",)), 1, 3, 3),
        (ReduceTo("p"), 4, 1, 3),
        (ReduceTo("p", algorithm="star"), 4 + 2, 2 + 1, 1 + 2 + 3),
        (ReduceTo("p", algorithm="two-phase", group=2), 4 + 1, 1 + 1, 1 + 1 + 2),
        (ReduceScatter("p", 0), 4, 1, 3),
        (AllReduce("p"), 4 + 1, 1 + 3, 3 + 3),
        (Shift("p", 1), 4, 4, 1 + 1 + 1 + 3),
        (Shift("p", 2), 4, 4, 4 * 2),
        (Shift("p", 1, "interleaved"), 4, 4, 2 + 1 + 2 + 1),  # 0 from 2, 2 from 3, 3 from 1, 1 from 0
    ],
)
def test_on_a_line_of_four(op: Move, read: int, written: int, hops: int) -> None:
    assert count(op) == Moved(read * WORDS, written * WORDS, hops * WORDS)


def test_an_exchange_of_all_with_all() -> None:
    pairs = sum(abs(i - j) for i in range(4) for j in range(4))
    assert count(AllToAll("p", 0, 1)).hops == pytest.approx(pairs * WORDS / 4)


def test_neighbours_of_an_outer_axis_are_farther_apart() -> None:
    mesh = Mesh.parse("p=4x q=2x")
    assert count(Multicast(("p",)), mesh).hops == 3 * 2 * WORDS * 2  # two lines, of a pitch of 2
    assert count(Multicast(("p",)), mesh, at=("q",)).hops == 3 * 2 * WORDS
    assert count(Multicast(("p", "q")), mesh).hops == (3 * 2 + 4 * 1) * WORDS


def test_a_skew_shifts_each_line_by_its_own_number() -> None:
    mesh = Mesh.parse("p=4x q=4y")
    lines = [sum(abs(r - (r + s) % 4) for r in range(4)) for s in range(4)]
    assert count(Shift("p", 1, None, "q"), mesh).hops == pytest.approx(sum(lines) * WORDS)
    assert count(Shift("p", 1, None, "q"), mesh).read == pytest.approx(3 * 4 * WORDS)  # line 0 stays


def test_a_halo_passes_both_ways_between_neighbours() -> None:
    assert count(Halo(0, "p", 2, 1)).hops == 3 * (2 + 1)
