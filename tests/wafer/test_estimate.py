"""The planner's estimate of every kind of movement is near what the fast simulator charges; they share no code."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wafer.simulate.programs import wafer
from wsc.backends.wafer.estimate import kernel_time, move_spent
from wsc.backends.wafer.instructions import (
    AllGather,
    AllReduce,
    AllToAll,
    Append,
    Broadcast,
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
from wsc.backends.wafer.program import Buffer, Instruction
from wsc.backends.wafer.simulate.moves import move_cost
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.layout import Layout, Mesh, MeshAxis

NEAR = 0.1  # of busy cycles, of cycles until the result is there, and of those of links
FAR = {"all-to-all": 0.2}  # whose messages wait for colours: the simulator plays them through
SLACK = 3  # cycles: what is rounded up on one side alone

KINDS: dict[str, Move] = {
    "multicast": Multicast(("a",)),
    "multicast to a rectangle": Multicast(("a", "b")),
    "broadcast": Broadcast("a"),
    "chain": ReduceTo("a"),
    "tree": ReduceTo("a", algorithm="tree"),
    "two-phase": ReduceTo("a", algorithm="two-phase", group=3),
    "reduce-into": ReduceInto("a", 0),
    "reduce-scatter": ReduceScatter("a", 0),
    "all-reduce": AllReduce("a"),
    "all-reduce by a star": AllReduce("a", algorithm="star"),
    "all-reduce by a k-tree": AllReduce("a", algorithm="k-tree", group=4),
    "all-reduce on a ring": AllReduce("a", algorithm="ring"),
    "halo": Halo(0, "a", 1, 1),
    "halo of one side": Halo(0, "a", 0, 2),
    "shift": Shift("a", 1),
    "shift by two": Shift("a", -2),
    "shift on a ring": Shift("a", 1, "interleaved"),
    "rotate": Rotate("a", 0, 1, "interleaved"),
    "all-to-all": AllToAll("a", 1, 0),
    "all-gather": AllGather("a", 0),
    "keep": Keep("a", 0),
    "append": Append("a", 0),
}


@st.composite
def meshes(draw: st.DrawFn) -> Mesh:
    """An axis a, with others that its parts may be apart by, or beside it."""
    a = MeshAxis("a", draw(st.integers(4, 60)), "x")
    b = MeshAxis("b", draw(st.integers(1, 4)), draw(st.sampled_from("xy")))
    return Mesh((a, b))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(meshes(), st.integers(2, 200), st.integers(1, 40), st.sampled_from([DType.F32, DType.F16]))
def test_a_movement_costs_what_the_simulator_charges(
    kind: str, mesh: Mesh, rows: int, columns: int, dtype: DType
) -> None:
    machine = wafer("wse2")
    buffer = Buffer("x", TensorType(dtype, (rows, columns)), Layout(((), ())), "local")
    op = KINDS[kind]
    spent, cost = (
        move_spent(machine, mesh, op, [buffer], buffer),
        move_cost(machine, mesh, op, [buffer], buffer),
    )
    assert spent.latency == pytest.approx(cost.latency, rel=FAR.get(kind, NEAR), abs=SLACK)
    assert spent.busy == pytest.approx(cost.occupancy, rel=NEAR, abs=SLACK)
    assert spent.links == pytest.approx(cost.line_cycles, rel=NEAR, abs=SLACK)


def test_a_result_that_comes_late_holds_its_copies() -> None:
    """A reduce-scatter over 64 cores takes about 800 cycles to come; two at a time are 400 apart, four are 200."""
    mesh = Mesh((MeshAxis("a", 64, "x"),))
    machine = wafer("wse2")

    def interval(copies: int) -> float:
        made = Layout((("a",),))  # type: ignore[arg-type]
        kind = TensorType(DType.F32, (64,))
        buffers = {
            "x": Buffer("x", kind, Layout(((),), partial=("a",)), "input"),
            "y": Buffer("y", kind, made, "local", copies=copies),
        }
        body = [Instruction(ReduceScatter("a", 0), ("x",), "y")]
        return kernel_time([], body, 1, buffers, machine, mesh).interval

    assert interval(2) == (30 + 64 + 1 + 2 * 6 * 62) / 2
    assert interval(4) == interval(2) / 2
    assert interval(64) == 30 + 64 + 1
