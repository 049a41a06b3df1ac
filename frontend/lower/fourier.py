"""Discrete Fourier transforms: products with one constant matrix a dimension, as short transforms are computed best.

Complex numbers are pairs in a last dimension (see `complex`).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import pi, sqrt

import torch

from wsc.compiler.ops import Contract
from wsc.frontend.lower.call import Call, dim_of
from wsc.frontend.lower.registry import Unsupported, lowering
from wsc.frontend.lower.value import Value
from wsc.frontend.tensors import torch_dtype

_LONGEST = 4096  # a matrix beyond takes over 100 MB
_BATCH = "abcdefghij"


@lowering("aten._fft_r2c.default")
def real_to_complex(call: Call, x: Value, dim: Sequence[int], normalization: int, onesided: bool) -> Value:
    """Real numbers to their frequencies: of the last of `dim` first, and only half of it if `onesided`."""
    dims = [dim_of(d, x.rank) for d in dim]
    last, extent = dims[-1], x.shape[dims[-1]]
    kept = extent // 2 + 1 if onesided else extent
    matrix = _waves(extent, -1)[:, 0, :kept] * _scale(x, dims, normalization)
    found = _product(call, x, last, matrix, "x", "yz")
    return _along(call, found, dims[:-1], -1)


@lowering("aten._fft_c2c.default")
def complex_to_complex(call: Call, x: Value, dim: Sequence[int], normalization: int, forward: bool) -> Value:
    """Complex numbers to their frequencies, or back."""
    dims = [dim_of(d, x.rank - 1) for d in dim]
    return _scaled(call, _along(call, x, dims, -1 if forward else 1), _scale(x, dims, normalization))


@lowering("aten._fft_c2r.default")
def complex_to_real(
    call: Call, x: Value, dim: Sequence[int], normalization: int, last_dim_size: int
) -> Value:
    """Half the frequencies of real numbers back to them."""
    dims = [dim_of(d, x.rank - 1) for d in dim]
    x = _along(call, x, dims[:-1], 1)
    waves = _waves(last_dim_size, 1)[: x.shape[dims[-1]], :, :, 0].clone()
    waves[1 : (last_dim_size + 1) // 2] *= 2  # each stands for its mirror image too
    shape = list(x.shape)
    shape[dims[-1]] = last_dim_size
    matrix = waves * _factor([shape[d] for d in dims], normalization)
    return _product(call, x, dims[-1], matrix, "xw", "y")


def _waves(extent: int, sign: int) -> torch.Tensor:
    """[n, c, k, d]: what part c of number n adds to part d of frequency k."""
    if extent > _LONGEST:
        raise Unsupported(f"a Fourier transform of {extent} numbers; the longest is of {_LONGEST}")
    places = torch.arange(extent, dtype=torch.float64)
    angles = sign * 2 * pi * (torch.outer(places, places) % extent) / extent
    cos, sin = angles.cos(), angles.sin()
    rows = (torch.stack((cos, sin), -1), torch.stack((-sin, cos), -1))
    return torch.stack(rows, 1)


def _along(call: Call, x: Value, dims: Sequence[int], sign: int) -> Value:
    """Pairs transformed along dimensions, one after another."""
    for dim in dims:
        x = _product(call, x, dim, _waves(x.shape[dim], sign), "xw", "yz")
    return x


def _product(call: Call, x: Value, dim: int, matrix: torch.Tensor, taken: str, made: str) -> Value:
    """Dimension `dim` of x (and its pairs, where `taken` has two letters) contracted with a matrix."""
    weights = call.constant(matrix.to(torch_dtype(x.type.dtype)).contiguous())
    pairs = len(taken) == 2
    letters = list(_BATCH[: x.rank - pairs])
    before = [*letters, *taken[1:]]
    before[dim] = taken[0]
    after = [*letters, *made[1:]]
    after[dim] = made[0]
    return call.add(Contract(f"{''.join(before)},{taken}{made}->{''.join(after)}"), x, weights)


def _scaled(call: Call, x: Value, factor: float) -> Value:
    return x if factor == 1 else call.map("mul", x, factor)


def _scale(x: Value, dims: Sequence[int], normalization: int) -> float:
    return _factor([x.shape[d] for d in dims], normalization)


def _factor(extents: Sequence[int], normalization: int) -> float:
    """torch's numbers: 0 as it is, 1 over the root of the count, 2 over the count."""
    count = torch.Size(extents).numel()
    return {0: 1.0, 1: 1 / sqrt(count), 2: 1 / count}[normalization]
