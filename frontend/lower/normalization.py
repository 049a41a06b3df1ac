"""Normalisation; scale and shift become separate element-by-element nodes."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from wsc.compiler.ir.types import DType
from wsc.compiler.ops import Norm
from wsc.frontend.lower.call import Call
from wsc.frontend.lower.registry import Unsupported, lowering
from wsc.frontend.lower.value import Missing, Value

_STATISTICS = Missing("it reads the mean or the deviation of a normalisation")


@lowering("aten.layer_norm.default")
def layer_norm(
    call: Call,
    x: Value,
    normalized_shape: Sequence[int],
    weight: Value | None = None,
    bias: Value | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Value:
    """Over the trailing dimensions."""
    return _affine(call, call.add(Norm("layer", _trailing(x, normalized_shape), eps), x), weight, bias)


@lowering("aten.native_layer_norm.default")
def native_layer_norm(
    call: Call,
    x: Value,
    normalized_shape: Sequence[int],
    weight: Value | None,
    bias: Value | None,
    eps: float,
) -> tuple[Value | Missing, ...]:
    """Over the trailing dimensions; also gives statistics."""
    return layer_norm(call, x, normalized_shape, weight, bias, eps), _STATISTICS, _STATISTICS


@lowering("aten.rms_norm.default")
def rms_norm(
    call: Call,
    x: Value,
    normalized_shape: Sequence[int],
    weight: Value | None = None,
    eps: float | None = None,
) -> Value:
    """By the root of the mean square over the trailing dimensions."""
    if eps is None:
        # That of the type torch computes in: half precision is widened to 32 bits.
        eps = torch.finfo(torch.float64 if x.type.dtype == DType.F64 else torch.float32).eps
    return _affine(call, call.add(Norm("rms", _trailing(x, normalized_shape), eps), x), weight, None)


@lowering("aten.group_norm.default")
def group_norm(
    call: Call,
    x: Value,
    num_groups: int,
    weight: Value | None = None,
    bias: Value | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Value:
    """Over the channels of each group and all positions."""
    batch, channels, *positions = x.shape
    grouped = call.reshape(x, (batch, num_groups, channels // num_groups, *positions))
    normal = call.add(Norm("layer", tuple(range(2, grouped.rank)), eps), grouped)
    return _affine(
        call, call.reshape(normal, x.shape), _by_channel(call, weight, x), _by_channel(call, bias, x)
    )


@lowering("aten.native_group_norm.default")
def native_group_norm(
    call: Call,
    x: Value,
    weight: Value | None,
    bias: Value | None,
    batch: int,
    channels: int,
    positions: int,
    groups: int,
    eps: float,
) -> tuple[Value | Missing, ...]:
    """The same; also gives statistics."""
    return group_norm(call, x, groups, weight, bias, eps), _STATISTICS, _STATISTICS


@lowering("aten.batch_norm.default")
def batch_norm(
    call: Call,
    x: Value,
    weight: Value | None,
    bias: Value | None,
    mean: Value | None,
    variance: Value | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Value:
    """By the stored statistics of each channel; without any, by those of the batch itself."""
    if mean is not None and variance is not None and not training:
        return _scaled_by_statistics(call, x, weight, bias, mean, variance, eps)
    if mean is not None or variance is not None:
        raise Unsupported("batch norm in training mode")
    normal = call.add(Norm("layer", (0, *range(2, x.rank)), eps), x)
    return _affine(call, normal, _by_channel(call, weight, x), _by_channel(call, bias, x))


@lowering("aten._native_batch_norm_legit_no_training.default")
def batch_norm_inference(
    call: Call,
    x: Value,
    weight: Value | None,
    bias: Value | None,
    mean: Value,
    variance: Value,
    momentum: float,
    eps: float,
) -> tuple[Value | Missing, ...]:
    """By the stored statistics of each channel."""
    result = _scaled_by_statistics(call, x, weight, bias, mean, variance, eps)
    return result, _STATISTICS, _STATISTICS


@lowering("aten._native_batch_norm_legit.default")
def batch_norm_either(
    call: Call,
    x: Value,
    weight: Value | None,
    bias: Value | None,
    mean: Value,
    variance: Value,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Value | Missing, ...]:
    """By the stored statistics of each channel, in inference."""
    result = batch_norm(call, x, weight, bias, mean, variance, training, momentum, eps)
    return result, _STATISTICS, _STATISTICS


@lowering("aten._native_batch_norm_legit.no_stats")
def batch_norm_of_batch(
    call: Call,
    x: Value,
    weight: Value | None,
    bias: Value | None,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Value | Missing, ...]:
    """By the statistics of the batch itself."""
    result = batch_norm(call, x, weight, bias, None, None, training, momentum, eps)
    return result, _STATISTICS, _STATISTICS


def _scaled_by_statistics(
    call: Call, x: Value, weight: Value | None, bias: Value | None, mean: Value, variance: Value, eps: float
) -> Value:
    """x * scale + shift, with one scale and one shift a channel computed from weights only."""
    factor = call.map("rsqrt", call.map("add", variance, eps))
    scale = factor if weight is None else call.map("mul", weight, factor)
    shift = call.map("mul", mean, scale)
    shift = call.map("neg", shift) if bias is None else call.map("sub", bias, shift)
    return _affine(call, x, _by_channel(call, scale, x), _by_channel(call, shift, x))


def _trailing(x: Value, shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(range(x.rank - len(shape), x.rank))


def _by_channel(call: Call, factor: Value | None, x: Value) -> Value | None:
    """A vector over channels in the place of dimension 1 of `x`."""
    return None if factor is None else call.reshape(factor, (1, x.shape[1], *(1,) * (x.rank - 2)))


def _affine(call: Call, x: Value, weight: Value | None, bias: Value | None) -> Value:
    scaled = x if weight is None else call.map("mul", x, weight)
    return scaled if bias is None else call.map("add", scaled, bias)
