"""Movement between the cores of a region. Tiles are arrays of shape mesh + tile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import singledispatch
from typing import Any

import numpy as np

from wsc.backends.wafer.instructions import (
    AllReduce,
    AllToAll,
    Broadcast,
    Halo,
    Lookup,
    Move,
    Multicast,
    MultiplyAdd,
    ReduceScatter,
    ReduceTo,
    Shift,
)
from wsc.backends.wafer.program import Buffer
from wsc.backends.wafer.trees import reduction_tree, ring_order
from wsc.compiler.layout import Layout, Mesh
from wsc.compiler.ops import Contract
from wsc.compiler.ops.base import Array, wide

_COMBINE: dict[str, Callable[..., Array]] = {"sum": np.sum, "max": np.max, "min": np.min}


def unwritten(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Memory that nothing has written: NaN, or the type's lowest value where there is no NaN."""
    if dtype.kind in "iu":
        return np.full(shape, np.iinfo(dtype).min, dtype)
    if dtype.kind == "b":
        return np.zeros(shape, dtype)
    return np.full(shape, np.nan, dtype)


def move(op: Move, mesh: Mesh, sources: Sequence[Buffer], result: Buffer, operands: Sequence[Array]) -> Array:
    """Tiles of the result of a movement within the region."""
    return _move(op, mesh, sources, result, operands)


@singledispatch
def _move(op: Any, mesh: Mesh, sources: Sequence[Buffer], result: Buffer, operands: Sequence[Array]) -> Array:
    raise TypeError(f"no movement {op!r}")


@_move.register
def _multicast(
    op: Multicast, mesh: Mesh, sources: Sequence[Buffer], result: Buffer, operands: Sequence[Array]
) -> Array:
    (tiles,) = operands
    for name in op.axes:
        tiles = np.take(tiles, [op.root or 0], axis=mesh.index(name))
    return np.array(np.broadcast_to(tiles, operands[0].shape), order="C")


@_move.register
def _reduce_to(
    op: ReduceTo, mesh: Mesh, sources: Sequence[Buffer], result: Buffer, operands: Sequence[Array]
) -> Array:
    axis = mesh.index(op.axis)
    moved = unwritten(operands[0].shape, operands[0].dtype)
    if op.algorithm is None:
        np.moveaxis(moved, axis, 0)[0] = _combine(op.fn, operands[0], axis)
        return moved
    values = list(np.moveaxis(wide(operands[0]), axis, 0))
    children = reduction_tree(len(values), op.algorithm, op.group)
    for part in reversed(range(len(values))):  # a part combines what it has received before it sends
        for child in (child for phase in children[part] for child in phase):
            values[part] = _COMBINE[op.fn]([values[part], values[child]], axis=0)
    np.moveaxis(moved, axis, 0)[0] = values[0].astype(moved.dtype, copy=False)
    return moved


@_move.register
def _all_reduce(
    op: AllReduce, mesh: Mesh, sources: Sequence[Buffer], result: Buffer, operands: Sequence[Array]
) -> Array:
    axis = mesh.index(op.axis)
    total = np.expand_dims(_combine(op.fn, operands[0], axis), axis)
    return np.array(np.broadcast_to(total, operands[0].shape), order="C")


@_move.register
def _reduce_scatter(
    op: ReduceScatter, mesh: Mesh, sources: Sequence[Buffer], result: Buffer, operands: Sequence[Array]
) -> Array:
    axis, parts = mesh.index(op.axis), mesh[op.axis].parts
    dim = len(mesh.axes) + op.dim
    total = np.expand_dims(_combine(op.fn, operands[0], axis), axis)
    tile = result.tile_type.shape[op.dim]
    pads = [(0, parts * tile - total.shape[dim]) if a == dim else (0, 0) for a in range(total.ndim)]
    pieces = np.split(np.pad(total, pads), parts, axis=dim)
    return np.concatenate(pieces, axis=axis)


@_move.register
def _halo(
    op: Halo, mesh: Mesh, sources: Sequence[Buffer], result: Buffer, operands: Sequence[Array]
) -> Array:
    (tiles,) = operands
    axis, dim = mesh.index(op.axis), len(mesh.axes) + op.dim
    extent = tiles.shape[dim]
    before = np.take(np.roll(tiles, 1, axis=axis), range(extent - op.lo, extent), axis=dim)
    after = np.take(np.roll(tiles, -1, axis=axis), range(op.hi), axis=dim)
    extended = np.concatenate([before, tiles, after], axis=dim)
    mask = result.layout.valid(mesh, result.type.shape)
    return extended if mask is None else np.where(mask, extended, np.asarray(op.fill, tiles.dtype))


