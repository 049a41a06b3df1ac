"""Integers and their grids, as torch's quantisation tools (PT2E, torchao) leave them in an exported program.

    quantize:    clamp(round(x * (1 / scale)) + zero point, lowest, highest)
    dequantize:  (q - zero point) * scale

The scale and zero point are numbers, tensors without dimensions, or vectors along one dimension (per channel).
"""

from __future__ import annotations

from typing import Any

from wsc.compiler.ir.types import DType
from wsc.frontend.lower.call import Call, dim_of
from wsc.frontend.lower.registry import Unsupported, lowering
from wsc.frontend.lower.value import Operand, Value

_F32 = DType.F32


@lowering(
    "quantized_decomposed.quantize_per_tensor.default", "quantized_decomposed.quantize_per_tensor.tensor"
)
def quantize_per_tensor(
    call: Call, x: Value, scale: Operand, zero_point: Operand, low: int, high: int, dtype: Any
) -> Value:
    """One scale for all; rounds half to even."""
    if isinstance(scale, float | int):
        scaled = call.map("mul", x, 1.0 / scale, dtype=_F32)
    else:
        scaled = call.map("mul", x, call.map("reciprocal", _single(scale), dtype=_F32), dtype=_F32)
    return _on_grid(call, scaled, zero_point, low, high)


@lowering("quantized_decomposed.quantize_per_channel.default")
def quantize_per_channel(
    call: Call, x: Value, scales: Value, zero_points: Value, axis: int, low: int, high: int, dtype: Any
) -> Value:
    """A scale for each place of a dimension."""
    inverse = call.map("reciprocal", _along(call, scales, axis, x), dtype=_F32)
    scaled = call.map("mul", x, inverse, dtype=_F32)
    return _on_grid(call, scaled, _along(call, zero_points, axis, x), low, high)


@lowering(
    "quantized_decomposed.dequantize_per_tensor.default", "quantized_decomposed.dequantize_per_tensor.tensor"
)
def dequantize_per_tensor(
    call: Call,
    q: Value,
    scale: Operand,
    zero_point: Operand,
    low: int,
    high: int,
    dtype: Any,
    *,
    out_dtype: Any = None,
) -> Value:
    """The numbers that integers stand for."""
    shifted = call.map("sub", q, _single(zero_point), dtype=_F32)
    return call.cast(call.map("mul", shifted, _single(scale), dtype=_F32), call.result.dtype)


@lowering("quantized_decomposed.dequantize_per_channel.default")
def dequantize_per_channel(
    call: Call,
    q: Value,
    scales: Value,
    zero_points: Value | None,
    axis: int,
    low: int,
    high: int,
    dtype: Any,
    *,
    out_dtype: Any = None,
) -> Value:
    """The numbers that integers stand for, a scale for each place of a dimension."""
    values = call.cast(q, _F32)
    if zero_points is not None:
        values = call.map("sub", values, _along(call, zero_points, axis, q), dtype=_F32)
    return call.cast(call.map("mul", values, _along(call, scales, axis, q), dtype=_F32), call.result.dtype)


def _on_grid(call: Call, scaled: Value, zero_point: Operand, low: int, high: int) -> Value:
    steps = call.map("round", scaled, dtype=_F32)
    shifted = call.map("add", steps, _single(zero_point), dtype=_F32)
    held = call.map("min", call.map("max", shifted, low, dtype=_F32), high, dtype=_F32)
    return call.cast(held, call.result.dtype)


def _single(operand: Operand) -> Operand:
    """A number as 32-bit floats are multiplied by; a tensor must hold one element."""
    if isinstance(operand, Value):
        if operand.type.elements != 1:
            raise Unsupported("a scale for each of several elements, where there should be one")
        return operand
    return float(operand)


def _along(call: Call, vector: Value, axis: int, x: Value) -> Value:
    """A vector's places along a dimension of `x`."""
    axis = dim_of(axis, x.rank)
    return call.reshape(vector, tuple(x.shape[d] if d == axis else 1 for d in range(x.rank)))
