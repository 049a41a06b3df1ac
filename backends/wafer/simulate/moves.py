"""Cycles of a movement instruction between the cores of one region.

W is the number of link words (wavelets) of a core's tile, P the parts of the axis, p its pitch (cores between
neighbouring parts), h the cycles of a hop and r those of the ramp. Every movement starts a task first. Chain and
broadcast follow Luczynski et al., HPDC 2024, arXiv 2404.15888: a chain reduces in W + (2r + 2)(P - 1) cycles and a
line broadcasts in W + P + 2r, for neighbouring cores and hops of one cycle.

Where the parts of an axis are not neighbours, the lines of the units between them run over the same links; these then
take as many times as long ("shared"). Movements that meet on the links of one direction share them; streams of other
kernels that pass through the region are not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import ceil
from typing import Any

from wsc.backends.wafer.instructions import (
    AllGather,
    AllReduce,
    AllToAll,
    Append,
    Broadcast,
    Exchange,
    Filled,
    Halo,
    Keep,
    Move,
    Multicast,
    Position,
    ReduceInto,
    ReduceScatter,
    ReduceTo,
    Rotate,
    Shift,
    lines_of,
)
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Buffer
from wsc.backends.wafer.simulate.all_to_all import all_to_all_cost
from wsc.backends.wafer.simulate.combines import all_reduce, reduce_into, reduce_scatter, reduce_to
from wsc.backends.wafer.simulate.costs import MOVEMENT, Cost
from wsc.backends.wafer.simulate.exchanges import exchange_cost
from wsc.backends.wafer.simulate.halos import halo
from wsc.backends.wafer.simulate.lines import (
    broadcast_distance,
    copied,
    flight_cycles,
    link_words,
    move_of,
    sharing,
)
from wsc.backends.wafer.simulate.shifts import hand_on, rotate, shift
from wsc.compiler.layout import Mesh


def move_cost(machine: Wafer, mesh: Mesh, op: Move, operands: Sequence[Buffer], result: Buffer) -> Cost:
    """Cost of a movement of tiles; recv, send and lookup are not movements within a region."""
    mesh = mesh.folded(*lines_of(op))
    if isinstance(op, Exchange):
        return exchange_cost(machine, mesh, operands[0], result)
    if isinstance(op, Keep | Filled | Position):
        return move_of(machine, link_words(machine, result.tile_type.bytes), 0, 0, ())
    if type(op) not in _COSTS:
        raise TypeError(f"{op.kind} does not move tiles within a region")
    return _COSTS[type(op)](machine, mesh, op, operands[0])


def _multicast(machine: Wafer, mesh: Mesh, op: Multicast, operand: Buffer) -> Cost:
    axes = op.axes
    words = link_words(machine, operand.tile_type.bytes)
    shared = max((sharing(mesh, axis, operand, axes) for axis in axes), default=1)
    lines = tuple(sorted({mesh[axis].along for axis in axes}))
    return move_of(machine, words, words * shared, broadcast_distance(machine, mesh, axes), lines)


def _broadcast(machine: Wafer, mesh: Mesh, op: Broadcast, operand: Buffer) -> Cost:
    """A multicast whose root is the neighbour of the last one: in a loop, its data comes from one part further.

    A core is the root once in as many steps as there are parts; in the others it waits for what the root does.
    """
    axis = op.axis
    words = link_words(machine, ceil(operand.tile_type.bytes / (op.pieces or 1)))
    shared = words * sharing(mesh, axis, operand, (axis,))
    cost = move_of(machine, words, shared, broadcast_distance(machine, mesh, (axis,)), (mesh[axis].along,))
    control = machine.core.root_move_cycles
    flight = max(0, mesh[axis].parts - 2) * mesh.pitch(axis) * machine.fabric.hop_cycles
    idle = control * (mesh[axis].parts - 1) // mesh[axis].parts
    return replace(
        cost, occupancy=cost.occupancy + control, latency=cost.latency + control, flight=flight, idle=idle
    )


def _all_gather(machine: Wafer, mesh: Mesh, op: AllGather, operand: Buffer) -> Cost:
    """Every part's tile to all others, and as many tiles over the links at the ends of the line.

    A message goes to all ramps of the line at once, and to its own part's memory. Any two messages meet at a core, so
    that all of them pass one after another. The last comes from any part: P/2 to P - 1 parts to go, 3/4 P in the mean.
    """
    axis, parts = op.axis, mesh[op.axis].parts
    if parts == 1:
        return copied(machine, operand)
    tile = link_words(machine, operand.tile_type.bytes)
    on_links = tile * (parts - 1) * sharing(mesh, axis, operand)
    through = max(tile * parts, on_links)
    flight = flight_cycles(machine, mesh, axis, max(1, 3 * parts // 4))
    startup = machine.core.task_startup_cycles
    busy = max(1, startup + tile * (parts - 1))
    return Cost(MOVEMENT, busy, startup + through + flight, (mesh[axis].along,), on_links)


def _append(machine: Wafer, mesh: Mesh, op: Append, operand: Buffer) -> Cost:
    """Every part hands one element to the next while it takes one, or one part takes what it has."""
    words = link_words(machine, operand.tile_type.bytes)
    if not op.balanced:
        return move_of(machine, words, 0, 0, ())
    return hand_on(machine, mesh, op.axis, operand)


_COSTS: dict[type, Callable[[Wafer, Mesh, Any, Buffer], Cost]] = {
    Multicast: _multicast,
    Broadcast: _broadcast,
    ReduceTo: reduce_to,
    ReduceInto: reduce_into,
    ReduceScatter: reduce_scatter,
    AllReduce: all_reduce,
    Halo: halo,
    Shift: shift,
    Rotate: rotate,
    AllToAll: all_to_all_cost,
    AllGather: _all_gather,
    Append: _append,
}
