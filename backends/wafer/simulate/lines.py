"""What movements along the lines of a region have in common: words on links, distances, lines that share a link.

Where the parts of an axis are not neighbours, the lines of the units between them run over the same links; these then
take as many times as long ("shared").
"""

from __future__ import annotations

from math import ceil, prod

from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Buffer
from wsc.backends.wafer.simulate.costs import MOVEMENT, Cost
from wsc.compiler.layout import Mesh


def link_words(machine: Wafer, size_bytes: int) -> int:
    """Words of a link that hold this many bytes."""
    return -(-size_bytes // machine.fabric.link_bytes_per_cycle)


def move_of(machine: Wafer, busy: int, on_links: int, distance: int, lines: tuple[str, ...]) -> Cost:
    """Of a movement that starts a task, keeps the core busy and the links of its lines, and goes a distance."""
    startup = machine.core.task_startup_cycles
    latency = startup + max(busy, on_links) + distance
    return Cost(MOVEMENT, max(1, startup + busy), max(1, latency), lines, on_links)


def copied(machine: Wafer, operand: Buffer) -> Cost:
    """A tile that stays where it is: a task copies it as fast as memory can be written."""
    startup = machine.core.task_startup_cycles
    cycles = startup + ceil(operand.tile_type.bytes / machine.core.write_bytes_per_cycle)
    return Cost(MOVEMENT, max(1, startup), max(1, cycles))


def chain_distance(machine: Wafer, mesh: Mesh, axis: str) -> int:
    """Every part takes words from the router, adds (one cycle) and gives them back, and the words go on by p hops."""
    step = 2 * machine.fabric.ramp_cycles + 1 + mesh.pitch(axis) * machine.fabric.hop_cycles
    return step * (mesh[axis].parts - 1)


def broadcast_distance(machine: Wafer, mesh: Mesh, axes: tuple[str, ...]) -> int:
    """From the first part of every axis to the last, ramps included."""
    hops = sum((mesh[axis].parts - 1) * mesh.pitch(axis) for axis in axes)
    return hops * machine.fabric.hop_cycles + 2 * machine.fabric.ramp_cycles


def flight_cycles(machine: Wafer, mesh: Mesh, axis: str, parts: int) -> int:
    """Over so many parts, ramps included."""
    return parts * hop_cycles(machine, mesh, axis) + 2 * machine.fabric.ramp_cycles


def hop_cycles(machine: Wafer, mesh: Mesh, axis: str) -> int:
    """From a part to its neighbour."""
    return mesh.pitch(axis) * machine.fabric.hop_cycles


def sharing(mesh: Mesh, axis: str, operand: Buffer, moved: tuple[str, ...] = ()) -> int:
    """Lines that run over one link: the units between neighbouring parts of the axis that hold an operand."""
    inner = mesh.axes[mesh.index(axis) + 1 :]
    idle = {*operand.layout.at, *moved}
    return prod(a.parts for a in inner if a.along == mesh[axis].along and a.name not in idle)
