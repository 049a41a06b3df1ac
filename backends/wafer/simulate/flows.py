"""Who sends how much to whom: the flows of a stream between the cores of two regions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wsc.backends.wafer.simulate.boxes import flows_by_boxes
from wsc.compiler.ir.types import TensorType
from wsc.compiler.layout import Cut, Layout, Mesh, MeshAxis
from wsc.compiler.ops.base import Array, Op
from wsc.compiler.ops.movement import Pad

Index = NDArray[np.int64]
NO_MESH = Mesh(())


@dataclass(frozen=True)
class Port:
    """How a tensor, or each of its equal `chunks` along `dim`, lies at one end; `layout` None is the host."""

    type: TensorType
    layout: Layout | None = None
    mesh: Mesh = NO_MESH
    chunks: int = 1
    dim: int = 0


@dataclass(frozen=True, eq=False)
class Flows:
    """`elements[i]` go from core `source[i]` to core `target[i]`, each counted along the rows of its region.

    The host's only core is 0. Pairs are distinct and sorted by target, then source.
    """

    source: Index
    target: Index
    elements: Index


def find_flows(source: Port, views: Sequence[Op], target: Port) -> Flows:
    """Flows of a tensor from where it is owned, through `views`, to every tile at part 0 of the axes that cut nothing.

    What a view pads is filled in at the target and comes from nowhere.
    """
    if (found := _boxed(source, views, target)) is not None:
        return found
    owners = _owners(source)
    for op in views:
        op = replace(op, value=0.0) if isinstance(op, Pad) else op
        owners = op.reference([owners])
    base = int(owners.max(initial=0)) + 1
    counted = [_count_runs(keys.ravel()) for keys in _keys(owners, base, target)]
    pairs, place = np.unique(np.concatenate([keys for keys, _ in counted]), return_inverse=True)
    lengths = np.concatenate([lengths for _, lengths in counted])
    elements = np.bincount(place, lengths, pairs.size).astype(np.int64)
    real = pairs % base > 0
    return Flows(pairs[real] % base - 1, pairs[real] // base, elements[real])


def _boxed(source: Port, views: Sequence[Op], target: Port) -> Flows | None:
    """The flows by boxes, where a whole tensor goes as it is to tiles that do not overlap."""
    if source.layout is None or target.layout is None or views or 0 in source.type.shape:
        return None
    overlaps = any(c.lo or c.hi for port in (source, target) for cuts in _cuts(port) for c in cuts)
    if overlaps or source.type.shape != target.type.shape or (source.chunks, target.chunks) != (1, 1):
        return None
    ends = (source.mesh, source.layout), (target.mesh, target.layout)
    return Flows(*flows_by_boxes(source.type.shape, *ends))


def _cuts(port: Port) -> tuple[tuple[Cut, ...], ...]:
    return port.layout.cuts if port.layout else ()


def _owners(port: Port) -> Array:
    """The tensor with, in place of each element, 1 + the core that owns it; 0 is for what nobody owns."""
    if port.layout is None:
        return np.broadcast_to(np.int64(1), port.type.shape)
    shape = list(port.type.shape)
    if port.chunks > 1:
        shape[port.dim] //= port.chunks
    parts = port.layout.owners(port.mesh, tuple(shape))
    weights = _weights(port.mesh)
    owners = sum((part * weight for part, weight in zip(parts, weights, strict=True)), np.int64(1))
    chunk = np.broadcast_to(owners, shape)
    return np.concatenate([chunk] * port.chunks, axis=port.dim) if port.chunks > 1 else chunk


def _keys(owners: Array, base: int, port: Port) -> Iterator[Index]:
    """For every element of every tile, target * base + owner, chunk by chunk."""
    if port.layout is None:
        yield owners.astype(np.int64)
        return
    cutting = set(port.layout.axes)
    axes = tuple(a if a.name in cutting else MeshAxis(a.name, 1, a.along) for a in port.mesh.axes)
    held = Mesh(axes)
    targets = np.zeros(held.shape, np.int64)
    for digit, weight in zip(np.indices(held.shape), _weights(port.mesh), strict=True):
        targets += digit * weight
    targets = targets.reshape(held.shape + (1,) * owners.ndim)
    for chunk in np.split(owners, port.chunks, axis=port.dim) if port.chunks > 1 else [owners]:
        yield targets * base + port.layout.distribute(held, chunk)


def _weights(mesh: Mesh) -> list[int]:
    """What a step along each axis adds to a core's number in its region."""
    return [mesh.pitch(a.name) * (1 if a.along == "x" else mesh.width) for a in mesh.axes]


def _count_runs(keys: Index) -> tuple[Index, Index]:
    """Runs of equal keys and their lengths; tiles are contiguous, so that there are far fewer runs than elements."""
    starts = np.flatnonzero(np.concatenate([np.ones(min(1, keys.size), np.bool_), keys[1:] != keys[:-1]]))
    return keys[starts], np.diff(starts, append=keys.size)
