"""Caches whose elements pass from part to part, and what a core knows of its own place. Tiles are mesh + tile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wsc.backends.wafer.instructions import Append, Filled, Position
from wsc.backends.wafer.program import Buffer
from wsc.compiler.errors import SimulationError
from wsc.compiler.layout import Mesh
from wsc.compiler.ops.base import Array


@dataclass(frozen=True)
class Ring:
    """The slots of every part: how many elements were ever put into them, and how many handed on."""

    put: Array
    gone: Array

    @staticmethod
    def around(op: Append, cache: Buffer, parts: int, count: int) -> tuple[Ring, Ring, int]:
        """Before and after an element more, and the slots of a part; raises SimulationError where one has none left."""
        slots = cache.layout.cuts[op.dim][-1].tile
        before, after = Ring.of(op, parts, count), Ring.of(op, parts, count + 1)
        if (after.put - after.gone).max() > slots:
            full = int(np.argmax(after.put - after.gone))
            raise SimulationError(f"%{cache.name}: part {full} of '{op.axis}' has {slots} slots, all taken")
        return before, after, slots

    @staticmethod
    def of(op: Append | Filled, parts: int, count: int) -> Ring:
        """After `count` elements; in balance a part hands on what the parts after it take."""
        balanced = count if op.balanced else min(count, op.start)
        rounds, more = divmod(balanced, parts)
        number = np.arange(
            parts
        )  # in each round part 0 gains one first, then part 1, to which part 0 hands one on
        put = rounds * (parts - number) + np.maximum(0, more - number)
        gone = rounds * (parts - number - 1) + np.maximum(0, more - number - 1)
        put[0] += count - balanced
        return Ring(put, gone)


def append(op: Append, mesh: Mesh, cache: Buffer, fresh: Array, tiles: Array, length: Array) -> Array:
    """The cache with one element more; raises SimulationError where a part has no slot left."""
    axis, dim, parts = mesh.index(op.axis), len(mesh.axes) + op.dim, mesh[op.axis].parts
    before, after, slots = Ring.around(op, cache, parts, int(length.flat[0]))
    lines = np.moveaxis(np.array(tiles), (axis, dim), (0, 1))
    old = lines.copy()
    new = np.moveaxis(fresh, (axis, dim), (0, 1))[:, 0]
    for part in np.flatnonzero(after.put > before.put):
        came = new[0] if part == 0 else old[part - 1, before.gone[part - 1] % slots]
        lines[part, before.put[part] % slots] = came
    return np.ascontiguousarray(np.moveaxis(lines, (0, 1), (axis, dim)))


def filled(op: Filled, mesh: Mesh, result: Buffer, length: Array) -> Array:
    """Truth values of the slots, of shape mesh + tile."""
    parts, slots = mesh[op.axis].parts, result.layout.cuts[op.dim][-1].tile
    ring = Ring.of(op, parts, int(length.flat[0]))
    age = (np.arange(slots) - ring.gone[:, None]) % slots
    taken = age < (ring.put - ring.gone)[:, None]
    shape = mesh.shape + result.tile_type.shape
    axis, dim = mesh.index(op.axis), len(mesh.axes) + op.dim
    flat = taken.reshape([{axis: parts, dim: slots}.get(a, 1) for a in range(len(shape))])
    return np.array(np.broadcast_to(flat, shape), order="C")


def position(op: Position, mesh: Mesh, result: Buffer) -> Array:
    """Global indices along a dimension, of shape mesh + tile."""
    index, _ = result.layout.positions(mesh, result.type.shape)[op.dim]
    shape = mesh.shape + result.tile_type.shape
    return np.array(np.broadcast_to(index, shape), result.type.dtype.numpy, order="C")
