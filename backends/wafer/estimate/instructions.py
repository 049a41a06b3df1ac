"""What an instruction is expected to cost, and what a kernel takes of memory. No simulator uses this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wsc.backends.wafer.estimate.moves import Spent, move_spent
from wsc.backends.wafer.instructions import Insert, Load, Lookup, MultiplyAdd, Positions, Recv, Send, Wait
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Buffer, Instruction, Loop, Repeat
from wsc.compiler.layout import Mesh
from wsc.compiler.ops import Contract
from wsc.compiler.ops.base import Op


def code_bytes(instructions: int, machine: Wafer) -> int:
    """Bytes of code for a kernel of so many instructions, without the runtime's."""
    return instructions * machine.core.instruction_code_bytes


def data_bytes(buffers: Sequence[Buffer]) -> int:
    """Bytes of a core's buffers."""
    return sum(b.bytes for b in buffers)


def instruction_cycles(
    instruction: Instruction, buffers: Mapping[str, Buffer], machine: Wafer, mesh: Mesh
) -> float:
    """Cycles that one instruction keeps a core busy."""
    return instruction_spent(instruction, buffers, machine, mesh).busy


def instruction_spent(
    instruction: Instruction, buffers: Mapping[str, Buffer], machine: Wafer, mesh: Mesh
) -> Spent:
    """What one instruction takes of a core and of the region's links, and when its result is there."""
    op = instruction.op
    operands = [buffers[name] for name in instruction.operands]
    startup = machine.core.task_startup_cycles
    if isinstance(op, Op):
        return _of_core(startup + _compute_cycles(op, operands, buffers[instruction.result], machine))
    moved = operands[0] if operands else buffers[instruction.result]
    words = moved.tile_type.bytes / machine.fabric.link_bytes_per_cycle
    if isinstance(op, (Recv, Send)):
        return _of_core(max(words, 1.0))  # the ramp takes them while no task runs
    if isinstance(op, Lookup):
        rows = operands[1].tile_type.elements
        row_words = buffers[instruction.result].tile_type.bytes / 4 / max(rows, 1)
        return _of_core(startup + rows * (row_words + machine.vector_startup_cycles(operands[0].type.dtype)))
    if isinstance(op, (Loop, Repeat, Insert, Positions, Load, MultiplyAdd, Wait)):
        return _of_core(startup + words)
    return move_spent(machine, mesh, op, operands, buffers[instruction.result])


def _of_core(cycles: float) -> Spent:
    return Spent(cycles, cycles)


def _compute_cycles(op: Op, operands: Sequence[Buffer], result: Buffer, machine: Wafer) -> float:
    types = [b.tile_type for b in operands]
    made = result.tile_type
    macs, vector_ops = op.arithmetic(types, made)
    if isinstance(op, Contract):
        startup = machine.vector_startup_cycles(made.dtype)
        longest, piece = op.vector_run(made), machine.mac_vector_elements(made.dtype)
        padded = -(-longest // piece) * piece / longest
        return macs * (machine.mac_cycles(made.dtype) * padded + startup / longest)
    widest = max((*types, made), key=lambda t: t.dtype.bytes).dtype
    longest = max((n for t in (*types, made) for n in t.shape), default=1)
    length = made.elements if all(t.shape == made.shape for t in types) else longest
    startup = machine.vector_startup_cycles(widest)
    return max(vector_ops, made.elements) * (1 / machine.vector_ops_per_cycle(widest) + startup / length)
