"""Means over windows that are not all alike: products with one constant matrix a dimension."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from wsc.compiler.ops import Contract
from wsc.frontend.lower.call import Call
from wsc.frontend.lower.value import Value
from wsc.frontend.tensors import torch_dtype


def adaptive(extent: int, outputs: int) -> torch.Tensor:
    """[outputs, extent]: what each of `extent` elements adds to the mean of each of as many parts as there are outputs.

    Part i begins at element floor(i * extent / outputs) and ends before ceil((i + 1) * extent / outputs), as in torch.
    """
    matrix = torch.zeros(outputs, extent, dtype=torch.float64)
    for i in range(outputs):
        start, stop = i * extent // outputs, -(-(i + 1) * extent // outputs)
        matrix[i, start:stop] = 1 / (stop - start)
    return matrix


def sliding(
    extent: int, outputs: int, taps: int, stride: int, padding: int, counts_padding: bool
) -> torch.Tensor:
    """[outputs, extent]: the same of windows of `taps` elements; what lies beyond the padding is never counted."""
    matrix = torch.zeros(outputs, extent, dtype=torch.float64)
    for i in range(outputs):
        start = i * stride - padding
        stop = min(start + taps, extent + padding)
        inside = slice(max(start, 0), min(stop, extent))
        matrix[i, inside] = 1 / (stop - start if counts_padding else max(inside.stop - inside.start, 1))
    return matrix


def applied(call: Call, x: Value, matrices: Sequence[torch.Tensor]) -> Value:
    """Matrices [outputs, inputs], one for each of the last dimensions of x."""
    letters = "abcdefgh"[: x.rank]
    for dim, matrix in enumerate(matrices, start=x.rank - len(matrices)):
        weights = call.constant(matrix.to(torch_dtype(x.type.dtype)).contiguous())
        result = letters[:dim] + "z" + letters[dim + 1 :]
        x = call.add(Contract(f"{letters},z{letters[dim]}->{result}"), x, weights)
    return x
