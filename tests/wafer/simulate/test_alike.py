"""Kernels of layers that are alike are costed once; the trace is that of every kernel costed by itself."""

from dataclasses import replace

import pytest

from tests.wafer.sequential_cases import llama, machine
from wsc.backends.wafer.defects import Defects
from wsc.backends.wafer.program import Program
from wsc.backends.wafer.sequential.emit import emit_sequential
from wsc.backends.wafer.sequential.plan import Wanted, plan_sequential, task_of
from wsc.backends.wafer.sequential.roll import roll
from wsc.backends.wafer.sequential.tiles import Tilings
from wsc.backends.wafer.simulate import prepare, simulate
from wsc.backends.wafer.simulate.alike import first_alike

WAFER = machine("wafer-8x8")


@pytest.fixture(scope="module")
def program() -> Program:
    model = llama("decode")
    plan = plan_sequential(model, WAFER, Wanted())
    rolled = roll(model.graph)
    placed = Tilings(task_of(model, rolled, WAFER, False), (8, 8)).placed(2)
    return emit_sequential(replace(plan, segments=placed, rolled=rolled))


def test_layers_are_alike(program):
    alike = first_alike(program, WAFER)
    assert len({first.name for first in alike.values()}) < len(program.kernels) == len(alike)
    for kernel in program.kernels:
        first = alike[kernel.name]
        assert [b.type for b in first.buffers] == [b.type for b in kernel.buffers]
        assert first.mesh == kernel.mesh
        assert [type(i.op) for i in first.body] == [type(i.op) for i in kernel.body]


def test_another_place_is_another_kernel_where_spare_cores_stand_in(program):
    defects = Defects(
        dead_cores={"value": ((3, 4),), "source": "a test"}, spare_columns={"value": 1, "source": "a test"}
    )
    wafer = WAFER.model_copy(update={"defects": defects})
    assert not wafer.repair.whole
    alike = first_alike(program, wafer)
    assert all(first.name == name for name, first in alike.items())


def test_the_trace_is_that_of_each_by_itself(program, monkeypatch):
    shared = simulate(program, WAFER)
    monkeypatch.setattr(prepare, "first_alike", lambda program, _: {k.name: k for k in program.kernels})
    assert simulate(program, WAFER) == shared
