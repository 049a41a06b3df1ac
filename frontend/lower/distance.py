"""Distances between rows."""

from __future__ import annotations

import torch

from wsc.compiler.ops import Gather, Reduce
from wsc.frontend.lower.call import Call
from wsc.frontend.lower.registry import lowering
from wsc.frontend.lower.value import Value


@lowering("aten._cdist_forward.default", "aten.cdist.default")
def cdist(call: Call, x: Value, y: Value, p: float = 2, compute_mode: int | None = None) -> Value:
    """Of each row of x[..., n, d] to each row of y[..., m, d]: [..., n, m]."""
    x = call.reshape(x, (*x.shape[:-1], 1, x.shape[-1]))
    y = call.reshape(y, (*y.shape[:-2], 1, *y.shape[-2:]))
    return _norm(call, call.map("sub", x, y), p)


@lowering("aten._pdist_forward.default")
def pdist(call: Call, x: Value, p: float = 2) -> Value:
    """Of each row of x[n, d] to each later one, in order."""
    pairs = torch.combinations(torch.arange(x.shape[0]))
    first, second = (call.add(Gather(0), x, call.constant(pairs[:, i].contiguous())) for i in range(2))
    return _norm(call, call.map("sub", first, second), p)


def _norm(call: Call, x: Value, p: float) -> Value:
    return norm(call, x, p, (x.rank - 1,), keepdim=False)


def norm(call: Call, x: Value, p: float, dims: tuple[int, ...], keepdim: bool) -> Value:
    """The root of order p of the sum of powers; for 0 how many differ from zero, for infinity the largest."""

    def reduced(fn: str, value: Value) -> Value:
        return call.add(Reduce(fn, dims, keepdim), value) if dims else value

    if p == 2:
        return call.map("sqrt", reduced("sum", call.map("mul", x, x)))
    if p == 0:
        return reduced("sum", call.cast(call.map("ne", x, 0), call.result.dtype))
    size = call.map("abs", x)
    if p in (1, float("inf"), -float("inf")):
        return reduced({1: "sum", float("inf"): "max"}.get(p, "min"), size)
    return call.map("pow", reduced("sum", call.map("pow", size, p)), 1 / p)
