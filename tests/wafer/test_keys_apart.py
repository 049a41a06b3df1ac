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
from wsc.compiler.ir.graph import Node
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.ops import Attention, Constant, Expand

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


def masked(given: Model, shape: tuple[int, ...]) -> Model:
    """The attention with a mask for all heads in place of `causal`; a query keeps a key, unless it is masked."""
    rows = given.graph.nodes[0].type.shape[1]
    mask = Node("mask", Constant("mask"), (), TensorType(DType.BOOL, shape))
    spread = Node("spread", Expand((1, 1, rows, rows)), ("mask",), TensorType(DType.BOOL, (1, 1, rows, rows)))
    first = next(i for i, node in enumerate(given.graph.nodes) if not node.is_source)
    is_whole = shape == spread.type.shape
    nodes = [
        replace(n, inputs=(*n.inputs, "mask" if is_whole else "spread")) if isinstance(n.op, Attention) else n
        for n in without_causal(given).graph.nodes
    ]
    kept = np.random.default_rng(1).random(shape) < 0.5
    if shape[-1] > 1:
        kept[..., 0] = True
    made = (mask,) if is_whole else (mask, spread)
    graph = replace(given.graph, nodes=(*nodes[:first], *made, *nodes[first:]))
    return replace(given, graph=graph, weights={**given.weights, "mask": kept})


def blocks(rows: int) -> dict[str, Model]:
    given = models.attention_block(1, rows, 2)
    return {
        "causal": given,
        "all": without_causal(given),
        "pairs": masked(given, (1, 1, rows, rows)),
        "padding": masked(given, (1, 1, 1, rows)),
        "some queries": masked(given, (1, 1, rows, 1)),
    }


@pytest.mark.parametrize(("keys", "rows"), [((), 5), (("y0",), 8), (ROWS, 19), (COLUMNS, 5)])
@pytest.mark.parametrize("kind", ["causal", "all", "pairs", "padding", "some queries"])
def test_shared_keys(keys: Axes, rows: int, kind: str) -> None:
    """With fewer keys than parts, as many, and a number that does not come out even."""
    model, plan = all_tokens(blocks(rows)[kind], keys)
    program = emit_sequential(plan)
    verify(program)
    kinds = [type(i.op) for i in program.kernels[0].flat_instructions()]
    assert not keys or (kinds.count(Keep) >= 2 and kinds.count(AllReduce) >= 3)
    inputs = random_inputs(model)
    found, expected = execute(program, model.weights, inputs), interpret(model.graph, inputs, model.weights)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-4 * np.abs(b).max())
    if keys != ROWS:
        return
    cycle = simulate_cycles(program, WAFER, dict(model.weights), inputs)
    assert abs(simulate(program, WAFER).latency_cycles / cycle.latency - 1) <= 0.05
