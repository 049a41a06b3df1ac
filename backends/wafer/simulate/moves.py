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

from dataclasses import replace
from math import ceil, prod

from wsc.backends.wafer.instructions import (
    AllReduce,
    AllToAll,
    Broadcast,
    Halo,
    Move,
    Multicast,
    ReduceScatter,
    ReduceTo,
    Shift,
)
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Buffer
from wsc.backends.wafer.simulate.costs import MOVEMENT, Cost
from wsc.backends.wafer.simulate.reduces import reduce_line
from wsc.backends.wafer.trees import reduction_tree
from wsc.compiler.layout import Mesh


def move_cost(machine: Wafer, mesh: Mesh, op: Move, operand: Buffer) -> Cost:
    """Cost of a movement of the operand's tiles; recv, send and lookup are not movements within a region."""
    match op:
        case Multicast(axes):
            return _multicast(machine, mesh, axes, operand)
        case Broadcast(axis):
            return _broadcast(machine, mesh, axis, operand)
        case ReduceTo(axis, algorithm=None):
            return _chain(machine, mesh, axis, operand)
        case ReduceTo():
            return _reduce(machine, mesh, op, operand)
        case ReduceScatter(axis):
            return _reduce_scatter(machine, mesh, axis, operand)
        case AllReduce(axis):
            return _all_reduce(machine, mesh, axis, operand)
        case Halo():
            return _halo(machine, mesh, op, operand)
        case Shift():
            return _shift(machine, mesh, op, operand)
        case AllToAll(axis):
            return _all_to_all(machine, mesh, axis, operand)
    raise TypeError(f"{op.kind} does not move tiles within a region")


