"""Arithmetic, comparison and logic, element by element."""

from __future__ import annotations

from functools import partial
from math import log

import torch

from wsc.compiler.ir.types import DType
from wsc.frontend.lower.call import Call
from wsc.frontend.lower.registry import lowering
from wsc.frontend.lower.value import Operand, Value

_UNARY = (
    *("abs", "ceil", "cos", "erf", "exp", "floor", "log", "log1p"),
    *("neg", "reciprocal", "rsqrt", "sigmoid", "sign", "sin", "sqrt", "tanh"),
)
_BINARY = {"mul": "mul", "fmod": "fmod", "remainder": "mod"}
_BINARY_OF_TENSORS = {"minimum": "min", "maximum": "max"}
_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
_LOGIC = ("and", "or", "xor")


def _unary(fn: str, call: Call, x: Value) -> Value:
    return call.map(fn, x)


def _binary(fn: str, call: Call, x: Operand, y: Operand) -> Value:
    return call.map(fn, x, y)


def _comparison(fn: str, call: Call, x: Operand, y: Operand) -> Value:
    return call.map(fn, x, y, dtype=call.promoted)


def _logical(fn: str, call: Call, x: Value, y: Value) -> Value:
    return call.map(fn, _truth(call, x), _truth(call, y))


def _truth(call: Call, x: Value) -> Value:
    return x if x.type.dtype == DType.BOOL else call.map("ne", x, 0, dtype=x.type.dtype)


for _fn in _UNARY:
    lowering(f"aten.{_fn}.default")(partial(_unary, _fn))
for _name, _fn in _BINARY.items():
    lowering(f"aten.{_name}.Tensor", f"aten.{_name}.Scalar")(partial(_binary, _fn))
for _name, _fn in _BINARY_OF_TENSORS.items():
    lowering(f"aten.{_name}.default")(partial(_binary, _fn))
for _fn in _COMPARISONS:
    lowering(f"aten.{_fn}.Tensor", f"aten.{_fn}.Scalar")(partial(_comparison, _fn))
for _fn in _LOGIC:
    lowering(f"aten.bitwise_{_fn}.Tensor", f"aten.bitwise_{_fn}.Scalar")(partial(_binary, _fn))
    lowering(f"aten.logical_{_fn}.default")(partial(_logical, _fn))


@lowering("aten.expm1.default")
def expm1(call: Call, x: Value) -> Value:
    """exp(x) - 1."""
    return call.map("sub", call.map("exp", x), 1)


@lowering("aten.exp2.default")
def exp2(call: Call, x: Value) -> Value:
    """2 to the power of x."""
    return call.map("exp", call.map("mul", x, log(2)))


@lowering("aten.log2.default")
def log2(call: Call, x: Value) -> Value:
    """Logarithm to base 2."""
    return call.map("mul", call.map("log", x), 1 / log(2))


@lowering("aten.log10.default")
def log10(call: Call, x: Value) -> Value:
    """Logarithm to base 10."""
    return call.map("mul", call.map("log", x), 1 / log(10))


@lowering("aten.tan.default")
def tan(call: Call, x: Value) -> Value:
    """sin(x) / cos(x)."""
    return call.map("div", call.map("sin", x), call.map("cos", x))


@lowering("aten.bitwise_not.default")
def bitwise_not(call: Call, x: Value) -> Value:
    """Every bit flipped; for booleans, the opposite."""
    return call.map("not", x)


@lowering("aten.logical_not.default")
def logical_not(call: Call, x: Value) -> Value:
    """True where the element is zero."""
    return call.map("not", _truth(call, x))


@lowering("aten.add.Tensor", "aten.add.Scalar")
def add(call: Call, x: Operand, y: Operand, alpha: float = 1) -> Value:
    """x + alpha * y."""
    return call.map("add", x, _scaled(call, y, alpha))


@lowering("aten.sub.Tensor", "aten.sub.Scalar")
def sub(call: Call, x: Operand, y: Operand, alpha: float = 1) -> Value:
    """x - alpha * y."""
    return call.map("sub", x, _scaled(call, y, alpha))


