"""Words that movements put on memories and links, counted one by one on small meshes."""

import pytest

from tests.wafer.simulate.programs import wafer
from wsc.backends.wafer.instructions import (
    AllGather,
    AllReduce,
    AllToAll,
    Append,
    Broadcast,
    Exchange,
    Halo,
    Keep,
    Move,
    Multicast,
    ReduceInto,
    ReduceScatter,
    ReduceTo,
    Rotate,
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
    return moved(MACHINE, mesh, op, [buffer], buffer)


@pytest.mark.parametrize(
    ("op", "read", "written", "hops"),
    [
        (Multicast(("p",)), 1, 3, 3),
        (ReduceTo("p"), 4, 1, 3),
        (ReduceTo("p", algorithm="star"), 4 + 2, 2 + 1, 1 + 2 + 3),
        (ReduceTo("p", algorithm="two-phase", group=2), 4 + 1, 1 + 1, 1 + 1 + 2),
        (ReduceScatter("p", 0), 4, 1, 3),
        (AllReduce("p"), 4 + 1, 1 + 3, 3 + 3),
        (AllReduce("p", algorithm="star", root=2), 4 + 2 + 1, 2 + 1 + 3, (1 + 1 + 2) + 3),
        (AllReduce("p", algorithm="ring"), 6, 6, 6 * (2 + 1 + 2 + 1) / 4),
        (ReduceInto("p", 0), 4, 1, 3),
        (AllGather("p", 0), 4, 4 * 3, 4 * 3),
        (Append("p", 0), 4, 4, 3),
        (Append("p", 0, balanced=False), 1, 1, 0),
        (Keep("p", 0), 4, 4, 0),
        (Rotate("p", 0, 3, "interleaved"), 4 / 3, 4 / 3, (2 + 1 + 2 + 1) / 3),
        (Shift("p", 1, dim=0, pieces=2), 2, 2, (1 + 1 + 1 + 3) / 2),  # one of two pieces goes on
        (Shift("p", 0, "interleaved", enter=True), 3, 3, 0 + 2 + 1 + 1),  # 1 from 3, 2 from 1, 3 from 2
        (Shift("p", 1), 4, 4, 1 + 1 + 1 + 3),
        (Shift("p", 2), 4, 4, 4 * 2),
        (Shift("p", 1, "interleaved"), 4, 4, 2 + 1 + 2 + 1),  # 0 from 2, 2 from 3, 3 from 1, 1 from 0
    ],
)
def test_on_a_line_of_four(op: Move, read: float, written: float, hops: float) -> None:
    found = count(op)
    assert (found.read, found.written, found.hops) == pytest.approx(
        (read * WORDS, written * WORDS, hops * WORDS)
    )


def test_a_panel_is_a_part_of_a_tile() -> None:
    assert count(Broadcast("p", 0, 3)).hops == 3 * WORDS / 3


def test_an_exchange_is_counted_flow_by_flow() -> None:
    """A transposition on 2 x 2: the diagonal stays, the two others swap over two links each."""
    mesh, type = Mesh.parse("i=2y j=2x"), TensorType(DType.F32, (2, 2))
    lying = [
        Buffer(n, type, Layout.parse(text), "local") for n, text in (("x", "[i:1,j:1]"), ("y", "[j:1,i:1]"))
    ]
    assert moved(MACHINE, mesh, Exchange(), lying[:1], lying[1]) == Moved(4, 4, 4)


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
