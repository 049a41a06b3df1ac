"""Candidate regions of a kernel: ways to cut it, their time, memory and shape.

The coarse model names the combinations of tile sizes near the frontier of cores against time. Each is drafted for real,
which gives its memory and a better time, and turned in the directions that make differently shaped rectangles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from wsc.backends.wafer.coarse import LINK_SLACK, Coarse, Job, SizingParams
from wsc.backends.wafer.cutting import AxisCut, Cutting, is_sum
from wsc.backends.wafer.emit.kernel import DraftedKernel, draft_kernel
from wsc.backends.wafer.estimate import code_bytes, data_bytes, kernel_time
from wsc.backends.wafer.instructions import AllReduce, Move, Multicast, ReduceScatter, ReduceTo, Send
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Instruction, Loop, Repeat
from wsc.compiler.layout import Mesh
from wsc.compiler.ops import Op


@dataclass(frozen=True)
class Candidate:
    """One way to cut a kernel; `cycles` and `bytes` are expected for one input on the busiest core."""

    cutting: Cutting
    width: int
    height: int
    cycles: int
    bytes: int


def candidates(
    job: Job,
    machine: Wafer,
    target_cycles: float,
    params: SizingParams | None = None,
    coarse: Coarse | None = None,
) -> list[Candidate]:
    """Candidates that fit a core's memory and the fabric, around `target_cycles` and beyond; empty where none fits.

    `coarse` is the job's coarse model by these parameters, where it is known already.
    """
    params = params or SizingParams()
    coarse = coarse or Coarse.of(job, machine, params)
    found: dict[tuple[int, int], Candidate] = {}
    drafted = 0
    for index in coarse.frontier(target_cycles):
        turned = _turned(job, coarse.choice(index), machine)
        drafted += bool(turned)
        for candidate in turned:
            key = (candidate.width, candidate.height)
            if key not in found or candidate.cycles < found[key].cycles:
                found[key] = candidate
        if drafted == params.kept:
            break
    return list(found.values())


def _turned(job: Job, choice: Sequence[tuple[int, int]], machine: Wafer) -> list[Candidate]:
    """The candidates that one choice of tiles makes, axes turned to x and y in every useful way."""
    kernel, chunking = job.kernel, job.chunking
    cut = [(a, t, p) for a, (t, p) in enumerate(choice) if p > 1]
    cut.sort(key=lambda c: is_sum(kernel, c[0]))  # parts that are summed lie next to each other
    made: list[Candidate] = []
    drafted: DraftedKernel | None = None
    for turns in product("yx", repeat=len(cut)):
        width = prod(p for (_, _, p), along in zip(cut, turns, strict=True) if along == "x")
        height = prod(p for (_, _, p), along in zip(cut, turns, strict=True) if along == "y")
        if width > machine.grid.width_cores or height > machine.grid.height_cores:
            continue
        cuts = tuple(AxisCut(a, t, p, along) for (a, t, p), along in zip(cut, turns, strict=True))
        cutting = Cutting(cuts, chunking, job.depths)
        if drafted is None:
            drafted = draft_kernel(kernel, cutting)
        used, cycles = _cost(job, drafted, machine, cutting.mesh)
        if used > machine.core.sram_bytes:
            return []
        shared = max(_port_cycles(job, cutting, drafted), _line_cycles(cutting, drafted, machine))
        made.append(Candidate(cutting, width, height, max(cycles, int(LINK_SLACK * shared)), used))
    return made


def _cost(job: Job, drafted: DraftedKernel, machine: Wafer, mesh: Mesh) -> tuple[int, int]:
    """(bytes, cycles) of a drafted kernel, with a send to each reader."""
    sends = [Instruction(Send(""), (drafted.result.name,))] * job.readers
    body = [*drafted.body, *sends]
    buffers = {b.name: b for b in drafted.buffers}
    time = kernel_time(drafted.once, body, job.chunking.chunks, buffers, machine, mesh)
    code = machine.core.runtime_code_bytes + code_bytes(len(drafted.once) + len(body), machine)
    return data_bytes(drafted.buffers) + code, int(time.interval)


def _port_cycles(job: Job, cutting: Cutting, drafted: DraftedKernel) -> int:
    """Cycles an input that the links into and out of the region are busy: in along rows, out along columns."""
    columns = _spread(drafted.result.layout.axes, cutting, "x")
    outgoing = job.readers * job.kernel.result.type.bytes / 4 / columns
    incoming = 0.0
    for feed in job.kernel.streams:
        names = [f"a{a}" for a in feed.axes if a is not None]
        incoming += feed.type.bytes / 4 / _spread(names, cutting, "y")
    return int(max(outgoing, incoming))


def _line_cycles(cutting: Cutting, drafted: DraftedKernel, machine: Wafer) -> int:
    """Cycles an input that the busiest line of links within the region is in use.

    What moves along an axis of pitch p shares each link of its line with p - 1 others.
    """
    buffers = {b.name: b for b in drafted.buffers}
    busy = {"x": 0.0, "y": 0.0}
    for instructions, times in ((drafted.once, 1), (drafted.body, cutting.chunking.chunks)):
        for instruction in instructions:
            moved = buffers[instruction.operands[0]] if instruction.operands else None
            for name in _axes_moved(instruction.op):
                assert moved is not None
                words = moved.tile_type.bytes / machine.fabric.link_bytes_per_cycle
                busy[cutting.mesh[name].along] += times * words * cutting.mesh.pitch(name)
    return int(max(busy.values()))


def _axes_moved(op: Op | Move | Loop | Repeat) -> tuple[str, ...]:
    if isinstance(op, Multicast):
        return op.axes
    if isinstance(op, AllReduce):
        return (op.axis, op.axis)
    return (op.axis,) if isinstance(op, (ReduceTo, ReduceScatter)) else ()


def _spread(names: Sequence[str], cutting: Cutting, along: str) -> int:
    return prod(c.parts for c in cutting.cuts if c.along == along and c.name in names)