@lowering("aten.rsub.Tensor", "aten.rsub.Scalar")
def rsub(call: Call, x: Operand, y: Operand, alpha: float = 1) -> Value:
    """y - alpha * x."""
    return call.map("sub", y, _scaled(call, x, alpha))


def _scaled(call: Call, x: Operand, factor: float) -> Operand:
    if factor == 1:
        return x
    return call.map("mul", x, factor) if isinstance(x, Value) else x * factor


@lowering("aten.div.Tensor", "aten.div.Scalar", "aten.div.Tensor_mode", "aten.div.Scalar_mode")
def div(call: Call, x: Operand, y: Operand, rounding_mode: str | None = None) -> Value:
    """The quotient; rounded down (floor) or towards zero (trunc) if asked to."""
    if rounding_mode is None:
        return call.map("div", x, y)
    if rounding_mode == "floor":
        return call.map("floordiv", x, y)
    if call.result.dtype.is_float:
        return _trunc(call, call.map("div", x, y))
    return call.map("floordiv", call.map("sub", x, call.map("fmod", x, y)), y)


@lowering("aten.floor_divide.default", "aten.floor_divide.Scalar")
def floor_divide(call: Call, x: Operand, y: Operand) -> Value:
    """The quotient rounded down."""
    return call.map("floordiv", x, y)


@lowering("aten.pow.Tensor_Scalar")
def pow_scalar(call: Call, x: Value, exponent: float) -> Value:
    """A power; small ones by way of cheaper functions."""
    if exponent == 1:
        return call.cast(x, call.result.dtype)
    if exponent == 2:
        return call.map("mul", x, x)
    cheaper = {0.5: "sqrt", -0.5: "rsqrt", -1: "reciprocal"}.get(exponent)
    if cheaper and call.result.dtype.is_float:
        return call.map(cheaper, x)
    return call.map("pow", x, exponent)


@lowering("aten.pow.Tensor_Tensor", "aten.pow.Scalar")
def pow_tensor(call: Call, x: Operand, exponent: Operand) -> Value:
    """A power, exponent by exponent."""
    return call.map("pow", x, exponent)


@lowering("aten.round.default", "aten.round.decimals")
def round_even(call: Call, x: Value, decimals: int = 0) -> Value:
    """To the nearest integer, halves to the even one; or to so many decimals."""
    if not decimals:
        return call.map("round", x)
    scale = 10**decimals
    return call.map("div", call.map("round", call.map("mul", x, scale)), scale)


@lowering("aten.trunc.default")
def trunc(call: Call, x: Value) -> Value:
    """Towards zero."""
    return _trunc(call, x)


def _trunc(call: Call, x: Value) -> Value:
    return call.map("sub", x, call.map("fmod", x, 1))


@lowering("aten.isnan.default")
def isnan(call: Call, x: Value) -> Value:
    """True where the element is not a number, and so differs from itself."""
    return call.map("ne", x, x, dtype=x.type.dtype)


@lowering("aten.isinf.default")
def isinf(call: Call, x: Value) -> Value:
    """True where the element is infinite."""
    magnitude = call.map("abs", x, dtype=x.type.dtype)
    return call.map("eq", magnitude, torch.inf, dtype=x.type.dtype)


@lowering("aten.where.self", "aten.where.ScalarSelf", "aten.where.ScalarOther", "aten.where.Scalar")
def where(call: Call, condition: Value, x: Operand, y: Operand) -> Value:
    """x where the condition is true, y elsewhere."""
    if condition.number is not None:
        chosen = call.cast(call.tensor(x if condition.number else y), call.result.dtype)
        return call.expand(chosen, call.result.shape)
    condition = _truth(call, condition)
    if not any(isinstance(operand, Value) and operand.number is None for operand in (x, y)):
        x = call.reshape(call.tensor(x), (1,) * max(condition.rank, 1))
    return call.reshape(call.map("select", condition, x, y), call.result.shape)


@lowering("aten.clamp.default", "aten.clamp.Tensor", "aten.hardtanh.default")
def clamp(call: Call, x: Value, low: Operand | None = None, high: Operand | None = None) -> Value:
    """At least `low` and at most `high`."""
    if low is not None:
        x = call.map("max", x, low)
    return x if high is None else call.map("min", x, high)
