"""Changes of element type, and copies, which the graph does not need."""

from __future__ import annotations

from wsc.frontend.lower.call import Call
from wsc.frontend.lower.registry import Unsupported, lowering
from wsc.frontend.lower.value import Value


@lowering(
    "aten.clone.default",
    "aten.alias.default",
    "aten.detach.default",
    "aten.contiguous.default",
    "aten.lift_fresh_copy.default",
)
def same(call: Call, x: Value, **_memory: object) -> Value:
    """The value itself."""
    return x


@lowering("aten._to_copy.default")
def to_copy(call: Call, x: Value, **_memory: object) -> Value:
    """The value as the result's element type; anything but zero is true."""
    return call.cast(x, call.result.dtype)


@lowering("aten.copy.default")
def copy(call: Call, base: Value, source: Value, non_blocking: bool = False) -> Value:
    """The source in the shape and type of the base."""
    return call.expand(call.cast(source, call.result.dtype), call.result.shape)


@lowering("aten.dropout.default")
def dropout(call: Call, x: Value, p: float, train: bool) -> Value:
    """Nothing, in inference."""
    if train and p > 0:
        raise Unsupported("dropout in training mode")
    return x
