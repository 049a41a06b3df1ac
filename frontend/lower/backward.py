"""What the backward pass of kept operations is made of: gradients of convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from wsc.compiler.ops import Contract, Gather, Pad, Reduce
from wsc.frontend.lower.call import Call
from wsc.frontend.lower.registry import Unsupported, lowering
from wsc.frontend.lower.value import Missing, Value

_POSITIONS, _TAPS = "hwd", "rst"


@lowering("aten.convolution_backward.default")
def convolution_backward(
    call: Call,
    grad: Value,
    x: Value,
    weight: Value,
    bias_sizes: Sequence[int] | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
    output_mask: Sequence[bool],
) -> tuple[Value | Missing, ...]:
    """Gradients of x[n, c, positions], of weight[o, c / groups, taps] and of the bias, those that are asked for."""
    if transposed:
        raise Unsupported("the gradient of a transposed convolution")
    how = (list(stride), list(padding), list(dilation), groups)
    none = Missing("it reads a gradient that was not asked for")
    of_x = transposed_convolution(call, grad, weight, x.shape[2:], *how) if output_mask[0] else none
    of_weight = _of_weight(call, grad, x, weight, *how) if output_mask[1] else none
    summed = (0, *range(2, grad.rank))
    of_bias = call.add(Reduce("sum", summed), grad) if output_mask[2] else none
    return of_x, of_weight, of_bias


def transposed_convolution(
    call: Call,
    x: Value,
    weight: Value,
    result: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Value:
    """x[n, o, positions] and weight[o, c / groups, taps] to [n, c, `result` positions].

    Each element spreads over the positions that a convolution would read for it: x with zeros between its elements, as
    many as the stride says, is convolved with the taps in reverse.
    """
    dims = weight.rank - 2
    taps = weight.shape[2:]
    ends = [extent * step for extent, step in zip(x.shape[2:], stride, strict=True)]
    if list(taps) == list(stride) and list(result) == ends and not any(padding) and set(dilation) <= {1}:
        return _side_by_side(call, x, weight, groups)
    for d in range(dims):
        x = _spaced(call, x, 2 + d, stride[d])
        weight = _reversed(call, weight, 2 + d)
    windows = []
    for d in range(dims):
        lo = dilation[d] * (taps[d] - 1) - padding[d]
        hi = result[d] + dilation[d] * (taps[d] - 1) - x.shape[2 + d] - lo
        x = call.slice(x, 2 + d, max(-lo, 0), x.shape[2 + d] - max(-hi, 0))
        windows.append((_POSITIONS[d], _TAPS[d], 1, dilation[d], max(lo, 0), max(hi, 0)))
    here, tap = _POSITIONS[:dims], _TAPS[:dims]
    outputs, inputs = weight.shape[0] // groups, weight.shape[1]
    x = call.reshape(x, (x.shape[0], groups, outputs, *x.shape[2:]))
    weight = call.reshape(weight, (groups, outputs, inputs, *taps))
    equation = f"ngo{here},goc{tap}->ngc{here}"
    product = call.add(Contract(equation, tuple(windows)), x, weight)
    return call.reshape(product, (product.shape[0], groups * inputs, *result))


def _side_by_side(call: Call, x: Value, weight: Value, groups: int) -> Value:
    """A transposed convolution whose taps never meet: each position of x by all taps, one beside the other."""
    dims = weight.rank - 2
    here, tap = _POSITIONS[:dims], _TAPS[:dims]
    outputs, inputs = weight.shape[0] // groups, weight.shape[1]
    result = [extent * taps for extent, taps in zip(x.shape[2:], weight.shape[2:], strict=True)]
    x = call.reshape(x, (x.shape[0], groups, outputs, *x.shape[2:]))
    weight = call.reshape(weight, (groups, outputs, inputs, *weight.shape[2:]))
    beside = "".join(position + t for position, t in zip(here, tap, strict=True))
    product = call.add(Contract(f"ngo{here},goc{tap}->ngc{beside}"), x, weight)
    return call.reshape(product, (product.shape[0], groups * inputs, *result))


def _of_weight(
    call: Call,
    grad: Value,
    x: Value,
    weight: Value,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Value:
    """The input's windows, one for each tap, with the gradients as what slides over them."""
    dims = weight.rank - 2
    windows = []
    for d in range(dims):
        reach = stride[d] * (grad.shape[2 + d] - 1) + 1 + dilation[d] * (weight.shape[2 + d] - 1)
        hi = reach - x.shape[2 + d] - padding[d]
        x = call.slice(x, 2 + d, 0, x.shape[2 + d] - max(-hi, 0))
        windows.append((_POSITIONS[d], _TAPS[d], dilation[d], stride[d], padding[d], max(hi, 0)))
    here, tap = _POSITIONS[:dims], _TAPS[:dims]
    x = call.reshape(x, (x.shape[0], groups, x.shape[1] // groups, *x.shape[2:]))
    grad = call.reshape(grad, (grad.shape[0], groups, grad.shape[1] // groups, *grad.shape[2:]))
    equation = f"ngc{here},ngo{tap}->goc{here}"
    product = call.add(Contract(equation, tuple(windows)), x, grad)
    return call.reshape(product, weight.shape)


def _spaced(call: Call, x: Value, dim: int, stride: int) -> Value:
    """Zeros between the elements along a dimension, `stride` - 1 of them."""
    if stride == 1 or x.shape[dim] == 0:
        return x
    apart = call.reshape(x, (*x.shape[: dim + 1], 1, *x.shape[dim + 1 :]))
    highs = tuple(stride - 1 if d == dim + 1 else 0 for d in range(apart.rank))
    padded = call.add(Pad((0,) * apart.rank, highs), apart)
    joined = call.reshape(padded, (*x.shape[:dim], x.shape[dim] * stride, *x.shape[dim + 1 :]))
    return call.slice(joined, dim, 0, (x.shape[dim] - 1) * stride + 1)


def _reversed(call: Call, x: Value, dim: int) -> Value:
    if x.shape[dim] == 1:
        return x
    return call.add(Gather(dim), x, call.constant(torch.arange(x.shape[dim] - 1, -1, -1)))
