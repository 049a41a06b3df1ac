"""Kernels that do the same on as many cores, as those of a model's layers: what is found out of one serves for all."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

from wsc.backends.wafer.instructions import Recv, Send
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Instruction, Kernel, Loop, Program, Repeat


def first_alike(program: Program, machine: Wafer) -> dict[str, Kernel]:
    """By name of a kernel: the first one of its program that differs from it in names of streams and of data alone.

    Where cores are dead, a kernel at another place is another one.
    """
    known: dict[Hashable, Kernel] = {}
    return {kernel.name: known.setdefault(_look(kernel, machine), kernel) for kernel in program.kernels}


def is_of_streams(instruction: Instruction) -> bool:
    """Whether an instruction, or one inside of it, takes part in a stream, which is another for every kernel."""
    op = instruction.op
    inside = op.body if isinstance(op, (Loop, Repeat)) else ()
    return isinstance(op, (Recv, Send)) or any(map(is_of_streams, inside))


def _look(kernel: Kernel, machine: Wafer) -> Hashable:
    place = () if machine.repair.whole else (kernel.wafer, kernel.x, kernel.y)
    buffers = tuple((b.name, b.type, b.layout, b.role, b.copies, len(b.keys)) for b in kernel.buffers)
    body = tuple(map(_nameless, kernel.body))
    return kernel.mesh, kernel.chunks, kernel.in_order, kernel.once, body, buffers, place


def _nameless(instruction: Instruction) -> Instruction:
    op = instruction.op
    if isinstance(op, (Recv, Send)):
        return replace(instruction, op=replace(op, stream=""))
    if isinstance(op, (Loop, Repeat)) and is_of_streams(instruction):
        return replace(instruction, op=replace(op, body=tuple(map(_nameless, op.body))))
    return instruction
