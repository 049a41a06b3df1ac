"""Maximum and mean over sliding windows."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from wsc.compiler.ops import Pool, Reduce
from wsc.frontend.lower.averaging import adaptive, applied, sliding
from wsc.frontend.lower.call import Call
from wsc.frontend.lower.pooling_places import places_of_maxima
from wsc.frontend.lower.registry import Unsupported, lowering
from wsc.frontend.lower.value import Value

Extents = int | Sequence[int]
_Window = tuple[int, int, int, int, int, int]


@lowering("aten.max_pool1d.default", "aten.max_pool2d.default", "aten.max_pool3d.default")
def max_pool(
    call: Call,
    x: Value,
    kernel_size: Extents,
    stride: Extents = (),
    padding: Extents = 0,
    dilation: Extents = 1,
    ceil_mode: bool = False,
) -> Value:
    """The largest element of each window over the trailing dimensions; padding never wins."""
    if not x.type.dtype.is_float:
        raise Unsupported("pooling of integers")
    return call.add(Pool("max", _windows(call, x, kernel_size, stride, padding, dilation)), x)


@lowering("aten.max_pool2d_with_indices.default", "aten.max_pool3d_with_indices.default")
def max_pool_with_indices(
    call: Call,
    x: Value,
    kernel_size: Extents,
    stride: Extents = (),
    padding: Extents = 0,
    dilation: Extents = 1,
    ceil_mode: bool = False,
) -> tuple[Value, Value]:
    """The same, and where among the elements each maximum is."""
    value = max_pool(call, x, kernel_size, stride, padding, dilation, ceil_mode)
    windows = _windows(call, x, kernel_size, stride, padding, dilation)
    return value, places_of_maxima(call, x, windows, call.results[1].shape)


@lowering("aten.avg_pool1d.default", "aten.avg_pool2d.default", "aten.avg_pool3d.default")
def avg_pool(
    call: Call,
    x: Value,
    kernel_size: Extents,
    stride: Extents = (),
    padding: Extents = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Value:
    """The mean of each window over the trailing dimensions; padding counts as zeros if `count_include_pad`."""
    windows = _windows(call, x, kernel_size, stride, padding, 1)
    if divisor_override is not None:
        scale = torch.Size(taps for _, taps, *_ in windows).numel() / divisor_override
        return call.map("mul", call.add(Pool("mean", windows), x), scale)
    if all(not lo and taps >= x.shape[dim] for dim, taps, _, _, lo, _ in windows):
        return call.add(Reduce("mean", tuple(dim for dim, *_ in windows), keep=True), x)
    # What a window reaches beyond the padding never counts; without padding that is all that it reaches beyond.
    count_include_pad = count_include_pad and any(lo for *_, lo, _ in windows)
    if count_include_pad and any(hi > lo for *_, lo, hi in windows):
        shape = call.result.shape
        how = [(x.shape[dim], shape[dim], taps, stride, lo) for dim, taps, stride, _, lo, _ in windows]
        return applied(call, x, [sliding(*window, counts_padding=True) for window in how])
    return call.add(Pool("mean", windows, count_include_pad), x)


@lowering(
    "aten.adaptive_avg_pool1d.default",
    "aten.adaptive_avg_pool2d.default",
    "aten._adaptive_avg_pool2d.default",
    "aten._adaptive_avg_pool3d.default",
)
def adaptive_avg_pool(call: Call, x: Value, output_size: Extents) -> Value:
    """The mean of parts of the trailing dimensions, as many as there are outputs."""
    dims = range(x.rank - len(_listed(output_size, 1)), x.rank)
    parts = [(x.shape[dim], call.result.shape[dim]) for dim in dims]
    if all(n == 1 for _, n in parts):
        return call.add(Reduce("mean", tuple(dims), keep=True), x)
    if any(extent % n for extent, n in parts):
        return applied(call, x, [adaptive(*part) for part in parts])
    windows = tuple(
        (dim, extent // n, extent // n, 1, 0, 0) for dim, (extent, n) in zip(dims, parts, strict=True)
    )
    return call.add(Pool("mean", windows), x)


def _windows(
    call: Call, x: Value, kernel_size: Extents, stride: Extents, padding: Extents, dilation: Extents
) -> tuple[_Window, ...]:
    """Windows over the trailing dimensions; `hi` grows where ceil_mode lets the last window reach further."""
    kernel = _listed(kernel_size, 1)
    dims = len(kernel)
    strides, pads, dilations = (_listed(e, dims) for e in (stride or kernel, padding, dilation))
    windows = []
    for i, dim in enumerate(range(x.rank - dims, x.rank)):
        lo = pads[i]
        last = strides[i] * (call.result.shape[dim] - 1) + dilations[i] * (kernel[i] - 1)
        hi = max(lo, last + 1 - lo - x.shape[dim])
        windows.append((dim, kernel[i], strides[i], dilations[i], lo, hi))
    return tuple(windows)


def _listed(extents: Extents, dims: int) -> list[int]:
    values = [extents] if isinstance(extents, int) else list(extents)
    return values * dims if len(values) == 1 else values
