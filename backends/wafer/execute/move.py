"""Movement between the cores of a region. Tiles are arrays of shape mesh + tile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import singledispatch
from typing import Any

import numpy as np

from wsc.backends.wafer.execute.caches import append, filled, position
from wsc.backends.wafer.instructions import (
    AllGather,
    AllReduce,
    AllToAll,
    Append,
    Exchange,
    Filled,
    Halo,
    Keep,
    Lookup,
    Move,
    Multicast,
    Position,
    ReduceScatter,
    ReduceTo,
    Shift,
    lines_of,
)
from wsc.backends.wafer.program import Buffer
from wsc.backends.wafer.trees import Phases, reduction_tree, ring_numbers, ring_order, rooted_tree
from wsc.compiler.layout import Layout, Mesh
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
    lines = lines_of(op)
    if isinstance(op, Lookup) or not any("*" in line for line in lines):
        return _move(op, mesh, sources, result, operands)
    line = mesh.folded(*lines)
    flat = [a.reshape(line.shape + a.shape[len(mesh.axes) :]) for a in operands]
    tiles = _move(op, line, sources, result, flat)
    return tiles.reshape(mesh.shape + tiles.shape[len(line.axes) :])


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
    values = np.moveaxis(wide(operands[0]), axis, 0)
    total = _along_tree(op.fn, values, reduction_tree(len(values), op.algorithm, op.group), 0)
    np.moveaxis(moved, axis, 0)[0] = total.astype(moved.dtype, copy=False)
    return moved


def _along_tree(fn: str, parts: Array, tree: tuple[Phases, ...], root: int) -> Array:
    """What the root of a tree has in the end; a part combines what it has received before it sends."""
    values = list(parts)
    for part in sorted(range(len(values)), key=lambda p: -abs(p - root)):
        for source in (source for phase in tree[part] for source in phase):
            values[part] = _COMBINE[fn]([values[part], values[source]], axis=0)
    return np.asarray(values[root])


@_move.register
def _all_reduce(
    op: AllReduce, mesh: Mesh, sources: Sequence[Buffer], result: Buffer, operands: Sequence[Array]
) -> Array:
    axis, dtype = mesh.index(op.axis), operands[0].dtype
    if op.algorithm is None:
        total = _combine(op.fn, operands[0], axis)
    else:
        values, root = np.moveaxis(wide(operands[0]), axis, 0), op.root or 0
        if op.algorithm == "ring":
            total = _round_a_ring(op.fn, values)
        else:
            tree = rooted_tree(len(values), op.algorithm, op.group, root)
            total = _along_tree(op.fn, values, tree, root)
    total = np.expand_dims(total.astype(dtype, copy=False), axis)
    return np.array(np.broadcast_to(total, operands[0].shape), order="C")


def _round_a_ring(fn: str, parts: Array) -> Array:
    """Every share of the tile combined part after part, in the order of the ring, up to the part that it is for."""
    count, shape = len(parts), parts.shape[1:]
    flat = parts[ring_order(count)].reshape(count, -1)
    width = -(-flat.shape[1] // count) * count
    shares = np.pad(flat, ((0, 0), (0, width - flat.shape[1]))).reshape(count, count, -1)
    number = np.arange(count)
    total = shares[(number + 1) % count, number]
    for step in range(2, count + 1):
        total = _COMBINE[fn]([total, shares[(number + step) % count, number]], axis=0)
    return np.asarray(total.reshape(-1)[: flat.shape[1]].reshape(shape))


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
    """On the ring of pieces, `pieces` to a part, each takes the one that lies `by` (times the skew's number) on."""
    (tiles,) = operands
    lead, axis, parts, pieces = len(mesh.axes), mesh.index(op.axis), mesh[op.axis].parts, op.pieces or 1
    numbers = ring_numbers(parts, op.ring)
    order = np.arange(parts) if op.enter else np.argsort(numbers)
    steps: Any = op.by
    if op.skew is not None:
        others = ring_numbers(mesh[op.skew].parts, op.ring)
        steps = op.by * _on_axis(others, mesh.index(op.skew), lead + 1)
    if pieces == 1:
        cut = np.expand_dims(tiles, lead)
    else:
        assert op.dim is not None
        cut = np.stack(np.split(tiles, pieces, axis=lead + op.dim), axis=lead)
    here = _on_axis(numbers, axis, lead + 1) * pieces + _on_axis(np.arange(pieces), lead, lead + 1)
    place = (here + steps) % (parts * pieces)
    part, piece = np.broadcast_arrays(order[place // pieces], place % pieces)
    index = [_on_axis(np.arange(a.parts), n, lead + 1) for n, a in enumerate(mesh.axes)]
    index[axis] = part
    moved = cut[(*index, piece)]
    return moved[(slice(None),) * lead + (0,)] if pieces == 1 else _joined(moved, lead, op.dim)


def _joined(pieces: Array, lead: int, dim: int | None) -> Array:
    """Pieces of a tile, counted by the dimension after the mesh's, as one tile."""
    assert dim is not None
    return np.concatenate(list(np.moveaxis(pieces, lead, 0)), axis=lead + dim)


def _on_axis(values: Array, axis: int, rank: int) -> Array:
    return values.reshape([-1 if a == axis else 1 for a in range(rank)])


@_move.register
def _all_gather(
    op: AllGather, mesh: Mesh, sources: Sequence[Buffer], result: Buffer, operands: Sequence[Array]
) -> Array:
    (tiles,) = operands
    axis, dim = mesh.index(op.axis), len(mesh.axes) + op.dim
    joined = np.concatenate(np.split(tiles, mesh[op.axis].parts, axis=axis), axis=dim)
    extent = result.tile_type.shape[op.dim]  # what lies past the end of a ragged tensor is not joined
    joined = np.take(joined, range(extent), axis=dim)
    return np.repeat(joined, mesh[op.axis].parts, axis=axis)


@_move.register
def _keep(
    op: Keep, mesh: Mesh, sources: Sequence[Buffer], result: Buffer, operands: Sequence[Array]
) -> Array:
    (tiles,) = operands
    axis, dim, parts = mesh.index(op.axis), len(mesh.axes) + op.dim, mesh[op.axis].parts
    extent = result.tile_type.shape[op.dim]
    missing = max(0, parts * extent - tiles.shape[dim])
    padded = np.pad(tiles, [(0, missing if a == dim else 0) for a in range(tiles.ndim)])
    kept = [
        np.take(np.take(padded, [part], axis=axis), range(part * extent, (part + 1) * extent), axis=dim)
        for part in range(parts)
    ]
    return np.concatenate(kept, axis=axis)


@_move.register
def _all_to_all(
    op: AllToAll, mesh: Mesh, sources: Sequence[Buffer], result: Buffer, operands: Sequence[Array]
) -> Array:
    (tiles,) = operands
    axis, lead = mesh.index(op.axis), len(mesh.axes)
    split, join, parts = lead + op.split, lead + op.join, mesh[op.axis].parts
    tile = result.tile_type.shape[op.split]
    pads = [(0, parts * tile - n) if a == split else (0, 0) for a, n in enumerate(tiles.shape)]
    pieces = np.stack(
        np.split(np.pad(tiles, pads), parts, axis=split)
    )  # [destination, ..., source at axis, ...]
    arrived = np.moveaxis(
        np.moveaxis(pieces, 0, axis + 1), axis, 0
    )  # [source, ..., destination at axis, ...]
    joined = np.concatenate(list(arrived), axis=join)
    return np.take(joined, range(result.tile_type.shape[op.join]), axis=join)


@_move.register
def _exchange(
    op: Exchange, mesh: Mesh, sources: Sequence[Buffer], result: Buffer, operands: Sequence[Array]
) -> Array:
    dense = sources[0].layout.collect(mesh, operands[0], result.type.shape)
    return held(mesh, result.layout, result.layout.distribute(mesh, dense))


@_move.register
def _append(
    op: Append, mesh: Mesh, sources: Sequence[Buffer], result: Buffer, operands: Sequence[Array]
) -> Array:
    fresh, cache, length = operands
    return append(op, mesh, sources[1], fresh, cache, length)


@_move.register
def _filled(
    op: Filled, mesh: Mesh, sources: Sequence[Buffer], result: Buffer, operands: Sequence[Array]
) -> Array:
    return filled(op, mesh, result, operands[0])


@_move.register
def _position(
    op: Position, mesh: Mesh, sources: Sequence[Buffer], result: Buffer, operands: Sequence[Array]
) -> Array:
    return position(op, mesh, result)


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
    rows = found_rows(
        table.reshape(-1, *table.shape[lead:]),
        index.reshape(-1, *index.shape[lead:]),
        first_row(sources[0], mesh).ravel(),
    )
    return rows.reshape(*mesh.shape, *rows.shape[1:])


def found_rows(table: Array, index: Array, first: Array) -> Array:
    """A lookup on some cores: arrays of shape (cores, *tile), and the first row of the table on each core."""
    rows, inner = table.shape[1], table.shape[2:]
    local = index - first.reshape(-1, *(1,) * (index.ndim - 1))
    held = (local >= 0) & (local < rows)
    flat = table.reshape(-1, rows, int(np.prod(inner)))
    places = np.where(held, local, 0).reshape(len(flat), -1)
    found = np.take_along_axis(flat, places[:, :, None], axis=1)
    found = np.where(held.reshape(len(flat), -1, 1), found, np.asarray(0, table.dtype))
    return found.reshape(*index.shape, *inner)


def first_row(table: Buffer, mesh: Mesh) -> Array:
    """The global place of the first row of every core's tile; of a tile without rows a place that nothing names."""
    cuts = replace(table.layout, cuts=table.layout.cuts[:1])
    place, exists = cuts.positions(mesh, table.type.shape[:1])[0]
    first = np.where(exists[..., 0], place[..., 0], np.iinfo(np.int64).max // 2)
    return np.array(np.broadcast_to(first, mesh.shape))


def _combine(fn: str, tiles: Array, axis: int) -> Array:
    return np.asarray(_COMBINE[fn](wide(tiles), axis=axis)).astype(tiles.dtype, copy=False)
