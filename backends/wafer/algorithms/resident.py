"""What the programs of all algorithms have in common: one kernel at the corner of the fabric, its data resident."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Buffer, Instruction, Kernel, Loop, Program
from wsc.compiler.errors import DoesNotFit
from wsc.compiler.layout import Mesh


def resident_program(
    name: str, machine: Wafer, mesh: Mesh, buffers: Sequence[Buffer], instructions: Sequence[Instruction]
) -> Program:
    """The program of one kernel that runs once; raises DoesNotFit where cores or their memory do not suffice."""
    if mesh.width > machine.grid.width_cores or mesh.height > machine.grid.height_cores:
        raise DoesNotFit(
            f"'{name}' takes {mesh.width} x {mesh.height} cores, '{machine.name}' has"
            f" {machine.grid.width_cores} x {machine.grid.height_cores}"
        )
    code = sum(map(_count, instructions)) * machine.core.instruction_code_bytes
    kernel = Kernel(name, "algorithm", 0, 0, mesh, _placed(buffers), tuple(instructions), 1, (), code)
    needed = kernel.data_bytes + code + machine.core.runtime_code_bytes
    if needed > machine.core.sram_bytes:
        raise DoesNotFit(
            f"'{name}' takes {needed} bytes on a core, '{machine.name}' has {machine.core.sram_bytes}:"
            " cut the tensors over more cores"
        )
    inputs = tuple((b.key, b.type) for b in buffers if b.role == "input")
    outputs = tuple((b.key, b.type) for b in buffers if b.role == "output")
    return Program(name, machine.name, mesh.width, mesh.height, inputs, outputs, (kernel,), ())


def _count(instruction: Instruction) -> int:
    return 1 + (len(instruction.op.body) if isinstance(instruction.op, Loop) else 0)


def _placed(buffers: Sequence[Buffer]) -> tuple[Buffer, ...]:
    placed: list[Buffer] = []
    for buffer in buffers:
        address = placed[-1].address + placed[-1].bytes if placed else 0
        placed.append(replace(buffer, address=address))
    return tuple(placed)
