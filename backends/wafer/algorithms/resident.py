"""What the programs of all algorithms have in common: one kernel at the corner of the fabric, its data resident."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from wsc.backends.wafer.algorithms.memory import place
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Buffer, Instruction, Kernel, Loop, Program
from wsc.compiler.errors import DoesNotFit
from wsc.compiler.layout import Mesh


def resident_program(
    name: str,
    machine: Wafer,
    mesh: Mesh,
    buffers: Sequence[Buffer],
    instructions: Sequence[Instruction],
    in_place: Mapping[str, str] | None = None,
) -> Program:
    """The program of one kernel that runs once, at the first place without dead cores.

    `in_place` names the buffers that take the memory of another. Raises DoesNotFit where cores or their memory do not
    suffice.
    """
    if mesh.width > machine.grid.width_cores or mesh.height > machine.grid.height_cores:
        raise DoesNotFit(
            f"'{name}' takes {mesh.width} x {mesh.height} cores, '{machine.name}' has"
            f" {machine.grid.width_cores} x {machine.grid.height_cores}"
        )
    x, y = _corner(name, machine, mesh)
    placed = place(buffers, instructions, in_place or {})
    kernel = Kernel(
        name, "algorithm", x, y, mesh, placed, tuple(instructions), 1, (), code_bytes(instructions, machine)
    )
    needed = kernel.data_bytes + kernel.code_bytes + machine.core.runtime_code_bytes
    if needed > machine.core.sram_bytes:
        raise DoesNotFit(
            f"'{name}' takes {needed} bytes on a core, '{machine.name}' has {machine.core.sram_bytes}:"
            " cut the tensors over more cores"
        )
    inputs = tuple((b.key, b.type) for b in buffers if b.role == "input")
    outputs = tuple((b.key, b.type) for b in buffers if b.role == "output")
    return Program(name, machine.name, x + mesh.width, y + mesh.height, inputs, outputs, (kernel,), ())


def _corner(name: str, machine: Wafer, mesh: Mesh) -> tuple[int, int]:
    """Where a rectangle of the mesh's size has no dead core: the first such place, row by row."""
    dead = np.zeros((machine.grid.height_cores + 1, machine.grid.width_cores + 1), np.int64)
    for box in machine.keep_outs:
        dead[box.y + 1 : box.bottom + 2, box.x + 1 : box.right + 2] = 1
    before = dead.cumsum(axis=0).cumsum(axis=1)  # dead cores above and left of each corner
    w, h = mesh.width, mesh.height
    inside = before[h:, w:] - before[:-h, w:] - before[h:, :-w] + before[:-h, :-w]
    places = np.argwhere(inside == 0)
    if not places.size:
        raise DoesNotFit(
            f"'{name}' takes {w} x {h} cores, '{machine.name}' has no such rectangle without dead ones"
        )
    return int(places[0, 1]), int(places[0, 0])


def code_bytes(instructions: Sequence[Instruction], machine: Wafer) -> int:
    """Estimated code of the instructions on a core, those of loops included."""
    bodies = (len(i.op.body) for i in instructions if isinstance(i.op, Loop))
    return (len(instructions) + sum(bodies)) * machine.core.instruction_code_bytes
