"""Cores that hold all tokens share an attention's keys out among them: numbers equal to the model's."""

from dataclasses import replace

import numpy as np
import pytest

from tests.wafer import models
from tests.wafer.compiling import random_inputs
from tests.wafer.sequential_cases import machine
from wsc.backends.wafer.execute import execute
from wsc.backends.wafer.instructions import AllReduce, Keep
from wsc.backends.wafer.sequential.assign import Cuts
from wsc.backends.wafer.sequential.causal import with_causal
from wsc.backends.wafer.sequential.division import cut_segments
from wsc.backends.wafer.sequential.draft import COLUMNS, ROWS, Axes
from wsc.backends.wafer.sequential.emit import emit_sequential
from wsc.backends.wafer.sequential.placed import PlacedSegment
from wsc.backends.wafer.sequential.plan import SequentialPlan, Wanted, plan_sequential, task_of
from wsc.backends.wafer.sequential.region import Task, lay, mesh_of
from wsc.backends.wafer.sequential.roll import roll
from wsc.backends.wafer.simulate import simulate
from wsc.backends.wafer.simulate.cycle import simulate_cycles
from wsc.backends.wafer.target import TARGET
from wsc.backends.wafer.verify import verify
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.model import Model
from wsc.compiler.ops import Attention

WAFER = machine("wafer-8x8")


def all_tokens(model: Model, keys: Axes) -> tuple[Model, SequentialPlan]:
    """Everything whole on every core but the keys of the attention, which are cut over some axes."""
    model = TARGET.legalize(model, WAFER)
    rolled = roll(with_causal(model.graph, model.weights))
    task: Task = task_of(model, rolled, WAFER, False)
    (apart,) = task.dims.apart.values()
    cuts: Cuts = {apart: keys}
    segment = cut_segments(rolled, [rolled.count])[0]
    laid = lay(task, segment, mesh_of(2, 4, 4, 2), cuts)
    plan = plan_sequential(model, WAFER, Wanted())
    return model, replace(plan, segments=(PlacedSegment(laid, 0, 0, 0),), rolled=rolled, dims=task.dims)


def without_causal(model: Model) -> Model:
    nodes = tuple(
        replace(n, op=replace(n.op, causal=False)) if isinstance(n.op, Attention) else n
        for n in model.graph.nodes
    )
    return replace(model, graph=replace(model.graph, nodes=nodes))


@pytest.mark.parametrize("keys", [("y0",), ROWS, COLUMNS])
@pytest.mark.parametrize("rows", [5, 8, 19])
@pytest.mark.parametrize("causal", [True, False])
def test_shared_keys(keys: Axes, rows: int, causal: bool) -> None:
    """With fewer keys than parts, as many, and a number that does not come out even."""
    given = models.attention_block(1, rows, 2)
    model, plan = all_tokens(given if causal else without_causal(given), keys)
    program = emit_sequential(plan)
    verify(program)
    kinds = [type(i.op) for i in program.kernels[0].flat_instructions()]
    assert kinds.count(Keep) >= 2 and kinds.count(AllReduce) >= 3
    inputs = random_inputs(model)
    found, expected = execute(program, model.weights, inputs), interpret(model.graph, inputs, model.weights)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-4 * np.abs(b).max())
    cycle = simulate_cycles(program, WAFER, dict(model.weights), inputs)
    assert abs(simulate(program, WAFER).latency_cycles / cycle.latency - 1) <= 0.05
