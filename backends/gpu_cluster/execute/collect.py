"""Collectives on tiles: arrays whose leading dimensions are the mesh of the ranks that hold them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from wsc.backends.gpu_cluster.instructions import Communicate, Keep
from wsc.compiler.layout import Mesh
from wsc.compiler.ops.base import Array, wide


def communicate(instruction: Communicate, mesh: Mesh, tiles: Array) -> Array:
    """Tiles after a collective; sums of half precision are taken in single precision."""
    at = [mesh.index(axis) for axis in instruction.axes]
    lead = len(mesh.axes)
    parts = _gathered(
        tiles, at, lead
    )  # group first, then the other axes (with length one for the group's), then tile
    return _COLLECTIVES[instruction.kind](parts, instruction, mesh, at)


def keep(instruction: Keep, mesh: Mesh, tiles: Array) -> Array:
    """Each rank's own part of what all hold."""
    at = [mesh.index(axis) for axis in instruction.axes]
    whole = _gathered(tiles, at, len(mesh.axes))[0]
    return _scattered(whole, instruction.dim, mesh, at)


def _gathered(tiles: Array, at: Sequence[int], lead: int) -> Array:
    """[ranks of a group, mesh with length one for the group's axes, tile]."""
    moved = np.moveaxis(tiles, at, range(len(at)))
    group = moved.reshape(-1, *moved.shape[len(at) :])
    return np.expand_dims(group, [1 + axis for axis in sorted(at)]) if lead else group


def _copies(whole: Array, mesh: Mesh) -> Array:
    lead = len(mesh.axes)
    return np.broadcast_to(whole, (*mesh.shape, *whole.shape[lead:]))


def _scattered(whole: Array, dim: int, mesh: Mesh, at: Sequence[int]) -> Array:
    """The parts of a tensor along `dim`, one for each rank of a group."""
    lead = len(mesh.axes)
    sizes = [mesh.shape[axis] for axis in at]
    ranks = int(np.prod(sizes))
    parts = np.stack(np.split(whole, ranks, axis=lead + dim))
    parts = parts.reshape(*sizes, *parts.shape[1:])
    inner = np.squeeze(parts, axis=tuple(len(at) + axis for axis in at))
    return np.moveaxis(inner, range(len(at)), at)


def _sum(parts: Array) -> Array:
    return np.asarray(wide(parts).sum(axis=0)).astype(parts.dtype, copy=False)


def _joined(parts: Array, dim: int, mesh: Mesh) -> Array:
    return np.concatenate(list(parts), axis=len(mesh.axes) + dim)


def _all_reduce(parts: Array, i: Communicate, mesh: Mesh, at: Sequence[int]) -> Array:
    return _copies(_sum(parts), mesh)


def _all_gather(parts: Array, i: Communicate, mesh: Mesh, at: Sequence[int]) -> Array:
    return _copies(_joined(parts, i.dim, mesh), mesh)


def _reduce_scatter(parts: Array, i: Communicate, mesh: Mesh, at: Sequence[int]) -> Array:
    return _scattered(_sum(parts), i.dim, mesh, at)


def _all_to_all(parts: Array, i: Communicate, mesh: Mesh, at: Sequence[int]) -> Array:
    return _scattered(_joined(parts, i.other_dim, mesh), i.dim, mesh, at)


def _broadcast(parts: Array, i: Communicate, mesh: Mesh, at: Sequence[int]) -> Array:
    return _copies(parts[0], mesh)


_Collective = Callable[[Array, Communicate, Mesh, Sequence[int]], Array]
_COLLECTIVES: Mapping[str, _Collective] = {
    "all_reduce": _all_reduce,
    "all_gather": _all_gather,
    "reduce_scatter": _reduce_scatter,
    "all_to_all": _all_to_all,
    "broadcast": _broadcast,
}
