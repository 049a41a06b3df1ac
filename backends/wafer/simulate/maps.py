"""Numbers for every core of the fabric: float32 arrays [height, width], NaN where there is nothing to say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsc.backends.wafer.instructions import Multicast, ReduceTo
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Buffer, Instruction, Kernel, Program
from wsc.backends.wafer.simulate.costs import COMPUTE, Cost
from wsc.backends.wafer.simulate.prepare import Prepared, prepare, runs_per_input
from wsc.backends.wafer.simulate.routes import EAST, NORTH, SOUTH, WEST, LinkLoads
from wsc.backends.wafer.simulate.traffic import Traffic
from wsc.compiler.layout import Mesh
from wsc.simulation.trace import Trace

Map = NDArray[np.float32]
_INSIDE = {
    EAST: np.s_[:, :-1],
    WEST: np.s_[:, 1:],
    SOUTH: np.s_[:-1, :],
    NORTH: np.s_[1:, :],
}  # not out of a region
_TOWARDS_PART_0 = {"x": (WEST,), "y": (NORTH,)}
_AWAY_FROM_PART_0 = {"x": (EAST,), "y": (SOUTH,)}


@dataclass(frozen=True, eq=False)
class CoreMaps:
    """One number a core.

    `link_words`: words an input on the four links that leave the core together; `busiest_link_words`: on the busiest
    of them; a word is as wide as a link, and NaN is where neither a kernel nor a stream is. `memory_bytes`: bytes of
    data and code in the core's memory, NaN outside kernels. `compute_share`: part of the interval in which the core
    computes, 0 where it holds no part of the tensor, NaN outside kernels.
    """

    link_words: Map
    busiest_link_words: Map
    memory_bytes: Map
    compute_share: Map


def core_maps(program: Program, machine: Wafer, trace: Trace) -> CoreMaps:
    """The maps of a simulated program."""
    return maps_of(prepare(program, machine), trace)


def maps_of(prepared: Prepared, trace: Trace) -> CoreMaps:
    """The maps of a simulated program that is prepared."""
    program, machine = prepared.program, prepared.machine
    links = _link_words(prepared)
    memory, share = _empty(program), _empty(program)
    for kernel, costs, traced in zip(program.kernels, prepared.costs, trace.kernels, strict=True):
        memory[region_of(kernel)] = kernel.data_bytes + kernel.code_bytes + machine.core.runtime_code_bytes
        share[region_of(kernel)] = (
            working_cores(kernel, costs) * traced.compute_cycles / trace.interval_cycles
        )
    idle = np.isnan(memory) & (links.sum(axis=0) == 0)
    total, busiest = links.sum(axis=0), links.max(axis=0)
    total[idle], busiest[idle] = np.nan, np.nan
    return CoreMaps(total.astype(np.float32), busiest.astype(np.float32), memory, share)


def _empty(program: Program) -> Map:
    return np.full((program.height, program.width), np.nan, np.float32)


def region_of(kernel: Kernel) -> tuple[slice, slice]:
    """Where a kernel lies in a map."""
    return slice(kernel.y, kernel.y + kernel.height), slice(kernel.x, kernel.x + kernel.width)


def _link_words(prepared: Prepared) -> NDArray[np.float64]:
    """Words an input on each link: [direction, height, width]."""
    program = prepared.program
    words = np.zeros((4, program.height, program.width))
    for traffic in prepared.traffic:
        _add_stream(words, traffic)
    for kernel, costs in zip(program.kernels, prepared.costs, strict=True):
        region = words[(slice(None), *region_of(kernel))]
        for instruction, cost, runs in zip(kernel.instructions(), costs, runs_per_input(kernel), strict=True):
            _add_movement(region, instruction, cost, runs)
    return words


def _add_stream(words: NDArray[np.float64], traffic: Traffic) -> None:
    """Add a stream's words; what crosses the west edge leaves no core."""
    loads: LinkLoads = traffic.loads
    outside = max(0, -loads.x)
    _, height, width = loads.words.shape
    right = min(loads.x + width, words.shape[2])
    inside = loads.words[:, :, outside : right - loads.x]
    words[:, loads.y : loads.y + height, loads.x + outside : right] += inside * traffic.tensors


def _add_movement(region: NDArray[np.float64], instruction: Instruction, cost: Cost, runs: int) -> None:
    """Add what an instruction puts on the links inside its region, all as busy as the busiest."""
    for line in cost.lines:
        for direction in _directions(instruction, line):
            region[direction][_INSIDE[direction]] += cost.line_cycles * runs


def _directions(instruction: Instruction, line: str) -> tuple[int, ...]:
    if isinstance(instruction.op, ReduceTo):
        return _TOWARDS_PART_0[line]
    if isinstance(instruction.op, Multicast):
        return _AWAY_FROM_PART_0[line]
    return _TOWARDS_PART_0[line] + _AWAY_FROM_PART_0[line]


def working_cores(kernel: Kernel, costs: tuple[Cost, ...]) -> NDArray[np.bool_]:
    """Cores [height, width] that hold a part of the result of the kernel's longest computation."""
    working = np.ones((kernel.height, kernel.width), np.bool_)
    rows = zip(kernel.instructions(), costs, runs_per_input(kernel), strict=True)
    computed = [(cost.occupancy * runs, i) for i, cost, runs in rows if cost.kind == COMPUTE and i.result]
    if not computed:
        return working
    longest = max(computed, key=lambda pair: pair[0])[1]
    x, y = kernel.mesh.coordinates
    working[y, x] = _holders(kernel.mesh, kernel[longest.result])
    return working


def _holders(mesh: Mesh, buffer: Buffer) -> NDArray[np.bool_]:
    """Units, by their parts of every axis, whose tile of a buffer has any element."""
    holders = np.ones(mesh.shape, np.bool_)
    rank = len(mesh.axes)
    for _, exists in buffer.layout.positions(mesh, buffer.type.shape):
        holders &= exists.any(axis=tuple(range(rank, exists.ndim)))
    for axis in buffer.layout.at:
        at_part_0 = np.arange(mesh[axis].parts) == 0
        holders &= at_part_0.reshape([-1 if a.name == axis else 1 for a in mesh.axes])
    return holders
