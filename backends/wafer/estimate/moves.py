"""What a movement within a region is expected to cost, to decide with. No simulator uses this.

A movement starts its tasks, passes words, and has a way to go. A core's tile has W words, its axis P parts that are
`pitch` cores apart, and a link is shared by the lines of the cores between two parts. Chains and broadcasts follow
Luczynski et al., HPDC 2024, arXiv 2404.15888.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil, prod
from typing import Any

from wsc.backends.wafer.algorithms.choose import all_reduce_cycles, reduce_cycles
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
from wsc.backends.wafer.trees import rooted_tree
from wsc.compiler.layout import Mesh


@dataclass(frozen=True)
class Spent:
    """Cycles: of the busiest core, until the result is there, and of the links along each direction ("x", "y")."""

    busy: float
    latency: float
    links: float = 0.0
    along: tuple[str, ...] = ()


def move_spent(machine: Wafer, mesh: Mesh, op: Move, operands: Sequence[Buffer], result: Buffer) -> Spent:
    """Of a movement of tiles; raises TypeError for one that is no movement within a region."""
    mesh = mesh.folded(*lines_of(op))
    if isinstance(op, Keep | Filled | Position):
        return _Way(machine, mesh, (), result).spent(1, _words(machine, result))
    if isinstance(op, Exchange):
        return _exchange(machine, mesh, operands[0], result)
    if type(op) not in _KINDS:
        raise TypeError(f"{op.kind} does not move tiles within a region")
    axes = op.axes if isinstance(op, Multicast) else (op.axis,)  # type: ignore[union-attr]
    return _KINDS[type(op)](_Way(machine, mesh, axes, operands[0]), op)


def _words(machine: Wafer, buffer: Buffer) -> int:
    return -(-buffer.tile_type.bytes // machine.fabric.link_bytes_per_cycle)


@dataclass(frozen=True)
class _Way:
    """What a movement of `operand` along `axes` has to do with."""

    machine: Wafer
    mesh: Mesh
    axes: tuple[str, ...]
    operand: Buffer

    @property
    def parts(self) -> int:
        """Parts of the (only) axis."""
        return self.mesh[self.axes[0]].parts

    @property
    def words(self) -> int:
        """Words of a tile."""
        return _words(self.machine, self.operand)

    @property
    def hop(self) -> int:
        """Cycles from a part to its neighbour."""
        return self.mesh.pitch(self.axes[0]) * self.machine.fabric.hop_cycles

    @property
    def ramps(self) -> int:
        """Cycles up one ramp and down another."""
        return 2 * self.machine.fabric.ramp_cycles

    @property
    def shared(self) -> int:
        """Lines that run over one link, of the busiest axis."""
        idle = {*self.operand.layout.at, *self.axes}
        return max(
            (prod(a.parts for a in self._inside(x) if a.name not in idle) for x in self.axes), default=1
        )

    def _inside(self, axis: str) -> list[Any]:
        behind = self.mesh.axes[self.mesh.index(axis) + 1 :]
        return [a for a in behind if a.along == self.mesh[axis].along]

    def spent(
        self, tasks: float, busy: float, links: float = 0.0, way: float = 0.0, least: float = 0.0
    ) -> Spent:
        """Of so many tasks, words of a core and of a link, and cycles of the way; it takes `least` in any case."""
        start = tasks * self.machine.core.task_startup_cycles
        along = tuple(sorted({self.mesh[axis].along for axis in self.axes}))
        on_links = links * self.shared
        return Spent(max(1.0, start + busy), start + max(busy, on_links, least) + way, on_links, along)

    def exchange(self, words: float, links: float, parts: int, least: float = 0.0) -> Spent:
        """Of a core that sends and receives so many words at once; the farthest go over so many parts."""
        paced = max(words * self.machine.core.exchange_cycles_per_word, least)
        return self.spent(2, words, links, parts * self.hop + self.ramps, paced)


def _multicast(way: _Way, op: Multicast) -> Spent:
    hops = sum((way.mesh[a].parts - 1) * way.mesh.pitch(a) for a in op.axes)
    return way.spent(1, way.words, way.words, hops * way.machine.fabric.hop_cycles + way.ramps)


def _broadcast(way: _Way, op: Broadcast) -> Spent:
    words = ceil(way.words / (op.pieces or 1))
    found = way.spent(1, words, words, (way.parts - 1) * way.hop + way.ramps)
    return _moving_root(way, found)


def _moving_root(way: _Way, found: Spent) -> Spent:
    control = way.machine.core.root_move_cycles
    return Spent(found.busy + control, found.latency + control, found.links, found.along)


def _reduce_to(way: _Way, op: ReduceTo) -> Spent:
    if op.algorithm is None:
        return way.spent(1, way.words, way.words, (way.ramps + 1 + way.hop) * (way.parts - 1))
    return _tree(way, reduce_cycles, op, 0)


def _tree(way: _Way, cycles: Callable[..., int], op: ReduceTo | AllReduce, root: int, *figures: int) -> Spent:
    """By the modelled cycles of the algorithm; the busiest core takes what all its sources send, a task a phase."""
    words, algorithm = way.words * way.shared, op.algorithm or "chain"
    tree = rooted_tree(way.parts, algorithm, op.group, root)
    taken = words * max(1, *(sum(map(len, phases)) for phases in tree))
    busy = taken + way.machine.core.task_startup_cycles * max(1, *map(len, tree))
    pitch = way.mesh.pitch(way.axes[0])
    found = cycles(algorithm, words, way.parts, way.machine, op.group, *figures, pitch=pitch)
    return Spent(busy, max(busy, found), taken, (way.mesh[way.axes[0]].along,))


def _reduce_into(way: _Way, op: ReduceInto) -> Spent:
    """A root between two others takes the words of one chain after those of the other, by a task of its own."""
    spent = _moving_root(way, _reduce_to(way, ReduceTo(op.axis)))
    more = way.words + way.machine.core.task_startup_cycles if way.parts > 2 else 0
    return replace(spent, busy=spent.busy + more, latency=spent.latency + more)


def _reduce_scatter(way: _Way, op: ReduceScatter) -> Spent:
    """Pieces pass from the first part to the last that has one and, behind them, from the last part to the first."""
    if way.parts == 1:
        return _copy(way)
    extent = way.operand.tile_type.shape[op.dim]
    tile = ceil(extent / way.parts)
    pieces = ceil(extent / tile)
    row, link = way.operand.tile_type.bytes / extent, way.machine.fabric.link_bytes_per_cycle
    piece = ceil(row * tile / link)
    words = piece * (pieces - 1) + ceil(row * (extent - tile * (pieces - 1)) / link)
    step = way.ramps + 1 + way.hop
    busy = words + piece * (way.parts > 2 and pieces > 1)
    back = step * 2 * max(0, min(pieces - 1, way.parts - 2))
    through = max(busy + back, words + step * (way.parts - 1)) if way.parts > 2 else piece + step
    links = words if pieces < way.parts else words - piece
    across = links * way.shared + step * (way.parts - 1)
    found = way.spent(1, busy, links)
    return replace(found, latency=way.machine.core.task_startup_cycles + max(through, across))


def _copy(way: _Way) -> Spent:
    core = way.machine.core
    size = way.operand.tile_type.bytes / core.write_bytes_per_cycle
    return Spent(core.task_startup_cycles, core.task_startup_cycles + size)


def _all_reduce(way: _Way, op: AllReduce) -> Spent:
    """A chain, and a multicast back over the links of the other direction."""
    if op.algorithm == "ring":
        return _ring(way)
    if op.algorithm is not None:
        root = op.root or 0
        found = _tree(way, all_reduce_cycles, op, root, root)
        busy = found.busy + way.machine.core.task_startup_cycles + way.words * way.shared
        return Spent(busy, max(busy, found.latency), found.links, found.along)
    there = (way.ramps + 1 + way.hop) * (way.parts - 1)
    back = way.hop * (way.parts - 1) + way.ramps
    words = 2 * way.words
    return way.spent(1, words, way.words, there + back, words * way.shared)


def _ring(way: _Way) -> Spent:
    """Twice round an interleaved ring, a P-th of the tile at a time."""
    share = ceil(way.operand.tile_type.bytes / way.parts / way.machine.fabric.link_bytes_per_cycle)
    step, rounds = way.exchange(share, share, min(2, way.parts - 1)), 2 * (way.parts - 1)
    return Spent(rounds * step.busy, rounds * (step.latency + 1), rounds * step.links, step.along)


def _halo(way: _Way, op: Halo) -> Spent:
    """Both sides at once; where nothing comes the tile is copied all the same.

    A word that comes or goes meets the copy, two banks of a read and a write for every word of a cycle, somewhere in
    the banks; three quarters of that are left, since a copy that has waited for a bank is behind the word from then on.
    """
    if way.parts == 1:
        return _copy(way)
    row = way.operand.tile_type.bytes // max(1, way.operand.tile_type.shape[op.dim])
    link = way.machine.fabric.link_bytes_per_cycle
    lo, hi = ceil(op.lo * row / link), ceil(op.hi * row / link)
    words, core = lo + hi if way.parts > 2 else max(lo, hi), way.machine.core
    found = way.exchange(words, max(lo, hi), 1, words * way.shared)
    pace = core.write_bytes_per_cycle / link
    copied = way.words + words * (1 + 3 * pace / core.memory_banks)
    copying = 2 * core.task_startup_cycles + copied / pace
    return Spent(found.busy, max(found.latency, copying), found.links, found.along)


def _shift(way: _Way, op: Shift) -> Spent:
    """By so many parts of a line, or on a ring whose steps are two parts at most; skewed by as many as there are."""
    by = abs(op.by) / (op.pieces or 1) * (way.mesh[op.skew].parts - 1 if op.skew else 1)
    near = min(by % way.parts, way.parts - by % way.parts) if not op.skew else min(by, way.parts / 2)
    if op.enter or not near:
        near = max(near, way.parts / 2 if op.enter and op.ring else near)
    far = min(2 * near, way.parts - 1) if op.ring else way.parts - near
    words = way.words if near else 0
    return way.exchange(words, words * near, ceil(far) if near else 0)


def _rotate(way: _Way, op: Rotate) -> Spent:
    words = ceil(way.words / op.pieces) if way.parts > 1 else 0
    return way.exchange(words, words, min(2, way.parts - 1) if op.ring else way.parts - 1)


def _all_to_all(way: _Way, op: AllToAll) -> Spent:
    """A piece from every part to every other: at the pace of an exchange, or a quarter of P^2 over the middle link."""
    parts = way.parts
    if parts == 1:
        return _copy(way)
    link, extent = way.machine.fabric.link_bytes_per_cycle, way.operand.tile_type.shape[op.split]
    tile = ceil(extent / parts)
    piece = ceil(way.operand.tile_type.bytes / extent * tile / link)
    takers = ceil(extent / tile)  # where there are fewer than parts, all send to these
    pace = way.machine.core.exchange_cycles_per_word / way.shared * takers / parts
    steps = sum(max(pace, min(k, takers - k), min(k, takers, parts - k)) for k in range(1, parts))
    blocked = (
        0.25 if way.shared > 1 else 0.06
    )  # messages wait for others of their colour, on the few there are
    steps *= 1 + blocked * takers / parts if parts > 4 else 1
    even = ceil(way.words / parts)
    middle = even * sum(min(k, parts - k) for k in range(1, parts)) * way.shared
    sent = piece * min(takers, parts - 1)
    found = way.exchange(sent, piece * steps, parts - 1)
    busy = 2 * way.machine.core.task_startup_cycles + even * (parts - 1)
    return Spent(busy, found.latency, middle / 2, found.along)


def _all_gather(way: _Way, op: AllGather) -> Spent:
    """Every tile to every part, one after another."""
    if way.parts == 1:
        return _copy(way)
    others = way.words * (way.parts - 1)
    far = max(1, 3 * way.parts // 4) * way.hop + way.ramps
    return way.spent(1, others, others, far, way.words * way.parts)


def _append(way: _Way, op: Append) -> Spent:
    """Every part hands an element on while it takes one, or the first puts it where it stays."""
    if not op.balanced:
        return way.spent(1, way.words)
    words = way.words if way.parts > 1 else 0
    return way.exchange(words, words, min(1, words))


def _exchange(machine: Wafer, mesh: Mesh, operand: Buffer, result: Buffer) -> Spent:
    """Between any cores of the region: a tile out and a tile in, over ways that are about as full as they are long."""
    words = max(_words(machine, operand), _words(machine, result))
    startup = 2 * machine.core.task_startup_cycles
    far = (mesh.width + mesh.height) * machine.fabric.hop_cycles + 2 * machine.fabric.ramp_cycles
    links = words * max(mesh.width, mesh.height) / 2
    return Spent(startup + words, startup + max(words, links) + far, links, ("x", "y"))


_KINDS: dict[type, Callable[[_Way, Any], Spent]] = {
    Multicast: _multicast,
    Broadcast: _broadcast,
    ReduceTo: _reduce_to,
    ReduceInto: _reduce_into,
    ReduceScatter: _reduce_scatter,
    AllReduce: _all_reduce,
    Halo: _halo,
    Shift: _shift,
    Rotate: _rotate,
    AllToAll: _all_to_all,
    AllGather: _all_gather,
    Append: _append,
}
