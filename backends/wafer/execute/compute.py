"""Local compute: one graph op on the tiles of every core at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wsc.backends.wafer.program import Buffer
from wsc.compiler.layout import Mesh
from wsc.compiler.ops import Reduce
from wsc.compiler.ops.base import Array, Op

_NEUTRAL = ("max", "min", "prod")


def compute(
    op: Op, mesh: Mesh, sources: Sequence[Buffer], result: Buffer, operands: Sequence[Array]
) -> Array:
    """Tiles of the result. Elements past the end of a ragged tile take no part, and are zero in the result."""
    lead = len(mesh.axes)
    if isinstance(op, Reduce) and op.fn in _NEUTRAL:
        operands = [
            _masked(a, mesh, b, _neutral(op.fn, a.dtype)) for a, b in zip(operands, sources, strict=True)
        ]
    flat = [a.reshape(-1, *a.shape[lead:]) for a in operands]
    with np.errstate(all="ignore"):
        value = op.lifted().reference(flat)
    return _masked(value.reshape((*mesh.shape, *value.shape[1:])), mesh, result, 0)


def _neutral(fn: str, dtype: np.dtype[Any]) -> float:
    """What leaves a maximum, minimum or product as it is."""
    if fn == "prod":
        return 1
    if dtype.kind == "b":
        return fn == "min"
    low, high = (np.iinfo(dtype).min, np.iinfo(dtype).max) if dtype.kind in "iu" else (-np.inf, np.inf)
    return low if fn == "max" else high


def _masked(tiles: Array, mesh: Mesh, buffer: Buffer, fill: float) -> Array:
    mask = buffer.layout.valid(mesh, buffer.type.shape)
    if mask is None:
        return tiles
    return np.where(mask, tiles, np.asarray(fill, tiles.dtype))
