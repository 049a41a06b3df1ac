"""Cores that hold all tokens share an attention's keys out among them: numbers equal to the model's."""

import pytest

from tests.wafer.compiling import random_inputs
from tests.wafer.cut_cases import WAFER, Cutting, blocks
from wsc.backends.wafer.instructions import AllReduce, Keep
from wsc.backends.wafer.sequential.draft import COLUMNS, ROWS, Axes
from wsc.backends.wafer.sequential.region import mesh_of
from wsc.backends.wafer.simulate import simulate
from wsc.backends.wafer.simulate.cycle import simulate_cycles


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
