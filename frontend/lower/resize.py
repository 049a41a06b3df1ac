"""Change of resolution."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from wsc.compiler.ops import Contract, Gather
from wsc.frontend.lower.call import Call
from wsc.frontend.lower.registry import lowering
from wsc.frontend.lower.value import Value
from wsc.frontend.tensors import torch_dtype


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


@lowering("aten.upsample_bilinear2d.vec")
def bilinear(
    call: Call,
    x: Value,
    output_size: Sequence[int] | None,
    align_corners: bool,
    scale_factors: Sequence[float] | None,
) -> Value:
    """Products with one constant matrix a dimension, made by asking torch what it does to each unit vector."""
    for dim, equation in ((2, "nchw,qh->ncqw"), (3, "nchw,qw->nchq")):
        units = torch.eye(x.shape[dim], dtype=torch.float64)[None]
        scale = scale_factors[dim - 2] if scale_factors else None
        size = None if scale else call.result.shape[dim]
        matrix = F.interpolate(units, size, scale, mode="linear", align_corners=align_corners)[0].T
        weights = call.constant(matrix.to(torch_dtype(x.type.dtype)).contiguous())
        x = call.add(Contract(equation), x, weights)
    return x
