"""Words that a movement within a region puts on memories and links, counted over all of the region's cores.

W is the number of link words of a core's tile, P the parts of the axis, p its pitch (cores between neighbouring
parts). A line is what one run of the movement joins: the parts of its axes, at one place along all the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

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
from wsc.backends.wafer.simulate.exchanges import exchanged
from wsc.backends.wafer.simulate.lines import link_words
from wsc.backends.wafer.trees import ring_numbers, rooted_tree
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


def moved(machine: Wafer, mesh: Mesh, op: Move, operands: Sequence[Buffer], result: Buffer) -> Moved:
    """What a movement of tiles moves; recv, send and lookup are not movements within a region."""
    mesh = mesh.folded(*lines_of(op))
    if isinstance(op, Exchange):
        return _exchange(machine, mesh, operands[0], result)
    if isinstance(op, Keep | Filled | Position):
        written = link_words(machine, result.tile_type.bytes) * _lines(mesh, (), result)
        return Moved(written, written)
    operand = operands[0]
    words = link_words(machine, operand.tile_type.bytes)
    match op:
        case Multicast(axes):
            return _multicast(mesh, axes) * (words * _lines(mesh, axes, operand))
        case Broadcast(axis, pieces=pieces):
            return _multicast(mesh, (axis,)) * (words / (pieces or 1) * _lines(mesh, (axis,), operand))
    if type(op) not in _ALONG_A_LINE:
        raise TypeError(f"{op.kind} does not move tiles within a region")
    line: Any = op
    one = _ALONG_A_LINE[type(op)](machine, mesh, line, operand)
    return one * (words * _lines(mesh, (line.axis,), operand))


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


def _reduce_to(machine: Wafer, mesh: Mesh, op: ReduceTo, operand: Buffer) -> Moved:
    return _tree(mesh, op.axis, op.algorithm or "chain", op.group)


def _all_reduce(machine: Wafer, mesh: Mesh, op: AllReduce, operand: Buffer) -> Moved:
    if op.algorithm == "ring":
        parts = mesh[op.axis].parts
        return _shift(mesh, Shift(op.axis, 1, "interleaved")) * (2 * (parts - 1) / parts)
    there = _tree(mesh, op.axis, op.algorithm or "chain", op.group, op.root or 0)
    return there + _multicast(mesh, (op.axis,))


def _halo(machine: Wafer, mesh: Mesh, op: Halo, operand: Buffer) -> Moved:
    row = operand.tile_type.bytes // max(1, operand.tile_type.shape[op.dim])
    words = link_words(machine, op.lo * row) + link_words(machine, op.hi * row)
    share = words / max(1, link_words(machine, operand.tile_type.bytes))
    neighbours = mesh[op.axis].parts - 1
    return _sent(neighbours, neighbours * mesh.pitch(op.axis)) * share


def _append(machine: Wafer, mesh: Mesh, op: Append, operand: Buffer) -> Moved:
    handed = mesh[op.axis].parts - 1 if op.balanced else 0
    return _sent(handed + 1, handed * mesh.pitch(op.axis))


def _tree(mesh: Mesh, axis: str, algorithm: str, group: int | None, root: int = 0) -> Moved:
    """Every part but the root sends once; what passes through a part's adder is read there, not written."""
    tree = rooted_tree(mesh[axis].parts, algorithm, group, root)
    distance = sum(abs(source - part) for part, phases in enumerate(tree) for p in phases for source in p)
    stored = sum(len(sources) for phases in tree for sources in phases) - sum(1 for phases in tree if phases)
    return Moved(mesh[axis].parts + stored, stored + 1, distance * mesh.pitch(axis))


def _chains(mesh: Mesh, axis: str) -> Moved:
    """A chain to every part for its own P-th of the tile: each passes all the others."""
    parts = mesh[axis].parts
    return Moved(parts, 1, (parts - 1) * mesh.pitch(axis))


def _shift(mesh: Mesh, op: Shift) -> Moved:
    """The mean over the lines of what goes from the parts that hold it to those that receive it, piece by piece."""
    parts, pieces = mesh[op.axis].parts, op.pieces or 1
    numbers = ring_numbers(parts, op.ring)
    order = np.arange(parts) if op.enter else np.argsort(numbers)
    place = (numbers[:, None] * pieces + np.arange(pieces)).ravel()
    here = np.repeat(np.arange(parts), pieces)
    skews = range(mesh[op.skew].parts) if op.skew else (1,)
    ways = [np.abs(order[(place + op.by * skew) % (parts * pieces) // pieces] - here) for skew in skews]
    distances, sent = (float(np.mean([f(way) for way in ways])) for f in (np.sum, np.count_nonzero))
    return _sent(sent / pieces, distances / pieces * mesh.pitch(op.axis))


def _all_to_all(mesh: Mesh, axis: str) -> Moved:
    """Each part sends a P-th of its tile to each other part: the sum of |i - j| over pairs is (P^3 - P) / 3."""
    parts = mesh[axis].parts
    return _sent(parts - 1, (parts**2 - 1) / 3 * mesh.pitch(axis))


def _exchange(machine: Wafer, mesh: Mesh, operand: Buffer, result: Buffer) -> Moved:
    """Every flow is read at its source and written at its target, also where these are one core."""
    flights, hops = exchanged(machine, mesh, operand, result)
    words = int(flights.words.sum())
    return Moved(words, words, int((flights.words * hops).sum()))


_ALONG_A_LINE: dict[type, Callable[[Wafer, Mesh, Any, Buffer], Moved]] = {
    ReduceTo: _reduce_to,
    ReduceInto: lambda machine, mesh, op, operand: _tree(mesh, op.axis, "chain", None),
    ReduceScatter: lambda machine, mesh, op, operand: _chains(mesh, op.axis),
    AllReduce: _all_reduce,
    Halo: _halo,
    Shift: lambda machine, mesh, op, operand: _shift(mesh, op),
    Rotate: lambda machine, mesh, op, operand: _shift(mesh, Shift(op.axis, 1, op.ring)) * (1 / op.pieces),
    Append: _append,
    AllToAll: lambda machine, mesh, op, operand: _all_to_all(mesh, op.axis),
    AllGather: lambda machine, mesh, op, operand: _multicast(mesh, (op.axis,)) * mesh[op.axis].parts,
}
