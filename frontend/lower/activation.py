"""Activations and softmax."""

from __future__ import annotations

from wsc.compiler.ops import Softmax
from wsc.frontend.lower.call import Call, dim_of
from wsc.frontend.lower.registry import lowering
from wsc.frontend.lower.value import Value


@lowering("aten.relu.default")
def relu(call: Call, x: Value) -> Value:
    """max(x, 0)."""
    return call.map("relu", x)


@lowering("aten.silu.default")
def silu(call: Call, x: Value) -> Value:
    """x * sigmoid(x)."""
    return call.map("silu", x)


@lowering("aten.gelu.default")
def gelu(call: Call, x: Value, *, approximate: str = "none") -> Value:
    """x times the normal distribution's integral up to x, or the usual approximation of it."""
    return call.map("gelu_tanh" if approximate == "tanh" else "gelu", x)


@lowering("aten.softplus.default")
def softplus(call: Call, x: Value, beta: float = 1, threshold: float = 20) -> Value:
    """log(1 + exp(beta * x)) / beta; torch's threshold only avoids overflow, which our function does not have."""
    if beta == 1:
        return call.map("softplus", x)
    return call.map("div", call.map("softplus", call.map("mul", x, beta)), beta)


@lowering("aten.leaky_relu.default")
def leaky_relu(call: Call, x: Value, negative_slope: float = 0.01) -> Value:
    """x where positive, a fraction of it elsewhere."""
    return _where_positive(call, x, call.map("mul", x, negative_slope))


@lowering("aten.elu.default")
def elu(call: Call, x: Value, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Value:
    """scale * (x where positive, alpha * (exp(input_scale * x) - 1) elsewhere)."""
    powers = call.map("exp", x if input_scale == 1 else call.map("mul", x, input_scale))
    below = call.map("sub", powers, 1)
    chosen = _where_positive(call, x, below if alpha == 1 else call.map("mul", below, alpha))
    return chosen if scale == 1 else call.map("mul", chosen, scale)


def _where_positive(call: Call, x: Value, otherwise: Value) -> Value:
    return call.map("select", call.map("gt", x, 0), x, otherwise)


@lowering("aten.softmax.int")
def softmax(call: Call, x: Value, dim: int, dtype: object = None) -> Value:
    """Softmax along a dimension, in the result's element type."""
    return _softmax(call, x, dim, log=False)


@lowering("aten._softmax.default")
def softmax_half(call: Call, x: Value, dim: int, half_to_float: bool) -> Value:
    """Softmax along a dimension, in the result's element type."""
    return _softmax(call, x, dim, log=False)


@lowering("aten.log_softmax.int")
def log_softmax(call: Call, x: Value, dim: int, dtype: object = None) -> Value:
    """Logarithm of softmax along a dimension, in the result's element type."""
    return _softmax(call, x, dim, log=True)


@lowering("aten._log_softmax.default")
def log_softmax_half(call: Call, x: Value, dim: int, half_to_float: bool) -> Value:
    """Logarithm of softmax along a dimension, in the result's element type."""
    return _softmax(call, x, dim, log=True)


def _softmax(call: Call, x: Value, dim: int, log: bool) -> Value:
    x = call.cast(x, call.result.dtype)
    vector = call.aligned(x, max(x.rank, 1))
    return call.reshape(call.add(Softmax(dim_of(dim, vector.rank), log), vector), x.shape)
