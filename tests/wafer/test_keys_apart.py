"""Cores that hold all tokens share an attention's keys out among them: numbers equal to the model's."""

from dataclasses import replace

import numpy as np
import pytest

from tests.wafer.compiling import random_inputs
from tests.wafer.cut_cases import WAFER, Cutting, blocks
from wsc.backends.wafer.instructions import AllReduce, Keep
from wsc.backends.wafer.sequential.causal import with_causal
from wsc.backends.wafer.sequential.draft import COLUMNS, ROWS, Axes
from wsc.backends.wafer.sequential.region import mesh_of
from wsc.backends.wafer.simulate import simulate
from wsc.backends.wafer.simulate.cycle import simulate_cycles
from wsc.compiler.ops import Attention, Parameter


def test_a_mask_without_data_stays_a_mask() -> None:
    """As of a model on the meta device; one with data that says "no later key" becomes an attribute."""
    given = blocks(1, 5, 2)["pairs"]
    nodes = [replace(n, op=Parameter("mask")) if n.name == "mask" else n for n in given.graph.nodes]
    graph = replace(given.graph, nodes=tuple(nodes))
    assert with_causal(graph, {}) == graph
    triangle = np.tri(5, dtype=np.bool_)[None, None]
    (attention,) = (n for n in with_causal(graph, {"mask": triangle}).nodes if isinstance(n.op, Attention))
    assert attention.op == replace(attention.op, causal=True)  # type: ignore[call-arg]
    assert len(attention.inputs) == 3


@pytest.mark.parametrize(("keys", "rows"), [((), 5), (("y0",), 8), (ROWS, 19), (COLUMNS, 5)])
@pytest.mark.parametrize("kind", ["causal", "all", "pairs", "padding", "some queries"])
def test_shared_keys(keys: Axes, rows: int, kind: str) -> None:
    """With fewer keys than parts, as many, and a number that does not come out even."""
    cutting = Cutting.of(blocks(1, rows, 2)[kind])
    (apart,) = cutting.task.dims.apart.values()
    program = cutting.program(mesh_of(2, 4, 4, 2), {apart: keys})
    kinds = [type(i.op) for i in program.kernels[0].flat_instructions()]
    assert not keys or (kinds.count(Keep) >= 2 and kinds.count(AllReduce) >= 3)
    inputs = random_inputs(cutting.model)
    cutting.check(program, inputs)
    if keys == ROWS:
        cycle = simulate_cycles(program, WAFER, dict(cutting.model.weights), inputs)
        assert abs(simulate(program, WAFER).latency_cycles / cycle.latency - 1) <= 0.05
