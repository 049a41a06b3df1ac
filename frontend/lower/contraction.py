"""Products of matrices."""

from __future__ import annotations

from wsc.compiler.ir.types import DType
from wsc.compiler.ops import Contract
from wsc.frontend.lower.call import Call
from wsc.frontend.lower.registry import lowering
from wsc.frontend.lower.value import Value

_BATCH = "abcdefghij"


@lowering("aten.linear.default")
def linear(call: Call, x: Value, weight: Value, bias: Value | None = None) -> Value:
    """x[..., k] by weight[n, k]."""
    batch = _BATCH[: x.rank - 1]
    rows = "n" if weight.rank == 2 else ""
    product = call.add(Contract(f"{batch}k,{rows}k->{batch}{rows}"), x, weight)
    return product if bias is None else call.map("add", product, bias)


@lowering("aten.mm.default", "aten.bmm.default", "aten.matmul.default")
def matmul(call: Call, x: Value, y: Value) -> Value:
    """x[..., m, k] by y[..., k, n]; leading dimensions broadcast, a vector lacks its m or n."""
    letters = _BATCH[: max(x.rank, y.rank, 2) - 2]
    left, lhs = _own_batch(call, x, y, letters)
    right, rhs = _own_batch(call, y, x, letters)
    rows, cols = "m" * (x.rank > 1), "n" * (y.rank > 1)
    return call.add(Contract(f"{left}{rows}k,{right}k{cols}->{letters}{rows}{cols}"), lhs, rhs)


@lowering("aten._int_mm.default")
def integer_matmul(call: Call, x: Value, y: Value) -> Value:
    """x[m, k] by y[k, n] of 8 bits each, summed in 32, as layers have it that quantise their inputs as they come."""
    return matmul(call, call.cast(x, DType.I32), call.cast(y, DType.I32))


def _own_batch(call: Call, x: Value, other: Value, letters: str) -> tuple[str, Value]:
    """The letters of the leading dimensions of `x`, and `x` without those it only broadcasts along."""
    lead, theirs = x.shape[:-2], other.shape[:-2]
    matched = (1,) * (len(lead) - len(theirs)) + theirs[len(theirs) - min(len(theirs), len(lead)) :]
    own = letters[len(letters) - len(lead) :]
    kept = [(c, n) for c, n, m in zip(own, lead, matched, strict=True) if n > 1 or m == 1]
    return "".join(c for c, _ in kept), call.reshape(x, (*(n for _, n in kept), *x.shape[-2:]))


@lowering("aten.addmm.default")
def addmm(call: Call, bias: Value, x: Value, y: Value, *, beta: float = 1, alpha: float = 1) -> Value:
    """beta * bias + alpha * (x @ y)."""
    return _plus(call, bias, matmul(call, x, y), beta, alpha)


@lowering("aten.baddbmm.default")
def baddbmm(call: Call, bias: Value, x: Value, y: Value, *, beta: float = 1, alpha: float = 1) -> Value:
    """beta * bias + alpha * (x @ y) for each matrix of a batch."""
    return _plus(call, bias, matmul(call, x, y), beta, alpha)


def _plus(call: Call, bias: Value, product: Value, beta: float, alpha: float) -> Value:
    if alpha != 1:
        product = call.map("mul", product, alpha)
    if beta != 1:
        bias = call.map("mul", bias, beta)
    return call.map("add", product, bias)
