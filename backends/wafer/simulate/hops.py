"""Words that a movement within a region puts on memories and links, counted over all of the region's cores.

W is the number of link words of a core's tile, P the parts of the axis, p its pitch (cores between neighbouring
parts). A line is what one run of the movement joins: the parts of its axes, at one place along all the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

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
from wsc.backends.wafer.simulate.moves import link_words
from wsc.backends.wafer.trees import reduction_tree, ring_order
from wsc.compiler.layout import Mesh


@dataclass(frozen=True)
class Moved:
    """Words read from and written to memories, and words times the links that each passes."""

    read: float = 0
    written: float = 0
    hops: float = 0

    def __mul__(self, times: float) -> Moved:
        return Moved(self.read * times, self.written * times, self.hops * times)

    def __add__(self, other: Moved) -> Moved:
        return Moved(self.read + other.read, self.written + other.written, self.hops + other.hops)


def moved(machine: Wafer, mesh: Mesh, op: Move, operand: Buffer) -> Moved:
    """What a movement of the operand's tiles moves; recv, send and lookup are not movements within a region."""
    words = link_words(machine, operand.tile_type.bytes)
    match op:
        case Multicast(axes):
            return _multicast(mesh, axes) * (words * _lines(mesh, axes, operand))
        case Broadcast(axis):
            return _multicast(mesh, (axis,)) * (words * _lines(mesh, (axis,), operand))
        case ReduceTo(axis):
            line = _tree(mesh, axis, op.algorithm or "chain", op.group)
        case ReduceScatter(axis):
            line = _chains(mesh, axis)
        case AllReduce(axis):
            line = _tree(mesh, axis, "chain", None) + _multicast(mesh, (axis,))
        case Halo(_, axis, lo, hi):
            row = operand.tile_type.bytes // max(1, operand.tile_type.shape[op.dim])
            words = link_words(machine, lo * row) + link_words(machine, hi * row)
            line = _sent(mesh[axis].parts - 1, (mesh[axis].parts - 1) * mesh.pitch(axis))
        case Shift(axis):
            line = _shift(mesh, op)
        case AllToAll(axis):
            line = _all_to_all(mesh, axis)
        case _:
            raise TypeError(f"{op.kind} does not move tiles within a region")
    return line * (words * _lines(mesh, (axis,), operand))


def _sent(messages: float, hops: float) -> Moved:
    """Tiles that are read at one core and written at another."""
    return Moved(messages, messages, hops)


def _lines(mesh: Mesh, axes: tuple[str, ...], operand: Buffer) -> int:
    """Lines that hold an operand."""
    return prod(a.parts for a in mesh.axes if a.name not in {*axes, *operand.layout.at})


def _multicast(mesh: Mesh, axes: tuple[str, ...]) -> Moved:
    """One read, a write at every other part, and every link of the tree once: along the first axis, then the next."""
    links, reached = 0, 1
    for axis in axes:
        links += reached * (mesh[axis].parts - 1) * mesh.pitch(axis)
        reached *= mesh[axis].parts
    return Moved(1, reached - 1, links)


def _tree(mesh: Mesh, axis: str, algorithm: str, group: int | None) -> Moved:
    """Every part but the root sends once; what passes through a part's adder is read there, not written."""
    tree = reduction_tree(mesh[axis].parts, algorithm, group)
    distance = sum(source - part for part, phases in enumerate(tree) for p in phases for source in p)
    stored = sum(len(sources) for phases in tree for sources in phases) - sum(1 for phases in tree if phases)
    return Moved(mesh[axis].parts + stored, stored + 1, distance * mesh.pitch(axis))


def _chains(mesh: Mesh, axis: str) -> Moved:
    """A chain to every part for its own P-th of the tile: each passes all the others."""
    parts = mesh[axis].parts
    return Moved(parts, 1, (parts - 1) * mesh.pitch(axis))


def _shift(mesh: Mesh, op: Shift) -> Moved:
    parts = mesh[op.axis].parts
    order = ring_order(parts) if op.ring else np.arange(parts)
    skews = range(mesh[op.skew].parts) if op.skew else (1,)
    distances = [np.abs(order - np.roll(order, -op.by * skew)).sum() for skew in skews]
    stay = sum((op.by * skew) % parts == 0 for skew in skews) / len(skews)
    return _sent(parts * (1 - stay), float(np.mean(distances)) * mesh.pitch(op.axis))


def _all_to_all(mesh: Mesh, axis: str) -> Moved:
    """Each part sends a P-th of its tile to each other part: the sum of |i - j| over pairs is (P^3 - P) / 3."""
    parts = mesh[axis].parts
    return _sent(parts - 1, (parts**2 - 1) / 3 * mesh.pitch(axis))
