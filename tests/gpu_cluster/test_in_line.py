"""Ranks that do one thing after another, simulated without events: the same in every field as with them."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compiler.graphs import graph
from tests.gpu_cluster.programs import SMALL, cluster, product, program, reduced, streamed
from wsc.backends.gpu_cluster.emit.program import emit
from wsc.backends.gpu_cluster.instructions import Alloc, Call, Free, Host, Instruction, Repeat, Wait
from wsc.backends.gpu_cluster.machine import Cluster
from wsc.backends.gpu_cluster.plan.graph_plan import MeshSize, make_plan
from wsc.backends.gpu_cluster.program import Block, Program
from wsc.backends.gpu_cluster.simulate.ranks import SimulatedRank, Task
from wsc.backends.gpu_cluster.simulate.run import ClusterTrace, simulate_program
from wsc.backends.gpu_cluster.transformer.shape import Parallelism
from wsc.backends.gpu_cluster.transformer.training import training_program

TWO_LAYERS = replace(SMALL, layers=2)
Span = tuple[int, Instruction, str, float, float]


def told(
    made: Program, on: Cluster, in_line: bool, rounds: int = 1, slow: dict[int, float] | None = None
) -> tuple[ClusterTrace, list[Span]]:
    """The trace of a run, and what its watch is told."""
    spans: list[Span] = []

    def watch(task: Task, begun: float, ended: float) -> None:
        spans.append((task.rank.color, task.instruction, task.stream, begun, ended))

    trace = simulate_program(made, on, slow, rounds, watch, in_line)
    return trace, spans


def agree(made: Program, on: Cluster, rounds: int = 1, slow: dict[int, float] | None = None) -> bool:
    """Check that both ways tell the same, to the last bit; whether the default needed no events."""
    passed: list[int] = []

    class Watched(SimulatedRank):
        def pass_through(self, *given: object) -> float:  # type: ignore[override]
            passed.append(self.color)
            return super().pass_through(*given)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("wsc.backends.gpu_cluster.simulate.run.SimulatedRank", Watched)
        default = told(made, on, True, rounds, slow)
        used = bool(passed)
        passed.clear()
        assert default == told(made, on, False, rounds, slow)
        assert not passed  # with events it is really they that tell
    return used


STEPS = {
    "one GPU": (Parallelism(global_batch=2), True),
    "tensor group": (Parallelism(tensor=2, global_batch=2, overlap_tensor=False, overlap_sums=False), True),
    "overlapped": (Parallelism(tensor=2, data=2, global_batch=4), False),
    "layer-parallel": (Parallelism(pipeline=2, tensor=2, global_batch=4), False),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_training_step_takes_the_same(name: str) -> None:
    plan, alone = STEPS[name]
    on = cluster(f"h100x{plan.ranks}")
    assert agree(training_program(TWO_LAYERS, plan, on), on, rounds=2) == alone


NET = graph(
    "%x = input(index=0) : bf16[64,1024]",
    "%w = parameter(key='w') : bf16[4096,1024]",
    "%v = parameter(key='v') : bf16[1024,4096]",
    "%y = contract(equation='ak,nk->an', windows=()) %x %w : bf16[64,4096]",
    "%r = elementwise(fn='relu', scalars=(None,)) %y : bf16[64,4096]",
    "%z = contract(equation='ak,nk->an', windows=()) %r %v : bf16[64,1024]",
    "return %z",
)


@pytest.mark.parametrize(
    ("mesh", "alone"),
    [
        (MeshSize(1, 1, 1), True),
        (MeshSize(1, 1, 4), True),
        (MeshSize(2, 1, 2), True),
        (MeshSize(1, 2, 2), False),
    ],
    ids=str,
)
def test_a_captured_graph_takes_the_same(mesh: MeshSize, alone: bool) -> None:
    on = cluster(f"h100x{mesh.gpus}")
    assert agree(emit(make_plan(NET, on, mesh)), on, rounds=3) == alone


BLOCKS = (Block("one", (product(512), reduced(2, "tensor"))), Block("two", (Call("one", 3), streamed(8))))
HIDDEN = reduced(4, "tensor", stream="sums", event="sum")
LINE: tuple[Instruction, ...] = (
    product(1024),
    streamed(16),
    reduced(8, "tensor"),
    reduced(3, "stage", "tensor"),
    Host(50),
    Call("one"),
    Call("two", 2),
    Wait(("sum",)),
    Repeat(2, (product(256), reduced(1, "stage"))),
    Repeat(1, (Alloc("room", 64), Free("room"))),
)


@settings(max_examples=40, deadline=None)
@given(
    body=st.lists(st.sampled_from((*LINE, HIDDEN)), max_size=8),
    rounds=st.integers(1, 3),
    slow=st.sampled_from([1.0, 1.3]),
)
def test_any_body_takes_the_same(body: list[Instruction], rounds: int, slow: float) -> None:
    """All ranks alike, fast or slow; a collective on a stream of its own has to be left to events."""
    made = program({"stage": 2, "tensor": 2}, body, blocks=BLOCKS)
    assert agree(made, cluster("h100x4"), rounds, dict.fromkeys(range(4), slow)) == (HIDDEN not in body)
