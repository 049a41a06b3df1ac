"""Cycles of a null program: each instruction takes as long as its arithmetic or its memory traffic, the longer one."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from math import ceil

import simpy

from wsc.backends.null.machine import NullMachine
from wsc.backends.null.program import NullProgram
from wsc.compiler.errors import SimulationError
from wsc.compiler.ir.graph import Node
from wsc.compiler.ir.text import print_op
from wsc.simulation.trace import KernelTrace, StepTrace, Trace


def simulate(program: NullProgram, machine: NullMachine) -> Trace:
    """Run the instructions one after another on the unit; one input must end before the next begins.

    Raises SimulationError if the program does not fit into the machine's memory.
    """
    if program.memory_bytes > machine.unit.memory_bytes:
        raise SimulationError(
            f"it takes {program.memory_bytes:,} bytes of memory, and there are {machine.unit.memory_bytes:,}"
        )
    clock = simpy.Environment()
    kernels: list[KernelTrace] = []
    clock.process(_run(clock, program, machine, kernels))
    clock.run()
    cycles = max(1, int(clock.now))
    slowest = max(kernels, key=lambda k: k.compute_cycles, default=None)
    reason = f"instruction {slowest.name}" if slowest else "nothing to do"
    finished = tuple(_with_idle(k, cycles) for k in kernels)
    return Trace(
        machine.unit.clock_hz, cycles, cycles, finished, (), f"one unit does everything; longest: {reason}"
    )


def _run(
    clock: simpy.Environment, program: NullProgram, machine: NullMachine, kernels: list[KernelTrace]
) -> Generator[simpy.Event, None, None]:
    for node in program.steps:
        if node.is_source:
            continue
        cycles = node_cycles(program, node, machine)
        yield clock.timeout(cycles)
        step = StepTrace(print_op(node.op), "compute", cycles, cycles)
        macs = program.steps.node_work(node).macs
        kernels.append(KernelTrace(node.name, node.op.kind, 1, cycles, 0, 0, macs, node.type.bytes, (step,)))


def node_cycles(program: NullProgram, node: Node, machine: NullMachine) -> int:
    """Cycles of one instruction."""
    work, unit = program.steps.node_work(node), machine.unit
    arithmetic = work.macs / unit.macs_per_cycle + work.vector_ops / unit.vector_ops_per_cycle
    traffic = (work.bytes_read + work.bytes_written) / unit.memory_bytes_per_cycle
    return max(1, ceil(max(arithmetic, traffic)))


def _with_idle(kernel: KernelTrace, cycles: int) -> KernelTrace:
    idle = cycles - kernel.compute_cycles
    return replace(kernel, idle_cycles=idle)
