"""Local compute: one graph op on the tiles of every core at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsc.backends.wafer.program import Buffer
from wsc.compiler.layout import Mesh
from wsc.compiler.ops import Reduce
from wsc.compiler.ops.base import Array, Op

Mask = NDArray[np.bool_]
_NEUTRAL = ("max", "min", "prod")


def compute(
    op: Op, mesh: Mesh, sources: Sequence[Buffer], result: Buffer, operands: Sequence[Array]
) -> Array:
    """Tiles of the result. Elements past the end of a ragged tile take no part, and are zero in the result."""
    lead = len(mesh.axes)
    flat = [a.reshape(-1, *a.shape[lead:]) for a in operands]
    value = on_tiles(op, flat, [existing(mesh, b) for b in sources], existing(mesh, result))
    return value.reshape((*mesh.shape, *value.shape[1:]))


def on_tiles(op: Op, operands: Sequence[Array], sources: Sequence[Mask | None], result: Mask | None) -> Array:
    """As `compute`, on some cores: arrays of shape (cores, *tile), and masks of the elements that exist there."""
    if isinstance(op, Reduce) and op.fn in _NEUTRAL:
        operands = [_masked(a, m, _neutral(op.fn, a.dtype)) for a, m in zip(operands, sources, strict=True)]
    with np.errstate(all="ignore"):
        value = op.lifted().reference(operands)
    return _masked(value, result, 0)


def existing(mesh: Mesh, buffer: Buffer) -> Mask | None:
    """Which elements of every core's tile exist, of shape (cores, *tile); None where all do."""
    mask = buffer.layout.valid(mesh, buffer.type.shape)
    return None if mask is None else mask.reshape(-1, *mask.shape[len(mesh.axes) :])


def _neutral(fn: str, dtype: np.dtype[Any]) -> float:
    """What leaves a maximum, minimum or product as it is."""
    if fn == "prod":
        return 1
    if dtype.kind == "b":
        return fn == "min"
    low, high = (np.iinfo(dtype).min, np.iinfo(dtype).max) if dtype.kind in "iu" else (-np.inf, np.inf)
    return low if fn == "max" else high


def _masked(tiles: Array, mask: Mask | None, fill: float) -> Array:
    return tiles if mask is None else np.where(mask, tiles, np.asarray(fill, tiles.dtype))
