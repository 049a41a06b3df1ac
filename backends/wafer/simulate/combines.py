"""Cycles of reduces and all-reduces along the lines of a region."""

from __future__ import annotations

from dataclasses import replace

from wsc.backends.wafer.instructions import AllReduce, ReduceInto, ReduceScatter, ReduceTo
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Buffer
from wsc.backends.wafer.simulate.costs import MOVEMENT, Cost
from wsc.backends.wafer.simulate.lines import (
    broadcast_distance,
    chain_distance,
    copied,
    flight_cycles,
    link_words,
    move_of,
    sharing,
)
from wsc.backends.wafer.simulate.reduces import reduce_line
from wsc.backends.wafer.simulate.shifts import ring_all_reduce
from wsc.backends.wafer.trees import reduction_tree, rooted_tree
from wsc.compiler.layout import Mesh


def reduce_to(machine: Wafer, mesh: Mesh, op: ReduceTo, operand: Buffer) -> Cost:
    """A chain, or what the algorithm's tree makes of it."""
    if op.algorithm is None:
        return _chain(machine, mesh, op.axis, operand)
    return _tree(machine, mesh, op, operand)


def reduce_scatter(machine: Wafer, mesh: Mesh, op: ReduceScatter, operand: Buffer) -> Cost:
    """Every part with a piece of the tile is the end of a chain from either side for it; n parts have one.

    A core adds, or sends, every piece, and its own once more. One way the farthest pieces go first. The other way the
    nearest go first, from the last part of all; a core has the first way's before them, so that they follow each other
    from the last part but one at the latest, or from part n - 1 if that is before it.
    """
    axis, parts = op.axis, mesh[op.axis].parts
    if parts == 1:
        return copied(machine, operand)
    extent = operand.tile_type.shape[op.dim]
    tile = -(-extent // parts)
    pieces = -(-extent // tile)
    row = operand.tile_type.bytes // extent
    piece = link_words(machine, row * tile)
    step = chain_distance(machine, mesh, axis) // (parts - 1)
    turn = max(0, min(pieces - 1, parts - 2))
    words = piece * (pieces - 1) + link_words(machine, (extent - tile * (pieces - 1)) * row)
    busy = words + piece if parts > 2 and pieces > 1 else words
    way = max(words + step * (parts - 1), busy + 2 * step * turn) if parts > 2 else piece + step
    on_links = (words - piece if pieces == parts else words) * sharing(mesh, axis, operand)
    through = max(way, on_links + step * (parts - 1), busy)
    startup = machine.core.task_startup_cycles
    return Cost(MOVEMENT, max(1, startup + busy), max(1, startup + through), (mesh[axis].along,), on_links)


def all_reduce(machine: Wafer, mesh: Mesh, op: AllReduce, operand: Buffer) -> Cost:
    """A chain to part 0 and a multicast back, or what the algorithm makes of it."""
    if op.algorithm is None:
        return _there_and_back(machine, mesh, op.axis, operand)
    if op.algorithm == "ring":
        return ring_all_reduce(machine, mesh, op, operand)
    return _tree_and_back(machine, mesh, op, operand)


def _chain(machine: Wafer, mesh: Mesh, axis: str, operand: Buffer) -> Cost:
    words = link_words(machine, operand.tile_type.bytes)
    on_links = words * sharing(mesh, axis, operand)
    return move_of(machine, words, on_links, chain_distance(machine, mesh, axis), (mesh[axis].along,))


def _there_and_back(machine: Wafer, mesh: Mesh, axis: str, operand: Buffer) -> Cost:
    """A chain to part 0, and a broadcast back over the links of the other direction."""
    words = 2 * link_words(machine, operand.tile_type.bytes)
    distance = chain_distance(machine, mesh, axis) + broadcast_distance(machine, mesh, (axis,))
    cost = move_of(machine, words, words * sharing(mesh, axis, operand), distance, (mesh[axis].along,))
    return replace(cost, line_cycles=cost.line_cycles // 2)


def _tree(machine: Wafer, mesh: Mesh, op: ReduceTo, operand: Buffer) -> Cost:
    assert op.algorithm is not None
    words = link_words(machine, operand.tile_type.bytes) * sharing(mesh, op.axis, operand)
    tree = reduction_tree(mesh[op.axis].parts, op.algorithm, op.group)
    found = reduce_line(machine, tree, words, mesh.pitch(op.axis))
    startup = machine.core.task_startup_cycles
    busy = found.phases * startup + found.words
    lines = (mesh[op.axis].along,)
    return Cost(MOVEMENT, max(1, busy), max(1, busy, startup + found.cycles), lines, found.words)


def reduce_into(machine: Wafer, mesh: Mesh, op: ReduceInto, operand: Buffer) -> Cost:
    """Chains from both ends to a root that moves from step to step, as in `_broadcast`; no core waits for the sum.

    A root between others takes the words of one chain after those of the other, by a task of its own.
    """
    cost = _chain(machine, mesh, op.axis, operand)
    more = machine.core.root_move_cycles
    if mesh[op.axis].parts > 2:
        more += machine.core.task_startup_cycles + link_words(machine, operand.tile_type.bytes)
    flight = chain_distance(machine, mesh, op.axis)
    return replace(
        cost, occupancy=cost.occupancy + more, latency=cost.latency + more, flight=flight, root=more
    )


def _tree_and_back(machine: Wafer, mesh: Mesh, op: AllReduce, operand: Buffer) -> Cost:
    """A reduce along a tree and, when the root has all and has started a task, a multicast to both sides of it."""
    assert op.algorithm is not None
    root, parts = op.root or 0, mesh[op.axis].parts
    words = link_words(machine, operand.tile_type.bytes) * sharing(mesh, op.axis, operand)
    tree = rooted_tree(parts, op.algorithm, op.group, root)
    found = reduce_line(machine, tree, words, mesh.pitch(op.axis), root)
    startup = machine.core.task_startup_cycles
    back = words + flight_cycles(machine, mesh, op.axis, max(root, parts - 1 - root))
    busy = (found.phases + 1) * startup + found.words + words
    latency = max(busy, 2 * startup + found.cycles + back)
    return Cost(MOVEMENT, max(1, busy), max(1, latency), (mesh[op.axis].along,), max(found.words, words))
