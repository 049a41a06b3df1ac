"""Convolutions over one to three dimensions."""

from __future__ import annotations

from collections.abc import Sequence

from wsc.compiler.ops import Contract
from wsc.frontend.lower.call import Call
from wsc.frontend.lower.registry import lowering
from wsc.frontend.lower.transposed import transposed_convolution
from wsc.frontend.lower.value import Value

_POSITIONS, _TAPS = "hwd", "rst"


@lowering("aten.conv1d.default", "aten.conv2d.default", "aten.conv3d.default")
def conv(
    call: Call,
    x: Value,
    weight: Value,
    bias: Value | None = None,
    stride: Sequence[int] = (1,),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    groups: int = 1,
) -> Value:
    """x[n, c, positions] by weight[o, c / groups, taps]; positions alone are a batch of one."""
    dims = weight.rank - 2
    pads = [(pad, pad) for pad in _per_dim(padding, dims)]
    return _convolved(call, x, weight, bias, _per_dim(stride, dims), pads, _per_dim(dilation, dims), groups)


@lowering("aten.conv1d.padding", "aten.conv2d.padding", "aten.conv3d.padding")
def conv_padded(
    call: Call,
    x: Value,
    weight: Value,
    bias: Value | None = None,
    stride: Sequence[int] = (1,),
    padding: str = "valid",
    dilation: Sequence[int] = (1,),
    groups: int = 1,
) -> Value:
    """The same with no padding ("valid"), or as much as keeps the extents ("same"), the odd one at the end."""
    dims = weight.rank - 2
    dilations = _per_dim(dilation, dims)
    totals = [
        d * (taps - 1) if padding == "same" else 0
        for d, taps in zip(dilations, weight.shape[2:], strict=True)
    ]
    pads = [(total // 2, total - total // 2) for total in totals]
    return _convolved(call, x, weight, bias, _per_dim(stride, dims), pads, dilations, groups)


@lowering("aten.convolution.default")
def convolution(
    call: Call,
    x: Value,
    weight: Value,
    bias: Value | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Value:
    """The general form that torch decomposes others into."""
    if transposed:
        return conv_transpose(call, x, weight, bias, stride, padding, output_padding, groups, dilation)
    return conv(call, x, weight, bias, stride, padding, dilation, groups)


@lowering("aten.conv_transpose1d.default", "aten.conv_transpose2d.input", "aten.conv_transpose3d.input")
def conv_transpose(
    call: Call,
    x: Value,
    weight: Value,
    bias: Value | None = None,
    stride: Sequence[int] = (1,),
    padding: Sequence[int] = (0,),
    output_padding: Sequence[int] = (0,),
    groups: int = 1,
    dilation: Sequence[int] = (1,),
) -> Value:
    """x[n, c, positions] by weight[c, o / groups, taps]: what a convolution's gradient does to its input."""
    dims = weight.rank - 2
    batch = call.aligned(x, dims + 2)
    how = (_per_dim(stride, dims), _per_dim(padding, dims), _per_dim(dilation, dims), groups)
    product = transposed_convolution(call, batch, weight, call.result.shape[-dims:], *how)
    product = call.reshape(product, call.result.shape)
    if bias is None:
        return product
    return call.map("add", product, call.reshape(bias, (bias.shape[0], *(1,) * dims)))


def _per_dim(given: int | Sequence[int], dims: int) -> list[int]:
    values = [given] if isinstance(given, int) else list(given)
    return values * dims if len(values) == 1 else values


def _convolved(
    call: Call,
    x: Value,
    weight: Value,
    bias: Value | None,
    stride: Sequence[int],
    pads: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    groups: int,
) -> Value:
    dims = weight.rank - 2
    channels = weight.shape[0]
    batch = call.aligned(x, dims + 2)
    group = "g" if groups > 1 else ""
    if group:
        batch = call.reshape(batch, (batch.shape[0], groups, weight.shape[1], *batch.shape[2:]))
        weight = call.reshape(weight, (groups, channels // groups, *weight.shape[1:]))
    here, taps = _POSITIONS[:dims], _TAPS[:dims]
    windows = tuple(
        (p, t, s, d, *pad) for p, t, s, d, pad in zip(here, taps, stride, dilation, pads, strict=True)
    )
    equation = f"n{group}c{here},{group}oc{taps}->n{group}o{here}"
    product = call.add(Contract(equation, windows), batch, weight)
    product = call.reshape(product, call.result.shape)
    if bias is None:
        return product
    return call.map("add", product, call.reshape(bias, (channels, *(1,) * dims)))
