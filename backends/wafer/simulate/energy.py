"""Energy of one input in the steady state, by component, from the program's instructions and streams.

Every multiply-add reads two elements of memory and writes one (the third operand stays in a register); every other
elementary operation likewise. Movement within a region counts words as `hops` does, a stream's words are read at the
source, written at the target and pass the links of its route. Static power is drawn for the whole interval, by the
whole wafer. Queues, instruction issue and the host's side are not modelled apart: issue is in the static power.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wsc.backends.wafer.instructions import Lookup, Move, MultiplyAdd, Recv, Send, Wait
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import HOST, Instruction, Kernel, Loop
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

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.macs + other.macs,
            self.vector_ops + other.vector_ops,
            self.memory + other.memory,
            self.links + other.links,
        )

    def __mul__(self, times: float) -> Spent:
        return Spent(self.macs * times, self.vector_ops * times, self.memory * times, self.links * times)


def energy(prepared: Prepared, interval: int) -> tuple[EnergyPart, ...]:
    """Energy of an input, `interval` cycles after the one before it."""
    machine, figures = prepared.machine, prepared.machine.energy
    spent = sum((_kernel(machine, kernel) for kernel in prepared.program.kernels), Spent())
    spent += sum((_stream(machine, traffic) for traffic in prepared.traffic), Spent())
    edge = sum(t.bytes for t in prepared.traffic if HOST in (t.stream.source.kernel, t.stream.target.kernel))
    return (
        EnergyPart("multiply-adds", PICO * spent.macs, False),
        EnergyPart("vector operations", PICO * spent.vector_ops, False),
        EnergyPart("SRAM", PICO * spent.memory, True),
        EnergyPart("links", PICO * spent.links, True),
        EnergyPart("edge", PICO * edge * figures.edge_pj_per_byte, True),
        EnergyPart("static", figures.static_watts * interval / machine.core.clock_hz, False),
    )


def _stream(machine: Wafer, traffic: Traffic) -> Spent:
    ends = (traffic.stream.source.kernel, traffic.stream.target.kernel)
    accesses = sum(traffic.bytes for end in ends if end != HOST)
    figures = machine.energy
    return Spent(
        memory=accesses * figures.sram_pj_per_byte, links=traffic.hop_bytes * figures.hop_pj_per_byte
    )


def _kernel(machine: Wafer, kernel: Kernel) -> Spent:
    rows = zip(kernel.instructions(), runs_per_input(kernel), strict=True)
    return sum((_instruction(machine, kernel, instruction) * runs for instruction, runs in rows), Spent())


def _instruction(machine: Wafer, kernel: Kernel, instruction: Instruction) -> Spent:
    op = instruction.op
    match op:
        case Loop(steps, body):
            return sum((_instruction(machine, kernel, inner) for inner in body), Spent()) * steps
        case Recv() | Send() | Wait():  # a stream's energy is counted once, with its traffic
            return Spent()
        case Op() | MultiplyAdd() | Lookup():
            return _computed(machine, kernel, instruction) * executing_cores(kernel, instruction)
    operands = [kernel[name] for name in instruction.operands]
    return _moved(machine, moved(machine, kernel.mesh, op, operands, kernel[instruction.result]))


def _computed(machine: Wafer, kernel: Kernel, instruction: Instruction) -> Spent:
    """Of one core; an op that computes nothing reads and writes its result once."""
    operands = [kernel[name].tile_type for name in instruction.operands]
    result = kernel[instruction.result].tile_type
    widest = max((*operands, result), key=lambda t: t.dtype.bytes).dtype
    macs, others = _arithmetic(instruction.op, operands, result)
    operations = max(macs + others, result.elements)
    accessed = operations * ELEMENTS_AN_OPERATION * widest.bytes
    return Spent(
        macs * machine.mac_pj(result.dtype),
        others * machine.vector_op_pj(widest),
        accessed * machine.energy.sram_pj_per_byte,
    )


def _arithmetic(op: Op | Move | Loop, operands: Sequence[TensorType], result: TensorType) -> tuple[int, int]:
    match op:
        case Op():
            return op.arithmetic(operands, result)
        case MultiplyAdd(equation):
            return Contract(equation).arithmetic(step_types(op, operands), result)
    return 0, operands[1].elements  # a lookup compares an index with the rows it holds


def _moved(machine: Wafer, words: Moved) -> Spent:
    size, figures = machine.fabric.link_bytes_per_cycle, machine.energy
    memory = (words.read + words.written) * size * figures.sram_pj_per_byte
    return Spent(memory=memory, links=words.hops * size * figures.hop_pj_per_byte)
