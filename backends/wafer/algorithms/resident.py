"""What the programs of all algorithms have in common: one kernel at the corner of the fabric, its data resident."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

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
    """The program of one kernel that runs once; raises DoesNotFit where cores or their memory do not suffice.

    `in_place` names the buffers that take the memory of another.
    """
    if mesh.width > machine.grid.width_cores or mesh.height > machine.grid.height_cores:
        raise DoesNotFit(
            f"'{name}' takes {mesh.width} x {mesh.height} cores, '{machine.name}' has"
            f" {machine.grid.width_cores} x {machine.grid.height_cores}"
        )
    placed = place(buffers, in_place or {})
    kernel = Kernel(
        name, "algorithm", 0, 0, mesh, placed, tuple(instructions), 1, (), code_bytes(instructions, machine)
    )
    needed = kernel.data_bytes + kernel.code_bytes + machine.core.runtime_code_bytes
    if needed > machine.core.sram_bytes:
        raise DoesNotFit(
            f"'{name}' takes {needed} bytes on a core, '{machine.name}' has {machine.core.sram_bytes}:"
            " cut the tensors over more cores"
        )
    inputs = tuple((b.key, b.type) for b in buffers if b.role == "input")
    outputs = tuple((b.key, b.type) for b in buffers if b.role == "output")
    return Program(name, machine.name, mesh.width, mesh.height, inputs, outputs, (kernel,), ())


def code_bytes(instructions: Sequence[Instruction], machine: Wafer) -> int:
    """Estimated code of the instructions on a core, those of loops included."""
    bodies = (len(i.op.body) for i in instructions if isinstance(i.op, Loop))
    return (len(instructions) + sum(bodies)) * machine.core.instruction_code_bytes


def place(buffers: Sequence[Buffer], in_place: Mapping[str, str]) -> tuple[Buffer, ...]:
    """The buffers one after another in memory, those named in `in_place` at the address of the one they overwrite."""
    placed: dict[str, Buffer] = {}
    end = 0
    for buffer in buffers:
        old = in_place.get(buffer.name)
        placed[buffer.name] = replace(buffer, address=end if old is None else placed[old].address)
        end += buffer.bytes if old is None else 0
    return tuple(placed.values())
