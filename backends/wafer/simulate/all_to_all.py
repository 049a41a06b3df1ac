"""Cycles of an all-to-all along a line: its messages wait for their core, for links and for their colour.

Every part sends a piece to the part one further on, modulo their number, then to that two further on, and so on. There
are many times as many messages as colours: those of a direction share a few, each on the one where least goes before
it, and a router passes the messages of a colour in one order (`wsc.backends.wafer.colors`).
"""

from __future__ import annotations

from functools import lru_cache

from wsc.backends.wafer.instructions import AllToAll
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.movement.exchange import all_to_all
from wsc.backends.wafer.movement.parts import Region
from wsc.backends.wafer.program import Buffer
from wsc.backends.wafer.simulate.blocking import blocked_cycles
from wsc.backends.wafer.simulate.costs import MOVEMENT, Cost
from wsc.backends.wafer.simulate.lines import copied, link_words, sharing
from wsc.compiler.ir.types import TensorType
from wsc.compiler.layout import Layout, Mesh, MeshAxis

# Parts, and cores, of a line that is played; longer ones take as much longer as their busiest links carry more.
MOST_PARTS, MOST_CORES = 32, 64


def all_to_all_cost(machine: Wafer, mesh: Mesh, op: AllToAll, operand: Buffer) -> Cost:
    """P - 1 exchanges of a P-th of the tile; in the k-th a link carries min(k, P - k) pieces, P^2 / 4 in all."""
    axis, parts = op.axis, mesh[op.axis].parts
    if parts == 1:
        return copied(machine, operand)
    piece = link_words(machine, -(-operand.tile_type.bytes // parts))
    shared = sharing(mesh, axis, operand)
    through = _through(machine, mesh, op, operand, shared)
    startup = 2 * machine.core.task_startup_cycles
    on_links = piece * sum(min(k, parts - k) for k in range(1, parts)) * shared // 2
    return Cost(MOVEMENT, startup + piece * (parts - 1), startup + through, (mesh[axis].along,), on_links)


def _through(machine: Wafer, mesh: Mesh, op: AllToAll, operand: Buffer, shared: int) -> int:
    """Cycles of all messages of a line, and of those that run over the same links."""
    axis, pitch = mesh[op.axis], mesh.pitch(op.axis)
    inner = (a for a in mesh.axes[mesh.index(op.axis) + 1 :] if a.along == axis.along)
    few = min(axis.parts, MOST_PARTS, max(2, MOST_CORES // pitch))
    line = Mesh((MeshAxis(axis.name, few, "x"), *(MeshAxis(a.name, a.parts, "x") for a in inner)))
    idle = tuple(a.name for a in line.axes if a.name in operand.layout.at)
    before, after = list(operand.tile_type.shape), list(operand.tile_type.shape)
    after[op.split] = -(-before[op.split] // axis.parts)
    whole = axis.parts == few and operand.layout.cuts[op.join]
    after[op.join] = operand.type.shape[op.join] if whole else before[op.join] * few
    takers = -(-before[op.split] // after[op.split]), few  # of all parts, and of those that are played
    if few < axis.parts:
        takers = takers[0], max(1, round(takers[0] * few / axis.parts))
        before[op.split] = after[op.split] * takers[1]
    types = (TensorType(operand.type.dtype, tuple(shape)) for shape in (before, after))
    buffers = [Buffer("", type, Layout(((),) * type.rank), "local") for type in types]
    played = _played(machine, line, idle, op, buffers[0], buffers[1])
    if few == axis.parts:
        return played
    pace = machine.core.exchange_cycles_per_word / shared
    return round(played * _on_links(axis.parts, takers[0], pace) / _on_links(few, takers[1], pace))


def _on_links(parts: int, takers: int, pace: float) -> float:
    """Pieces that pass one after another at the least, where the first `takers` of the parts take some.

    In the k-th exchange a core sends in T of P cases, and a link carries min(k, T - k) pieces one way, and
    min(k, T, P - k) the other.
    """
    least = pace * takers / parts
    return sum(max(least, min(k, takers - k), min(k, takers, parts - k)) for k in range(1, parts))


@lru_cache(maxsize=256)
def _played(
    machine: Wafer, line: Mesh, idle: tuple[str, ...], op: AllToAll, operand: Buffer, result: Buffer
) -> int:
    x, y = line.coordinates
    places = tuple(zip(x.ravel().tolist(), y.ravel().tolist(), strict=True))
    made = all_to_all(op, Region(line, places, idle), operand, result)
    return blocked_cycles(machine, made, operand, result)
