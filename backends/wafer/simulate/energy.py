"""Energy of one input in the steady state, by component, from the program's instructions and streams.

Every multiply-add reads two elements of memory and writes one (the third operand stays in a register); every other
elementary operation likewise. Movement within a region counts words as `hops` does, a stream's words are read at the
source, written at the target and pass the links of its route. Static power is drawn for the whole interval, by the
whole wafer. Queues, instruction issue and the host's side are not modelled apart: issue is in the static power.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from wsc.backends.wafer.instructions import (
    Insert,
    Load,
    Lookup,
    Move,
    MultiplyAdd,
    Positions,
    Recv,
    Send,
    Wait,
)
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import HOST, Buffer, Instruction, Kernel, Loop, Repeat
from wsc.backends.wafer.simulate.costs import step_types
from wsc.backends.wafer.simulate.hops import Moved, moved
from wsc.backends.wafer.simulate.prepare import Prepared, executing_cores, runs_per_input
from wsc.backends.wafer.simulate.traffic import Traffic
from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops import Contract
from wsc.compiler.ops.base import Op
from wsc.simulation.trace import EnergyPart

ELEMENTS_AN_OPERATION = 3  # read, read and written
PICO = 1e-12


@dataclass(frozen=True)
class Spent:
    """Picojoules."""

    macs: float = 0.0
    vector_ops: float = 0.0
    memory: float = 0.0
    links: float = 0.0
    edge: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.macs + other.macs,
            self.vector_ops + other.vector_ops,
            self.memory + other.memory,
            self.links + other.links,
            self.edge + other.edge,
        )

    def __mul__(self, times: float) -> Spent:
        return Spent(*(part * times for part in astuple(self)))


def energy(prepared: Prepared, interval: int) -> tuple[EnergyPart, ...]:
    """Energy of an input, `interval` cycles after the one before it."""
    machine, figures = prepared.machine, prepared.machine.energy
    static_watts = figures.static_watts * prepared.program.wafers
    firsts = [prepared.alike[kernel.name] for kernel in prepared.program.kernels]
    known = {name: kernel_energy(machine, first) for name, first in {k.name: k for k in firsts}.items()}
    spent = sum((known[first.name] for first in firsts), Spent())
    spent += sum((stream_energy(machine, traffic) for traffic in prepared.traffic), Spent())
    return (
        EnergyPart("multiply-adds", PICO * spent.macs, False),
        EnergyPart("vector operations", PICO * spent.vector_ops, False),
        EnergyPart("SRAM", PICO * spent.memory, True),
        EnergyPart("links", PICO * spent.links, True),
        EnergyPart("edge", PICO * spent.edge, True),
        EnergyPart("static", static_watts * interval / machine.core.clock_hz, False),
    )


def stream_energy(machine: Wafer, traffic: Traffic) -> Spent:
    """Of a stream: read at its source, written at its target, over the links between; the host's ends are not ours."""
    ends = (traffic.stream.source.kernel, traffic.stream.target.kernel)
    accesses = sum(traffic.bytes for end in ends if end != HOST)
    figures = machine.energy
    return Spent(
        memory=accesses * figures.sram_pj_per_byte,
        links=traffic.hop_bytes * figures.hop_pj_per_byte,
        edge=traffic.bytes * figures.edge_pj_per_byte * (HOST in ends),
    )


def kernel_energy(machine: Wafer, kernel: Kernel) -> Spent:
    """Of a kernel's instructions, its streams left out."""
    rows = zip(kernel.instructions(), runs_per_input(kernel), strict=True)
    return sum((_instruction(machine, kernel, instruction) * runs for instruction, runs in rows), Spent())


def _instruction(machine: Wafer, kernel: Kernel, instruction: Instruction) -> Spent:
    op = instruction.op
    match op:
        case Loop(steps, body) | Repeat(steps, body):
            return sum((_instruction(machine, kernel, inner) for inner in body), Spent()) * steps
        case Recv() | Send() | Wait():  # a stream's energy is counted once, with its traffic
            return Spent()
        case Load():
            return _loaded(machine, kernel, kernel[instruction.result])
        case Op() | MultiplyAdd() | Lookup() | Insert() | Positions():
            return _computed(machine, kernel, instruction) * executing_cores(kernel, instruction)
    operands = [kernel[name] for name in instruction.operands]
    return _moved(machine, moved(machine, kernel.mesh, op, operands, kernel[instruction.result]))


def _loaded(machine: Wafer, kernel: Kernel, buffer: Buffer) -> Spent:
    """Over the edge, half of the region's width and height in the mean, and into memory."""
    size, figures = buffer.type.bytes, machine.energy
    hops = (kernel.width + kernel.height) / 2
    return Spent(
        memory=size * figures.sram_pj_per_byte,
        links=size * hops * figures.hop_pj_per_byte,
        edge=size * figures.edge_pj_per_byte,
    )


def _computed(machine: Wafer, kernel: Kernel, instruction: Instruction) -> Spent:
    """Of one core; an op that computes nothing reads and writes its result once."""
    operands = [kernel[name].tile_type for name in instruction.operands]
    result = kernel[instruction.result].tile_type
    widest = max((*operands, result), key=lambda t: t.dtype.bytes).dtype
    macs, others = _arithmetic(instruction.op, operands, result)
    written = operands[1] if isinstance(instruction.op, Insert) else result
    operations = max(macs + others, written.elements)
    accessed = operations * ELEMENTS_AN_OPERATION * widest.bytes
    return Spent(
        macs * machine.mac_pj(result.dtype),
        others * machine.vector_op_pj(widest),
        accessed * machine.energy.sram_pj_per_byte,
    )


def _arithmetic(
    op: Op | Move | Loop | Repeat, operands: Sequence[TensorType], result: TensorType
) -> tuple[int, int]:
    match op:
        case Op():
            return op.arithmetic(operands, result)
        case MultiplyAdd(equation):
            return Contract(equation).arithmetic(step_types(op, operands), result)
        case Lookup():
            return 0, operands[1].elements  # an index is compared with the rows that are held
    return 0, 0


def _moved(machine: Wafer, words: Moved) -> Spent:
    size, figures = machine.fabric.link_bytes_per_cycle, machine.energy
    memory = (words.read + words.written) * size * figures.sram_pj_per_byte
    return Spent(memory=memory, links=words.hops * size * figures.hop_pj_per_byte)
