"""Sums, means, extremes and the like over whole dimensions; running sums; selections by size."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from wsc.compiler.ops import Recurrence, Reduce, Scan, TopK
from wsc.frontend.lower.call import Call, dim_of, dims_of
from wsc.frontend.lower.distance import norm
from wsc.frontend.lower.registry import Unsupported, lowering
from wsc.frontend.lower.value import Missing, Value

Dims = int | Sequence[int] | None


def _reduced(
    fn: str, call: Call, x: Value, dim: Dims = None, keepdim: bool = False, *, dtype: object = None
) -> Value:
    """`fn` over dimensions, or over all, in the element type of the result."""
    return _over(call, fn, call.cast(x, call.result.dtype), dims_of(dim, x.rank), keepdim)


def _over(call: Call, fn: str, x: Value, dims: tuple[int, ...], keepdim: bool) -> Value:
    return call.add(Reduce(fn, dims, keepdim), x) if dims else x


for _fn, _targets in {
    "sum": ("aten.sum.default", "aten.sum.dim_IntList"),
    "mean": ("aten.mean.default", "aten.mean.dim"),
    "prod": ("aten.prod.default", "aten.prod.dim_int"),
    "max": ("aten.amax.default", "aten.max.default"),
    "min": ("aten.amin.default", "aten.min.default"),
    "any": ("aten.any.default", "aten.any.dim", "aten.any.dims"),
    "all": ("aten.all.default", "aten.all.dim", "aten.all.dims"),
}.items():
    lowering(*_targets)(partial(_reduced, _fn))


@lowering("aten.max.dim")
def max_dim(call: Call, x: Value, dim: int, keepdim: bool = False) -> tuple[Value, Value]:
    """The largest along a dimension and the first place where it is."""
    return _extreme(call, x, dim, keepdim, largest=True)


@lowering("aten.min.dim")
def min_dim(call: Call, x: Value, dim: int, keepdim: bool = False) -> tuple[Value, Value]:
    """The smallest along a dimension and the first place where it is."""
    return _extreme(call, x, dim, keepdim, largest=False)


def _extreme(call: Call, x: Value, dim: int, keepdim: bool, largest: bool) -> tuple[Value, Value]:
    dim = dim_of(dim, x.rank)
    place = call.add(TopK(1, dim, largest, "indices"), x)
    value = _over(call, "max" if largest else "min", x, (dim,), keepdim)
    return value, call.reshape(place, call.results[1].shape)


@lowering("aten.argmax.default")
def argmax(call: Call, x: Value, dim: int | None = None, keepdim: bool = False) -> Value:
    """The first place of the largest element along a dimension, or in row-major order."""
    return _place(call, x, dim, largest=True)


@lowering("aten.argmin.default")
def argmin(call: Call, x: Value, dim: int | None = None, keepdim: bool = False) -> Value:
    """The first place of the smallest element along a dimension, or in row-major order."""
    return _place(call, x, dim, largest=False)


def _place(call: Call, x: Value, dim: int | None, largest: bool) -> Value:
    if dim is None:
        x, dim = call.reshape(x, (x.type.elements,)), 0
    found = call.add(TopK(1, dim_of(dim, x.rank), largest, "indices"), x)
    return call.reshape(found, call.result.shape)


@lowering("aten.topk.default")
def topk(
    call: Call, x: Value, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> tuple[Value, Value]:
    """The k largest or smallest along a dimension and their places."""
    dim = dim_of(dim, x.rank)
    return call.add(TopK(k, dim, largest, "values"), x), call.add(TopK(k, dim, largest, "indices"), x)


@lowering("aten.sort.default")
def sort(call: Call, x: Value, dim: int = -1, descending: bool = False) -> tuple[Value, Value]:
    """All elements along a dimension in order, and their places."""
    dim = dim_of(dim, x.rank)
    return topk(call, x, x.shape[dim], dim, descending)


@lowering("aten.sort.stable")
def sort_stable(
    call: Call, x: Value, *, stable: bool | None, dim: int = -1, descending: bool = False
) -> tuple[Value, Value]:
    """The same; ours keeps equal elements in order in any case."""
    return sort(call, x, dim, descending)


@lowering("aten.cumsum.default")
def cumsum(call: Call, x: Value, dim: int, *, dtype: object = None) -> Value:
    """Running sum along a dimension, in the element type of the result."""
    return call.add(Scan("sum", dim_of(dim, x.rank)), call.cast(x, call.result.dtype))


@lowering("aten.cumprod.default")
def cumprod(call: Call, x: Value, dim: int, *, dtype: object = None) -> Value:
    """Running product along a dimension, in the element type of the result."""
    return call.add(Scan("prod", dim_of(dim, x.rank)), call.cast(x, call.result.dtype))


@lowering("aten.cummax.default")
def cummax(call: Call, x: Value, dim: int) -> tuple[Value, Missing]:
    """Running maximum along a dimension."""
    return call.add(Scan("max", dim_of(dim, x.rank)), x), Missing("it reads the places of a running maximum")


@lowering("aten.cummin.default")
def cummin(call: Call, x: Value, dim: int) -> tuple[Value, Missing]:
    """Running minimum along a dimension: the running maximum of what is negated, negated."""
    found = call.add(Scan("max", dim_of(dim, x.rank)), call.map("neg", x))
    return call.map("neg", found), Missing("it reads the places of a running minimum")


@lowering("wsc.recurrence.default")
def recurrence(call: Call, a: Value, b: Value, dim: int) -> Value:
    """y[t] = a[t] * y[t - 1] + b[t] along a dimension."""
    return call.add(Recurrence(dim_of(dim, b.rank)), call.cast(a, b.type.dtype), b)


@lowering("aten.var.correction")
def var(
    call: Call, x: Value, dim: Dims = None, *, correction: float | None = None, keepdim: bool = False
) -> Value:
    """The mean square of the distance from the mean, over the number of elements less the correction (1)."""
    return _variance(call, x, dims_of(dim, x.rank), 1 if correction is None else correction, keepdim)


@lowering("aten.var_mean.correction")
def var_mean(
    call: Call, x: Value, dim: Dims = None, *, correction: float | None = None, keepdim: bool = False
) -> tuple[Value, Value]:
    """The variance and the mean."""
    dims = dims_of(dim, x.rank)
    return var(call, x, dims, correction=correction, keepdim=keepdim), _over(call, "mean", x, dims, keepdim)


def _variance(call: Call, x: Value, dims: tuple[int, ...], correction: float, keepdim: bool) -> Value:
    count = 1
    for dim in dims:
        count *= x.shape[dim]
    if count <= correction:
        raise Unsupported("the variance of a single element")
    apart = call.map("sub", x, _over(call, "mean", x, dims, keepdim=True))
    total = _over(call, "sum", call.map("mul", apart, apart), dims, keepdim)
    return call.map("mul", total, 1 / (count - correction))


@lowering("aten.linalg_vector_norm.default")
def vector_norm(
    call: Call, x: Value, ord: float = 2, dim: Dims = None, keepdim: bool = False, *, dtype: object = None
) -> Value:
    """The root of the sum of squares, the sum of magnitudes, the largest magnitude, or the norm of another order."""
    return norm(call, call.cast(x, call.result.dtype), ord, dims_of(dim, x.rank), keepdim)
