"""What a drafted kernel is expected to take, to choose with: closed forms, added up. No simulator uses this."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil

from wsc.backends.wafer.algorithms.choose import all_reduce_cycles
from wsc.backends.wafer.estimate import instruction_cycles
from wsc.backends.wafer.instructions import (
    AllReduce,
    Insert,
    Load,
    Multicast,
    MultiplyAdd,
    Positions,
    Shift,
    lines_of,
)
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Buffer, Instruction, Loop, Repeat
from wsc.compiler.layout import Mesh
from wsc.compiler.ops import Contract, Reshape

_OVER = 1e3  # cycles that a byte too many counts for, while cuts are searched


def too_large(bytes: int, machine: Wafer) -> float:
    """Cycles that count for what a core would hold beyond its memory."""
    return _OVER * max(0, bytes - machine.core.sram_bytes)


@dataclass(frozen=True)
class Known:
    """Stands for instructions of which the cycles are known: how many take code, and their largest local buffer."""

    cycles: tuple[float, ...]
    count: int
    largest: int


def known_in(body: Iterable[Instruction]) -> Iterator[Known]:
    """What stands for instructions in a body, that of a repeat included."""
    for instruction in body:
        if isinstance(instruction.op, Known):
            yield instruction.op
        elif isinstance(instruction.op, Repeat):
            yield from known_in(instruction.op.body)


def expected_cycles(
    machine: Wafer, mesh: Mesh, buffers: Mapping[str, Buffer], body: Iterable[Instruction]
) -> float:
    """Cycles of instructions one after another; loads of a repeat go on beside its other instructions."""
    return sum(each_cycles(machine, mesh, buffers, body))


def each_cycles(
    machine: Wafer, mesh: Mesh, buffers: Mapping[str, Buffer], body: Iterable[Instruction]
) -> Iterator[float]:
    """Cycles of each instruction."""
    for instruction in body:
        if isinstance(instruction.op, Known):
            yield from instruction.op.cycles
        else:
            yield _cycles(machine, mesh, buffers, instruction)


def _cycles(machine: Wafer, mesh: Mesh, buffers: Mapping[str, Buffer], instruction: Instruction) -> float:
    op = instruction.op
    if isinstance(op, Loop):
        return op.steps * expected_cycles(machine, mesh, buffers, op.body)
    if isinstance(op, Repeat):
        loads = [i for i in op.body if isinstance(i.op, Load)]
        rest = [i for i in op.body if not isinstance(i.op, Load)]
        edge = sum(buffers[i.result].type.bytes for i in loads) / machine.edge_bytes_per_cycle
        return op.steps * max(edge, expected_cycles(machine, mesh, buffers, rest))
    startup = machine.core.task_startup_cycles
    match op:
        case Reshape():
            return 1
        case Load():
            return buffers[instruction.result].type.bytes / machine.edge_bytes_per_cycle
        case Insert() | Positions():
            return startup + buffers[instruction.result].tile_type.shape[0]
        case AllReduce() | Multicast() | Shift():
            return _movement(machine, mesh.folded(*lines_of(op)), op, buffers[instruction.operands[0]])
        case MultiplyAdd(text):
            product = Instruction(Contract(text), instruction.operands, instruction.result)
            return instruction_cycles(product, buffers, machine, mesh)
    return instruction_cycles(instruction, buffers, machine, mesh)


def _movement(machine: Wafer, mesh: Mesh, op: AllReduce | Multicast | Shift, operand: Buffer) -> float:
    words = ceil(operand.tile_type.bytes / machine.fabric.link_bytes_per_cycle)
    startup, hop = machine.core.task_startup_cycles, machine.fabric.hop_cycles
    if isinstance(op, Multicast):
        return startup + words + hop * sum(mesh[a].parts * mesh.pitch(a) for a in op.axes)
    parts, pitch = mesh[op.axis].parts, mesh.pitch(op.axis)
    if isinstance(op, AllReduce):
        return all_reduce_cycles(
            op.algorithm or "chain", words * pitch, parts, machine, op.group, op.root or 0, pitch
        )
    through = words * max(machine.core.exchange_cycles_per_word, pitch)
    return 2 * startup + through + 2 * pitch * hop + 2 * machine.fabric.ramp_cycles
