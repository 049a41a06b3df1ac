"""What the backward pass of kept operations is made of: gradients of convolutions."""

from __future__ import annotations

from collections.abc import Sequence

from wsc.compiler.ops import Contract, Reduce
from wsc.frontend.lower.call import Call
from wsc.frontend.lower.registry import Unsupported, lowering
from wsc.frontend.lower.transposed import transposed_convolution
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
