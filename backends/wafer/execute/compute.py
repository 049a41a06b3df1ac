"""Local compute: one graph op on the tiles of every core at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wsc.backends.wafer.program import Buffer
from wsc.compiler.layout import Mesh
from wsc.compiler.ops import Reduce
from wsc.compiler.ops.base import Array, Op

_NEUTRAL = {"max": -np.inf, "min": np.inf, "prod": 1.0}


def compute(
    op: Op, mesh: Mesh, sources: Sequence[Buffer], result: Buffer, operands: Sequence[Array]
) -> Array:
    """Tiles of the result. Elements past the end of a ragged tile take no part, and are zero in the result."""
    lead = len(mesh.axes)
    if isinstance(op, Reduce) and op.fn in _NEUTRAL:
        operands = [_masked(a, mesh, b, _NEUTRAL[op.fn]) for a, b in zip(operands, sources, strict=True)]
    flat = [a.reshape(-1, *a.shape[lead:]) for a in operands]
    with np.errstate(all="ignore"):
        value = op.lifted().reference(flat)
    return _masked(value.reshape(*mesh.shape, *value.shape[1:]), mesh, result, 0)


def _masked(tiles: Array, mesh: Mesh, buffer: Buffer, fill: float) -> Array:
    mask = buffer.layout.valid(mesh, buffer.type.shape)
    if mask is None:
        return tiles
    return np.where(mask, tiles, np.asarray(fill, tiles.dtype))
