"""Change of resolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional as F

from wsc.compiler.ops import Gather
from wsc.frontend.lower.averaging import applied
from wsc.frontend.lower.call import Call
from wsc.frontend.lower.registry import lowering
from wsc.frontend.lower.value import Value


@lowering("aten.upsample_nearest1d.vec", "aten.upsample_nearest2d.vec", "aten.upsample_nearest3d.vec")
def nearest(
    call: Call, x: Value, output_size: Sequence[int] | None, scale_factors: Sequence[float] | None
) -> Value:
    """Every element repeated where the factors are whole; otherwise the elements that torch would pick."""
    result = call.result.shape
    if all(n % m == 0 for n, m in zip(result, x.shape, strict=True)):
        apart = call.reshape(x, [*x.shape[:2], *(n for extent in x.shape[2:] for n in (extent, 1))])
        factors = [(m, n // m) for n, m in zip(result[2:], x.shape[2:], strict=True)]
        return call.reshape(
            call.expand(apart, [*x.shape[:2], *(n for pair in factors for n in pair)]), result
        )
    for dim in range(2, x.rank):
        ramp = torch.arange(x.shape[dim], dtype=torch.float64)[None, None]
        scale = scale_factors[dim - 2] if scale_factors else None
        size = None if scale else result[dim]
        picked = F.interpolate(ramp, size, scale, mode="nearest")[0, 0].long()
        x = call.add(Gather(dim), x, call.constant(picked))
    return x


@lowering("aten.upsample_linear1d.vec", "aten.upsample_bilinear2d.vec", "aten.upsample_trilinear3d.vec")
def linear(
    call: Call,
    x: Value,
    output_size: Sequence[int] | None,
    align_corners: bool,
    scale_factors: Sequence[float] | None,
) -> Value:
    """Between the two nearest elements along each dimension."""
    return _resized(call, x, scale_factors, mode="linear", align_corners=align_corners)


@lowering("aten.upsample_bicubic2d.vec")
def bicubic(
    call: Call,
    x: Value,
    output_size: Sequence[int] | None,
    align_corners: bool,
    scale_factors: Sequence[float] | None,
) -> Value:
    """A cubic through the four nearest elements along each dimension."""
    return _resized(call, x, scale_factors, mode="bicubic", align_corners=align_corners)


@lowering("aten._upsample_bilinear2d_aa.vec")
def smooth_bilinear(
    call: Call,
    x: Value,
    output_size: Sequence[int] | None,
    align_corners: bool,
    scale_factors: Sequence[float] | None,
) -> Value:
    """Weighted by a triangle as wide as the elements are apart in the result."""
    return _resized(call, x, scale_factors, mode="bilinear", align_corners=align_corners, antialias=True)


@lowering("aten._upsample_bicubic2d_aa.vec")
def smooth_bicubic(
    call: Call,
    x: Value,
    output_size: Sequence[int] | None,
    align_corners: bool,
    scale_factors: Sequence[float] | None,
) -> Value:
    """Weighted by a cubic as wide as the elements are apart in the result."""
    return _resized(call, x, scale_factors, mode="bicubic", align_corners=align_corners, antialias=True)


def _resized(call: Call, x: Value, factors: Sequence[float] | None, mode: str, **how: Any) -> Value:
    """Products with one constant matrix a dimension, made by asking torch what it does to each unit vector."""
    matrices = []
    for dim in range(2, x.rank):
        units = torch.eye(x.shape[dim], dtype=torch.float64)[None]
        scale = factors[dim - 2] if factors else None
        size = None if scale else call.result.shape[dim]
        if mode == "linear":
            matrix = F.interpolate(units, size, scale, mode=mode, **how)[0]
        else:  # these are for two dimensions: the other stays as it is
            flat = units[..., None].expand(-1, -1, -1, 2).contiguous()
            sizes, scales = (None, [scale, 1.0]) if scale else ([size, 2], None)
            matrix = F.interpolate(flat, sizes, scales, mode=mode, **how)[0, :, :, 0]  # type: ignore[arg-type]
        matrices.append(matrix.T)
    return applied(call, x, matrices)
