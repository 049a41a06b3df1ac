"""Angles and hyperbolic functions, by way of atan2, exp and log1p."""

from __future__ import annotations

from wsc.frontend.lower.call import Call
from wsc.frontend.lower.registry import lowering
from wsc.frontend.lower.value import Operand, Value


@lowering("aten.atan2.default")
def atan2(call: Call, y: Operand, x: Operand) -> Value:
    """The angle of the point (x, y)."""
    return call.map("atan2", y, x)


@lowering("aten.angle.default")
def angle(call: Call, x: Value) -> Value:
    """Of real numbers: nothing, or half a turn for those below zero."""
    return call.map("atan2", call.map("mul", x, 0), x)


@lowering("aten.atan.default")
def atan(call: Call, x: Value) -> Value:
    """The angle whose tangent is x."""
    return call.map("atan2", x, 1)


@lowering("aten.asin.default")
def asin(call: Call, x: Value) -> Value:
    """The angle whose sine is x."""
    return call.map("atan2", x, _other_leg(call, x))


@lowering("aten.acos.default")
def acos(call: Call, x: Value) -> Value:
    """The angle whose cosine is x."""
    return call.map("atan2", _other_leg(call, x), x)


def _other_leg(call: Call, x: Value) -> Value:
    """sqrt(1 - x * x), as a product so that nothing cancels near 1; not a number beyond 1."""
    return call.map("sqrt", call.map("mul", call.map("sub", 1, x), call.map("add", 1, x)))


@lowering("aten.sinh.default")
def sinh(call: Call, x: Value) -> Value:
    """(exp(x) - exp(-x)) / 2, as cosh(x) * tanh(x), which does not cancel near 0."""
    return call.map("mul", cosh(call, x), call.map("tanh", x))


@lowering("aten.cosh.default")
def cosh(call: Call, x: Value) -> Value:
    """(exp(x) + exp(-x)) / 2."""
    both = call.map("add", call.map("exp", x), call.map("exp", call.map("neg", x)))
    return call.map("mul", both, 0.5)


@lowering("aten.asinh.default")
def asinh(call: Call, x: Value) -> Value:
    """sign(x) * log(|x| + sqrt(x * x + 1)), with a logarithm that keeps small numbers."""
    size = call.map("abs", x)
    square = call.map("mul", x, x)
    root = call.map("sqrt", call.map("add", square, 1))
    beyond = call.map("add", size, call.map("div", square, call.map("add", root, 1)))
    return call.map("mul", call.map("sign", x), call.map("log1p", beyond))


@lowering("aten.acosh.default")
def acosh(call: Call, x: Value) -> Value:
    """log(x + sqrt(x * x - 1))."""
    root = call.map("sqrt", call.map("mul", call.map("sub", x, 1), call.map("add", x, 1)))
    return call.map("log", call.map("add", x, root))


@lowering("aten.atanh.default")
def atanh(call: Call, x: Value) -> Value:
    """log((1 + x) / (1 - x)) / 2, with logarithms that keep small numbers."""
    apart = call.map("sub", call.map("log1p", x), call.map("log1p", call.map("neg", x)))
    return call.map("mul", apart, 0.5)
