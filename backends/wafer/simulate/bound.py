"""What no program that does the same work on the same machine can beat."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import HOST, Instruction, Kernel, Program, Repeat
from wsc.backends.wafer.simulate.prepare import runs_per_input
from wsc.compiler.ops.base import Op


def lower_bound(program: Program, machine: Wafer) -> int:
    """Least cycles between inputs: arithmetic at the peak rate of all cores, or the host's bytes over the edge.

    Arithmetic is counted on whole tensors, so that neither copies nor the padding of tiles count as work.
    """
    return max(1, ceil(max(_compute_cycles(program, machine), *_edge_cycles(program, machine))))


def latency_lower_bound(program: Program, machine: Wafer) -> int:
    """Least cycles for one input alone: `lower_bound`, or the way from the west edge to the east."""
    fed = any(stream.source.kernel == HOST for stream in program.streams)
    hops = program.width + 1 if fed else 0
    return max(
        lower_bound(program, machine), hops * machine.fabric.hop_cycles + 2 * machine.fabric.ramp_cycles
    )


def _compute_cycles(program: Program, machine: Wafer) -> float:
    cores = machine.cores * program.wafers
    return sum(work for kernel in program.kernels for work in _core_cycles(kernel, machine)) / cores


def _core_cycles(kernel: Kernel, machine: Wafer) -> Iterator[float]:
    """Cycles an input that one core would take for each local op of a kernel."""
    for instruction, runs in _flat(kernel):
        if not isinstance(instruction.op, Op):
            continue
        operands = [kernel[name].type for name in instruction.operands]
        result = kernel[instruction.result].type
        macs, others = instruction.op.arithmetic(operands, result)
        widest = max((*operands, result), key=lambda t: t.dtype.bytes).dtype
        mac_cycles = min(1 / machine.peak_macs_per_cycle(result.dtype), machine.mac_cycles(result.dtype))
        yield runs * (macs * mac_cycles + others / machine.vector_ops_per_cycle(widest))


def _flat(kernel: Kernel) -> Iterator[tuple[Instruction, int]]:
    """Instructions with how often they run for an input; those of a repeat one by one."""
    for instruction, runs in zip(kernel.instructions(), runs_per_input(kernel), strict=True):
        if isinstance(instruction.op, Repeat):
            yield from ((inner, runs * instruction.op.steps) for inner in instruction.op.body)
        else:
            yield instruction, runs


def _edge_cycles(program: Program, machine: Wafer) -> tuple[float, float]:
    """Cycles an input of the edge, inward and outward; a tensor that several streams carry need cross it once."""
    inward = {s.source.buffer: s.source.type.bytes for s in program.streams if s.source.kernel == HOST}
    outward = {s.target.buffer: s.target.type.bytes for s in program.streams if s.target.kernel == HOST}
    rate = machine.edge_bytes_per_cycle
    return sum(inward.values()) / rate, sum(outward.values()) / rate
