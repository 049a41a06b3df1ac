"""What a loop's instructions do in one of its steps, where that depends on the step. Tiles are of shape mesh + tile."""

from __future__ import annotations

import numpy as np

from wsc.backends.wafer.instructions import Broadcast, MultiplyAdd, ReduceInto, Rotate
from wsc.backends.wafer.trees import ring_numbers
from wsc.compiler.layout import Mesh
from wsc.compiler.ops import Contract
from wsc.compiler.ops.base import Array, wide

Stepped = Broadcast | MultiplyAdd | ReduceInto | Rotate


def step_of(op: Stepped, mesh: Mesh, step: int, operands: list[Array], tiles: Array | None) -> Array:
    """Tiles of the result after step `step`; `tiles` are those before it."""
    match op:
        case Broadcast():
            return _broadcast(op, mesh, step, operands[0])
        case Rotate():
            return _rotate(op, mesh, step, operands[0])
    assert tiles is not None, f"the result of {op.kind} is that of its loop"
    if isinstance(op, MultiplyAdd):
        return _multiply_add(op, mesh, step, tiles, operands)
    return _reduce_into(op, mesh, step, tiles, operands[0])


def _broadcast(op: Broadcast, mesh: Mesh, step: int, tiles: Array) -> Array:
    axis, parts, pieces = mesh.index(op.axis), mesh[op.axis].parts, op.pieces or 1
    root = np.take(tiles, [step // pieces % parts], axis=axis)
    if op.dim is not None:
        root = _piece(root, len(mesh.axes) + op.dim, pieces, step)
    shape = tuple(parts if a == axis else n for a, n in enumerate(root.shape))
    return np.array(np.broadcast_to(root, shape), order="C")


def _piece(tiles: Array, dim: int, pieces: int, step: int) -> Array:
    """Piece `step` modulo `pieces` of a dimension: a view."""
    extent = tiles.shape[dim] // pieces
    start = step % pieces * extent
    return tiles[(slice(None),) * dim + (slice(start, start + extent),)]


def _rotate(op: Rotate, mesh: Mesh, step: int, tiles: Array) -> Array:
    axis, parts = mesh.index(op.axis), mesh[op.axis].parts
    numbers = ring_numbers(parts, op.ring)
    source = np.argsort(numbers)[(numbers + 1) % parts]
    moved = tiles.copy()
    piece = _piece(moved, len(mesh.axes) + op.dim, op.pieces, step)
    piece[...] = np.take(piece, source, axis=axis)
    return moved


def _multiply_add(op: MultiplyAdd, mesh: Mesh, step: int, total: Array, operands: list[Array]) -> Array:
    """The total with the product added; the product and the sum are taken in at least 32 bits."""
    contract, lead = Contract(op.equation), len(mesh.axes)
    if op.pieces is not None:
        lhs, rhs, result = contract.letters
        (summed,) = (letter for letter in lhs if letter in rhs and letter not in result)
        dims = (lead + lhs.index(summed), lead + rhs.index(summed))
        rows = zip(operands, dims, op.pieces, strict=True)
        operands = [_piece(tiles, dim, pieces, step) for tiles, dim, pieces in rows]
    flat = [wide(a).reshape(-1, *a.shape[lead:]) for a in operands]
    product = contract.lifted().reference(flat).reshape(total.shape)
    return np.asarray(wide(total) + product).astype(total.dtype, copy=False)


def _reduce_into(op: ReduceInto, mesh: Mesh, step: int, total: Array, tiles: Array) -> Array:
    """The sums of every line, each in the place of its block."""
    lead, axis, parts = len(mesh.axes), mesh.index(op.axis), mesh[op.axis].parts
    sums = np.sum(wide(tiles), axis=axis, keepdims=True).astype(total.dtype, copy=False)
    block = np.full((1,) * lead, step)
    if op.skew is not None:
        numbers = ring_numbers(mesh[op.skew].parts, op.ring)
        there = np.argsort(numbers)[(numbers + step) % len(numbers)]
        block = there.reshape([-1 if a == mesh.index(op.skew) else 1 for a in range(lead)])
    moved = np.array(total)
    number = np.arange(parts).reshape([-1 if a == axis else 1 for a in range(lead)])
    for piece in range(op.pieces):
        mine = (block // op.pieces == number) & (block % op.pieces == piece)
        place = _piece(moved, lead + op.dim, op.pieces, piece)
        place[...] = np.where(mine.reshape(mine.shape + (1,) * (total.ndim - lead)), sums, place)
    return moved
