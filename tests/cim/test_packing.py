"""Convolutions in many groups: several groups on the diagonal of one array, one product for all of them."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.cim.models import machine, make
from wsc.backends.cim.execute import execute
from wsc.backends.cim.execute.analog import execute_analog
from wsc.backends.cim.execute.physics import Conditions
from wsc.backends.cim.matrix import copy_units, groups_together
from wsc.backends.cim.simulate import simulate
from wsc.backends.cim.text import parse_program, print_program
from wsc.compiler.ir.interpret import interpret


@pytest.mark.parametrize(
    ("groups", "rows", "columns", "expected"),
    [
        (144, 9, 1, 12),
        (32, 36, 4, 2),
        (2, 1200, 128, 1),
        (1, 9, 4, 1),
        (7, 9, 1, 7),
        (13, 9, 1, 13),
        (17, 9, 1, 1),
    ],
)
def test_as_many_groups_as_rows_and_columns_take(groups: int, rows: int, columns: int, expected: int) -> None:
    assert groups_together(groups, rows, columns, 128, 16) == expected


@pytest.mark.parametrize("name", ["isaac", "puma", "hermes", "neurram", "colonnade"])
@pytest.mark.parametrize(("channels", "outputs", "groups"), [(24, 24, 24), (24, 48, 12), (36, 12, 6)])
def test_packed_groups_compute_the_same(name: str, channels: int, outputs: int, groups: int) -> None:
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(channels, outputs, 3, 2, 1, groups=groups), nn.ReLU(), nn.Conv2d(outputs, 4, 1)
    )
    made = make(layers, (torch.randn(2, channels, 9, 9),), machine(name))
    packed = next(stage.product for stage in made.program.stages if stage.product)
    assert packed.packed > 1
    assert packed.groups * packed.packed == groups
    assert packed.macs == 2 * 25 * outputs * channels // groups * 9
    (wanted,) = interpret(made.model.graph, made.inputs, made.model.weights)
    np.testing.assert_array_equal(execute(made.program, made.model.weights, made.inputs)[0], wanted)
    run = execute_analog(
        made.program, made.machine, made.model.weights, made.inputs, Conditions(ideal=True, adc_bits=24)
    )
    np.testing.assert_array_equal(run.outputs[0], wanted)
    assert parse_program(print_program(made.program)) == made.program
    assert simulate(made.program, made.machine).latency_cycles > 0


def test_packing_takes_fewer_units_than_groups() -> None:
    torch.manual_seed(0)
    made = make(nn.Conv2d(96, 96, 3, 1, 1, groups=96), (torch.randn(1, 96, 8, 8),), machine("isaac"))
    (product,) = (stage.product for stage in made.program.stages if stage.product)
    assert copy_units(product, made.machine) == 96 // 12
    cells = sum(stage.copies for stage in made.program.stages if stage.product) * product.weight_type.elements
    assert cells < 96 * 9 * 65