@_move.register
def _shift(
    op: Shift, mesh: Mesh, sources: Sequence[Buffer], result: Buffer, operands: Sequence[Array]
) -> Array:
    axis, parts = mesh.index(op.axis), mesh[op.axis].parts
    order = ring_order(parts) if op.ring else np.arange(parts)
    steps: Any = op.by
    if op.skew is not None:
        others = mesh[op.skew].parts
        numbers = np.argsort(ring_order(others)) if op.ring else np.arange(others)
        steps = op.by * numbers.reshape(
            [-1 if a == mesh.index(op.skew) else 1 for a in range(len(mesh.axes))]
        )
    number = np.argsort(order).reshape([-1 if a == axis else 1 for a in range(len(mesh.axes))])
    source = np.asarray(order[(number + steps) % parts])
    index = source.reshape(source.shape + (1,) * (operands[0].ndim - source.ndim))
    return np.take_along_axis(operands[0], index, axis=axis)


@_move.register
def _all_to_all(
    op: AllToAll, mesh: Mesh, sources: Sequence[Buffer], result: Buffer, operands: Sequence[Array]
) -> Array:
    (tiles,) = operands
    axis, lead = mesh.index(op.axis), len(mesh.axes)
    split, join, parts = lead + op.split, lead + op.join, mesh[op.axis].parts
    tile = -(-tiles.shape[split] // parts)
    pads = [(0, parts * tile - n) if a == split else (0, 0) for a, n in enumerate(tiles.shape)]
    pieces = np.stack(
        np.split(np.pad(tiles, pads), parts, axis=split)
    )  # [destination, ..., source at axis, ...]
    arrived = np.moveaxis(
        np.moveaxis(pieces, 0, axis + 1), axis, 0
    )  # [source, ..., destination at axis, ...]
    return np.concatenate(list(arrived), axis=join)


def broadcast(op: Broadcast, mesh: Mesh, step: int, tiles: Array) -> Array:
    """Tiles of the result of a broadcast in a step of a loop."""
    axis = mesh.index(op.axis)
    root = np.take(tiles, [step % mesh[op.axis].parts], axis=axis)
    return np.array(np.broadcast_to(root, tiles.shape), order="C")


def multiply_add(op: MultiplyAdd, mesh: Mesh, total: Array, operands: Sequence[Array]) -> Array:
    """The total with the product added; the product and the sum are taken in at least 32 bits."""
    flat = [wide(a).reshape(-1, *a.shape[len(mesh.axes) :]) for a in operands]
    product = Contract(op.equation).lifted().reference(flat).reshape(total.shape)
    return np.asarray(wide(total) + product).astype(total.dtype, copy=False)


def held(mesh: Mesh, layout: Layout, tiles: Array) -> Array:
    """The tiles where a layout holds any, unwritten memory elsewhere."""
    empty = unwritten(tiles.shape, tiles.dtype)
    place = tuple(slice(0, 1) if axis.name in layout.at else slice(None) for axis in mesh.axes)
    empty[place] = tiles[place]
    return empty


@_move.register
def _lookup(
    op: Lookup, mesh: Mesh, sources: Sequence[Buffer], result: Buffer, operands: Sequence[Array]
) -> Array:
    table, index = operands
    lead = len(mesh.axes)
    part = np.arange(mesh[op.axis].parts).reshape(
        [-1 if a == mesh.index(op.axis) else 1 for a in range(lead)]
    )
    parts = np.broadcast_to(part, mesh.shape).ravel()
    rows = found_rows(
        table.reshape(-1, *table.shape[lead:]), index.reshape(-1, *index.shape[lead:]), parts
    )
    return rows.reshape(*mesh.shape, *rows.shape[1:])


def found_rows(table: Array, index: Array, parts: Array) -> Array:
    """A lookup on some cores: arrays of shape (cores, *tile), and which part of the table each core holds."""
    rows = table.shape[1]
    local = index - parts.reshape(-1, *(1,) * (index.ndim - 1)) * rows
    held = (local >= 0) & (local < rows)
    places = np.where(held, local, 0).reshape(len(table), -1)
    found = np.take_along_axis(table, places[:, :, None], axis=1)
    found = np.where(held.reshape(len(table), -1, 1), found, np.asarray(0, table.dtype))
    return found.reshape(*index.shape, table.shape[-1])


def _combine(fn: str, tiles: Array, axis: int) -> Array:
    return np.asarray(_COMBINE[fn](wide(tiles), axis=axis)).astype(tiles.dtype, copy=False)
