"""Exact mode is bit-equal to the reference, over shapes, slices, encodings and widths of integers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cim.models import bottleneck, integers, linear, machine, make
from wsc.backends.cim.emit import emit
from wsc.backends.cim.execute import execute
from wsc.backends.cim.machine import CimMachine
from wsc.backends.cim.plan import make_plan
from wsc.backends.cim.verify import verify
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.model import Model
from wsc.compiler.ops.base import Array

ARRAYS = st.fixed_dictionaries(
    {
        "rows": st.sampled_from([4, 8, 20, 64]),
        "columns": st.sampled_from([16, 24, 64]),
        "arrays_per_unit": st.integers(1, 2),
        "encoding": st.sampled_from(
            ["offset", "twos_complement", "differential_columns", "differential_rows", "differential_cells"]
        ),
        "input_encoding": st.sampled_from(["twos_complement", "sign_phases", "bipolar"]),
        "dac_bits": st.integers(1, 3),
    }
)


def crossbars(array: dict[str, object], cell_bits: int) -> CimMachine:
    cell_bits = 1 if array["encoding"] == "twos_complement" else cell_bits
    return machine("isaac", array={**array, "cell_bits": cell_bits, "weight_bits": 8})


def check(model: Model, inputs: tuple[Array, ...], on: CimMachine) -> None:
    program = emit(make_plan(model.graph, on))
    verify(program)
    for found, wanted in zip(
        execute(program, model.weights, inputs), interpret(model.graph, inputs, model.weights), strict=True
    ):
        np.testing.assert_array_equal(found, wanted)


@settings(max_examples=40)
@given(ARRAYS, st.integers(1, 4), st.integers(1, 40), st.integers(1, 30), st.integers(1, 9), st.booleans())
def test_linear_layers(
    array: dict[str, object], cell_bits: int, rows: int, columns: int, batch: int, wide: bool
) -> None:
    dtype = "int16" if wide and array["columns"] != 16 else "int8"
    model, inputs = linear(rows, columns, batch, dtype)
    if columns >= 1 and array["columns"] * array["arrays_per_unit"] >= 32:  # type: ignore[operator]
        check(model, inputs, crossbars(array, cell_bits))


@pytest.mark.parametrize(
    "name", ["isaac", "puma", "pimcomp", "hermes", "neurram", "jia", "colonnade", "mythic-m1076"]
)
@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_every_machine_computes_a_residual_network(name: str, dtype: str) -> None:
    check(*integers(*bottleneck(), dtype), machine(name))


def test_copies_share_the_positions() -> None:
    made = make(*bottleneck(), machine("isaac"))
    assert max(stage.copies for stage in made.program.stages if stage.product) >= 8
