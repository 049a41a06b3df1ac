"""Programs for the cycle-level simulator, and how far the fast one is from it."""

from __future__ import annotations

import numpy as np

from wsc.backends.wafer.execute import execute
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Program
from wsc.backends.wafer.simulate import simulate
from wsc.backends.wafer.simulate.cycle import CycleResult, simulate_cycles
from wsc.backends.wafer.text import parse_program
from wsc.compiler.ops.base import Array

AGREE = 0.05
MOST_CYCLES = 3_000_000


def moving(
    mesh: str, moves: list[str], types: list[str], layouts: list[str], size: int = 32, chunks: int = 1
) -> Program:
    """One kernel that moves resident %x by one instruction after another into resident %y."""
    names = ["x", *(f"t{i}" for i in range(1, len(moves))), "y"]
    roles = ['input "x"', *["local"] * (len(moves) - 1), 'output "y"']
    buffers = [
        f"  buffer %{name} {type} {layout} {role} @0"
        for name, type, layout, role in zip(names, types, layouts, roles, strict=True)
    ]
    lines = [f"  %{b} = {move} %{a}" for move, a, b in zip(moves, names, names[1:], strict=False)]
    head = [
        f'wafer program "moving" version 1 on "wafer-{size}x{size}" {size}x{size}',
        f'input "x" {types[0]}',
        f'output "y" {types[-1]}',
        f'kernel "k" linear at 0,0 mesh {mesh} chunks {chunks} code 64 in "by hand"',
    ]
    return parse_program("\n".join([*head, *buffers, *lines, "  repeat", "end"]) + "\n")


def arrays(program: Program, seed: int = 0) -> tuple[dict[str, Array], list[Array]]:
    """Weights and inputs of small whole numbers, whose sums are exact in any order."""
    random = np.random.default_rng(seed)
    inputs = [random.integers(-8, 9, type.shape).astype(type.dtype.numpy) for _, type in program.inputs]
    weights = {}
    for kernel in program.kernels:
        for buffer in kernel.buffers:
            if buffer.role == "weight":
                shape = list(buffer.type.shape)
                if buffer.chunk_dim >= 0:
                    shape[buffer.chunk_dim] *= kernel.chunks
                weights[buffer.key] = random.integers(-3, 4, shape).astype(buffer.type.dtype.numpy)
    return weights, inputs


def check(program: Program, machine: Wafer, agree: float = AGREE, exact: bool = True) -> CycleResult:
    """The data is that of `execute`, and the cycles are those of the fast simulator within `agree`."""
    weights, inputs = arrays(program)
    found = simulate_cycles(program, machine, weights, inputs, most_cycles=MOST_CYCLES)
    for a, b in zip(found.outputs, execute(program, weights, inputs), strict=True):
        if exact:
            np.testing.assert_array_equal(a, b)
        else:
            scale = float(np.abs(b.astype(np.float64)).max())
            np.testing.assert_allclose(
                a.astype(np.float64), b.astype(np.float64), rtol=1e-2, atol=1e-2 * scale
            )
    fast = simulate(program, machine).latency_cycles
    assert abs(fast / found.latency - 1) <= agree, (program.name, fast, found.latency)
    return found
