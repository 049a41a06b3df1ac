"""Runs blocks on arrays by name, and looks into every core."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from wsc.backends.wafer.algorithms import Block
from wsc.backends.wafer.execute import execute
from wsc.backends.wafer.execute.move import held
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Program
from wsc.backends.wafer.text import parse_program, print_program
from wsc.compiler.layout import Layout, Mesh
from wsc.compiler.ops.base import Array


def run(program: Program, given: Mapping[str, Array]) -> dict[str, Array]:
    """The program's outputs by name; weights and inputs are taken from `given`."""
    outputs = execute(program, given, [given[name] for name, _ in program.inputs])
    return dict(zip((name for name, _ in program.outputs), outputs, strict=True))


def run_block(block: Block, machine: Wafer, given: Mapping[str, Array]) -> dict[str, Array]:
    """As `run`, of a block's program, whose text reads back."""
    program = block.program("block", machine)
    assert parse_program(print_program(program)) == program
    return run(program, given)


def on_every_core(mesh: Mesh, layout: Layout, dense: Array) -> Array:
    """Tiles as they have to be, mesh + tile; NaN where the layout holds nothing."""
    tiles = held(mesh, layout, layout.distribute(mesh, dense))
    mask = layout.valid(mesh, dense.shape)
    return tiles if mask is None else np.where(mask, tiles, np.nan)
