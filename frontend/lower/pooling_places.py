"""Where in its window the maximum of a pooling is, and the gradients of poolings."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from wsc.compiler.ir.types import DType
from wsc.compiler.ops import Gather, Pad, TopK, Update
from wsc.frontend.lower.averaging import adaptive, applied, sliding
from wsc.frontend.lower.call import Call
from wsc.frontend.lower.registry import lowering
from wsc.frontend.lower.value import Value
from wsc.frontend.tensors import torch_dtype

Window = tuple[int, int, int, int, int, int]


def places_of_maxima(call: Call, x: Value, windows: Sequence[Window], shape: Sequence[int]) -> Value:
    """Row-major places, within the dimensions walked, of the first largest element of each window."""
    first = windows[0][0]
    extents = x.shape[first:]
    lows = (*(0,) * first, *(w[4] for w in windows))
    highs = (*(0,) * first, *(w[5] for w in windows))
    padded = call.add(Pad(lows, highs, -torch.inf), x) if any(lows + highs) else x
    own = torch.arange(torch.Size(extents).numel()).reshape(extents)
    pads = [n for w in reversed(windows) for n in (w[4], w[5])]
    own = F.pad(own, pads, value=0)
    taken = torch.arange(own.numel()).reshape(own.shape)
    for number, (_, taps, stride, dilation, _, _) in enumerate(windows):
        reach = dilation * (taps - 1) + 1
        taken = taken.unfold(number, reach, stride)[..., ::dilation]
    taken = taken.flatten(len(windows))  # [positions..., taps]
    flat = call.reshape(padded, (*x.shape[:first], own.numel()))
    elements = call.add(Gather(first), flat, call.constant(taken.contiguous()))
    tap = call.add(TopK(1, elements.rank - 1, True, "indices"), elements)
    places = own.flatten()[taken].reshape(-1, taken.shape[-1])
    batch = torch.Size(x.shape[:first]).numel()
    rows = call.reshape(tap, (batch, places.shape[0], 1))
    table = call.expand(call.constant(places[None].contiguous()), (batch, *places.shape))
    found = call.add(Gather(2, batch=2), table, call.cast(rows, DType.I64))
    return call.reshape(found, tuple(shape))


@lowering("aten.max_pool2d_with_indices_backward.default", "aten.max_pool3d_with_indices_backward.default")
def max_pool_backward(call: Call, grad: Value, x: Value, *how: object) -> Value:
    """Each gradient goes to the place of its maximum."""
    indices = how[-1]
    assert isinstance(indices, Value)
    dims = 2 if "2d" in call.origin.title else 3
    before = x.shape[: x.rank - dims]
    batch = torch.Size(before).numel()
    rows = [call.reshape(value, (batch, value.type.elements // batch)) for value in (grad, indices)]
    zero = torch.zeros((), dtype=torch_dtype(x.type.dtype)).expand(batch, x.type.elements // batch)
    return call.reshape(call.add(Update(1, 1, add=True), call.constant(zero), rows[1], rows[0]), x.shape)


@lowering("aten._adaptive_avg_pool2d_backward.default", "aten._adaptive_avg_pool3d_backward.default")
def adaptive_avg_pool_backward(call: Call, grad: Value, x: Value) -> Value:
    """Each gradient is shared out evenly over its window."""
    dims = range(x.rank - (2 if "2d" in call.origin.title else 3), x.rank)
    return applied(call, grad, [adaptive(x.shape[dim], grad.shape[dim]).T for dim in dims])


@lowering("aten.avg_pool2d_backward.default")
def avg_pool_backward(
    call: Call,
    grad: Value,
    x: Value,
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Value:
    """Each gradient is shared out evenly over its window."""
    taps, steps, pads = ((e * 2)[:2] for e in map(list, (kernel_size, stride or kernel_size, padding)))
    matrices = [
        sliding(x.shape[d - 2], grad.shape[d - 2], taps[d], steps[d], pads[d], count_include_pad)
        for d in range(2)
    ]
    if divisor_override is not None:
        matrices = [(matrix != 0).double() for matrix in matrices]
        matrices[0] /= divisor_override
    return applied(call, grad, [matrix.T for matrix in matrices])