def link_words(machine: Wafer, size_bytes: int) -> int:
    """Words of a link that hold this many bytes."""
    return -(-size_bytes // machine.fabric.link_bytes_per_cycle)


def _cost(machine: Wafer, busy: int, on_links: int, distance: int, lines: tuple[str, ...]) -> Cost:
    startup = machine.core.task_startup_cycles
    latency = startup + max(busy, on_links) + distance
    return Cost(MOVEMENT, max(1, startup + busy), max(1, latency), lines, on_links)


def _multicast(machine: Wafer, mesh: Mesh, axes: tuple[str, ...], operand: Buffer) -> Cost:
    words = link_words(machine, operand.tile_type.bytes)
    shared = max((_sharing(mesh, axis, operand, axes) for axis in axes), default=1)
    lines = tuple(sorted({mesh[axis].along for axis in axes}))
    return _cost(machine, words, words * shared, _broadcast_distance(machine, mesh, axes), lines)


def _chain(machine: Wafer, mesh: Mesh, axis: str, operand: Buffer) -> Cost:
    words = link_words(machine, operand.tile_type.bytes)
    on_links = words * _sharing(mesh, axis, operand)
    return _cost(machine, words, on_links, _chain_distance(machine, mesh, axis), (mesh[axis].along,))


def _all_reduce(machine: Wafer, mesh: Mesh, axis: str, operand: Buffer) -> Cost:
    """A chain to part 0, and a broadcast back over the links of the other direction."""
    words = 2 * link_words(machine, operand.tile_type.bytes)
    distance = _chain_distance(machine, mesh, axis) + _broadcast_distance(machine, mesh, (axis,))
    cost = _cost(machine, words, words * _sharing(mesh, axis, operand), distance, (mesh[axis].along,))
    return replace(cost, line_cycles=cost.line_cycles // 2)


def _reduce_scatter(machine: Wafer, mesh: Mesh, axis: str, operand: Buffer) -> Cost:
    """Every part is the end of a chain from either side for its own P-th of the tile.

    A core adds, or sends, one piece for every other part and its own once more. One way the farthest pieces go first;
    the last part but one then has them all, and from there the pieces of the other way follow, the nearest first.
    """
    parts = mesh[axis].parts
    if parts == 1:
        return _copy(machine, operand)
    piece = link_words(machine, ceil(operand.tile_type.bytes / parts))
    busy = piece * (parts + 1 if parts > 2 else parts)
    between = _chain_distance(machine, mesh, axis) // (parts - 1)
    distance = max(between, 2 * (parts - 2) * between)
    on_links = piece * (parts - 1) * _sharing(mesh, axis, operand)
    return _cost(machine, busy, on_links, distance, (mesh[axis].along,))


def _copy(machine: Wafer, operand: Buffer) -> Cost:
    """A tile that stays where it is: copied as fast as it can be written."""
    cycles = machine.core.task_startup_cycles + _copy_cycles(machine, operand)
    return Cost(MOVEMENT, max(1, machine.core.task_startup_cycles), max(1, cycles))


def _copy_cycles(machine: Wafer, operand: Buffer) -> int:
    return ceil(operand.tile_type.bytes / machine.core.write_bytes_per_cycle)


def _exchanged(machine: Wafer, words: int, on_links: int, distance: int, line: str, least: int = 0) -> Cost:
    """Two tasks, one that sends `words` and one that receives; both at once take `exchange_cycles_per_word`.

    The core is busy for a cycle a word, so that the next movement begins while this one goes on.
    """
    startup = 2 * machine.core.task_startup_cycles
    through = max(ceil(words * machine.core.exchange_cycles_per_word), on_links)
    return Cost(
        MOVEMENT, max(1, startup + words), max(1, startup + max(through + distance, least)), (line,), on_links
    )


def _halo(machine: Wafer, mesh: Mesh, op: Halo, operand: Buffer) -> Cost:
    """Both neighbours at once: a core sends what it receives, `lo` one way and `hi` the other, and copies its tile."""
    tile = operand.tile_type
    if mesh[op.axis].parts == 1:
        return _copy(machine, operand)
    row_bytes = tile.bytes // max(1, tile.shape[op.dim])
    lo, hi = link_words(machine, op.lo * row_bytes), link_words(machine, op.hi * row_bytes)
    words = lo + hi if mesh[op.axis].parts > 2 else max(lo, hi)
    on_links = max(lo, hi) * _sharing(mesh, op.axis, operand)
    flight = _flight(machine, mesh, op.axis, 1)
    return _exchanged(machine, words, on_links, flight, mesh[op.axis].along, _copy_cycles(machine, operand))


def _shift(machine: Wafer, mesh: Mesh, op: Shift, operand: Buffer) -> Cost:
    """An exchange of whole tiles. On a line, those whose source lies beyond the last part come from the other end.

    On an interleaved ring a step is two parts at most, and each link carries one tile of every step, since the ring
    passes it once each way.
    """
    parts = mesh[op.axis].parts
    most = mesh[op.skew].parts - 1 if op.skew else 1
    steps = {(op.by * k) % parts for k in (range(most + 1) if op.skew else (1,))}
    tiles = max(min(step, parts - step) for step in steps)
    farthest = max(max(step, parts - step) if step else 0 for step in steps)
    if op.ring:
        farthest = min(2 * tiles, parts - 1)
    words = link_words(machine, operand.tile_type.bytes) if tiles else 0
    on_links = words * tiles * _sharing(mesh, op.axis, operand)
    flight = _flight(machine, mesh, op.axis, farthest)
    return _exchanged(machine, words, on_links, flight, mesh[op.axis].along)


def _broadcast(machine: Wafer, mesh: Mesh, axis: str, operand: Buffer) -> Cost:
    """A multicast whose root is the neighbour of the last one: in a loop, its data comes from one part further."""
    cost = _multicast(machine, mesh, (axis,), operand)
    control = machine.core.root_move_cycles
    flight = max(0, mesh[axis].parts - 2) * mesh.pitch(axis) * machine.fabric.hop_cycles
    return replace(cost, occupancy=cost.occupancy + control, latency=cost.latency + control, flight=flight)


def _reduce(machine: Wafer, mesh: Mesh, op: ReduceTo, operand: Buffer) -> Cost:
    assert op.algorithm is not None
    words = link_words(machine, operand.tile_type.bytes) * _sharing(mesh, op.axis, operand)
    tree = reduction_tree(mesh[op.axis].parts, op.algorithm, op.group)
    found = reduce_line(machine, tree, words, mesh.pitch(op.axis))
    startup = machine.core.task_startup_cycles
    busy = found.phases * startup + found.words
    lines = (mesh[op.axis].along,)
    return Cost(MOVEMENT, max(1, busy), max(1, busy, startup + found.cycles), lines, found.words)


def _all_to_all(machine: Wafer, mesh: Mesh, axis: str, operand: Buffer) -> Cost:
    """P - 1 exchanges of a P-th of the tile: with the part one further on, then two further on, and so on.

    In the k-th a link carries min(k, P - k) pieces; they follow each other without a barrier.
    """
    parts = mesh[axis].parts
    if parts == 1:
        return _copy(machine, operand)
    piece = link_words(machine, ceil(operand.tile_type.bytes / parts))
    shared = _sharing(mesh, axis, operand)
    pace = machine.core.exchange_cycles_per_word
    through = ceil(sum(piece * max(pace, min(k, parts - k) * shared) for k in range(1, parts)))
    cost = _exchanged(
        machine, piece * (parts - 1), through, _flight(machine, mesh, axis, parts - 1), mesh[axis].along
    )
    on_links = piece * sum(min(k, parts - k) for k in range(1, parts)) * shared
    return replace(cost, line_cycles=on_links // 2)


def _chain_distance(machine: Wafer, mesh: Mesh, axis: str) -> int:
    """Every part takes words from the router, adds (one cycle) and gives them back, and the words go on by p hops."""
    step = 2 * machine.fabric.ramp_cycles + 1 + mesh.pitch(axis) * machine.fabric.hop_cycles
    return step * (mesh[axis].parts - 1)


def _broadcast_distance(machine: Wafer, mesh: Mesh, axes: tuple[str, ...]) -> int:
    hops = sum((mesh[axis].parts - 1) * mesh.pitch(axis) for axis in axes)
    return hops * machine.fabric.hop_cycles + 2 * machine.fabric.ramp_cycles


def _flight(machine: Wafer, mesh: Mesh, axis: str, parts: int) -> int:
    return parts * mesh.pitch(axis) * machine.fabric.hop_cycles + 2 * machine.fabric.ramp_cycles


def _sharing(mesh: Mesh, axis: str, operand: Buffer, moved: tuple[str, ...] = ()) -> int:
    """Lines that run over one link: the units between neighbouring parts of the axis that hold an operand."""
    inner = mesh.axes[mesh.index(axis) + 1 :]
    idle = {*operand.layout.at, *moved}
    return prod(a.parts for a in inner if a.along == mesh[axis].along and a.name not in idle)
