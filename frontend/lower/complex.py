"""Complex numbers as pairs of real and imaginary parts in a last dimension: arithmetic, and views of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import torch

from wsc.compiler.ops import Concat, Reduce
from wsc.frontend.lower import indexing, shape
from wsc.frontend.lower.call import Call, dim_of, dims_of
from wsc.frontend.lower.contraction import matmul
from wsc.frontend.lower.registry import Lowering, lowering
from wsc.frontend.lower.value import Operand, Value
from wsc.frontend.tensors import torch_dtype

_F = TypeVar("_F", bound=Lowering)
_Parts = tuple[Value, Value]

# Operations that hold for pairs as they are, because they name no dimension from the back, or that are made for them.
COMPLEX = frozenset(
    {
        "aten.view.default",
        "aten.reshape.default",
        "aten._unsafe_view.default",
        "aten.unsqueeze.default",
        "aten.squeeze.default",
        "aten.squeeze.dim",
        "aten.squeeze.dims",
        "aten.flatten.using_ints",
        "aten.expand.default",
        "aten.clone.default",
        "aten.contiguous.default",
        "aten.alias.default",
        "aten.detach.default",
        "aten.lift_fresh_copy.default",
        "aten.neg.default",
        "aten.view_as_real.default",
        "aten._conj.default",
        "aten._conj_physical.default",
        "aten.polar.default",
        "aten.complex.default",
        "aten.view_as_complex.default",
        "aten._fft_r2c.default",
        "aten._fft_c2r.default",
        "aten._fft_c2c.default",
    }
)
_OF_COMPLEX: dict[str, Lowering] = {}


def of_complex(*targets: str) -> Callable[[_F], _F]:
    """Registers a function as the lowering of operations where a tensor among arguments or results is complex."""

    def register(function: _F) -> _F:
        _OF_COMPLEX.update(dict.fromkeys(targets, function))
        return function

    return register


def find_of_complex(target: str) -> Lowering | None:
    """What lowers an operation on complex numbers, where that is not what lowers it on others."""
    return _OF_COMPLEX.get(target)


@lowering("aten.view_as_complex.default", "aten.view_as_real.default")
def same_pairs(call: Call, x: Value) -> Value:
    """The pairs themselves."""
    return x


@lowering("aten.polar.default")
def polar(call: Call, size: Value, angle: Value) -> Value:
    """size * cos(angle), size * sin(angle)."""
    dtype = call.result.dtype
    parts = [call.map("mul", size, call.map(fn, angle, dtype=dtype), dtype=dtype) for fn in ("cos", "sin")]
    return _paired(call, *parts)


@lowering("aten.complex.default")
def complex_of(call: Call, real: Value, imaginary: Value) -> Value:
    """Pairs of two tensors, which broadcast."""
    shape = call.result.shape[:-1]
    return _paired(call, call.expand(real, shape), call.expand(imaginary, shape))


@lowering("aten._conj.default", "aten._conj_physical.default")
def conj(call: Call, x: Value) -> Value:
    """The imaginary part negated."""
    return call.map("mul", x, call.constant(torch.tensor([1.0, -1.0])))


@of_complex("aten.mul.Tensor", "aten.mul.Scalar")
def product(call: Call, x: Operand, y: Operand) -> Value:
    """(a + bi) * (c + di), or with a real factor; factors broadcast."""
    if call.takes_complex == (1,):
        x, y = y, x
    if isinstance(x, Value) and not call.takes_complex:  # a real tensor by a complex number
        x = _paired(call, x, call.map("mul", x, 0))
    assert isinstance(x, Value)
    if isinstance(y, complex):
        y = _number(call, y)
    elif not isinstance(y, Value):
        return call.map("mul", x, y)
    elif len(call.takes_complex) == 1:
        return call.map("mul", x, call.reshape(y, (*y.shape, 1)))
    return _times(call, _parts(call, x), _parts(call, y), partial(call.map, "mul"))


def _times(call: Call, x: _Parts, y: _Parts, multiply: Callable[[Value, Value], Value]) -> Value:
    (a, b), (c, d) = x, y
    real = call.map("sub", multiply(a, c), multiply(b, d))
    return _paired(call, real, call.map("add", multiply(a, d), multiply(b, c)))


@of_complex("aten.mm.default", "aten.bmm.default", "aten.matmul.default")
def matrix_product(call: Call, x: Value, y: Value) -> Value:
    """The product of two complex matrices, or of batches of them, as four of real ones."""
    return _times(call, _parts(call, x), _parts(call, y), partial(matmul, call))


@of_complex("aten.add.Tensor", "aten.add.Scalar")
def add(call: Call, x: Operand, y: Operand, alpha: float = 1) -> Value:
    """x + alpha * y."""
    y = _pairs(call, y, 1)
    return call.map("add", _pairs(call, x, 0), y if alpha == 1 else call.map("mul", y, alpha))


@of_complex("aten.sub.Tensor", "aten.sub.Scalar")
def sub(call: Call, x: Operand, y: Operand, alpha: float = 1) -> Value:
    """x - alpha * y."""
    y = _pairs(call, y, 1)
    return call.map("sub", _pairs(call, x, 0), y if alpha == 1 else call.map("mul", y, alpha))


@of_complex("aten.div.Tensor", "aten.div.Scalar")
def quotient(call: Call, x: Operand, y: Operand) -> Value:
    """x / y: by a real number part by part, by a complex one as the product with its conjugate."""
    x = _pairs(call, x, 0)
    if 1 not in call.takes_complex and not isinstance(y, complex):
        return call.map("div", x, call.reshape(y, (*y.shape, 1)) if isinstance(y, Value) else y)
    c, d = _parts(call, _pairs(call, y, 1))
    square = call.map("add", call.map("mul", c, c), call.map("mul", d, d))
    above = _times(call, _parts(call, x), (c, call.map("neg", d)), partial(call.map, "mul"))
    return call.map("div", above, call.reshape(square, (*square.shape, 1)))


@of_complex("aten.reciprocal.default")
def reciprocal(call: Call, x: Value) -> Value:
    """1 / x: the conjugate over the square of the distance from zero."""
    a, b = _parts(call, x)
    square = call.map("add", call.map("mul", a, a), call.map("mul", b, b))
    return _paired(call, call.map("div", a, square), call.map("div", call.map("neg", b), square))


@of_complex("aten.abs.default")
def size(call: Call, x: Value) -> Value:
    """The distance from zero."""
    a, b = _parts(call, x)
    return call.map("sqrt", call.map("add", call.map("mul", a, a), call.map("mul", b, b)))


@of_complex("aten.angle.default")
def angle(call: Call, x: Value) -> Value:
    """The angle from the real axis."""
    a, b = _parts(call, x)
    return call.map("atan2", b, a)


@of_complex("aten.exp.default")
def exp(call: Call, x: Value) -> Value:
    """exp(a) * (cos(b), sin(b))."""
    a, b = _parts(call, x)
    return _paired(call, *(call.map("mul", call.map("exp", a), call.map(fn, b)) for fn in ("cos", "sin")))


@of_complex("aten._to_copy.default")
def to_copy(call: Call, x: Value, **_memory: object) -> Value:
    """From real numbers: without an imaginary part; to them: the real part alone."""
    if not call.takes_complex:
        return _pairs(call, call.cast(x, call.result.dtype), 0)
    found = x if call.result.shape == x.shape else _parts(call, x)[0]
    return call.cast(found, call.result.dtype)


@of_complex("aten.permute.default")
def permute(call: Call, x: Value, dims: Sequence[int]) -> Value:
    """Dimensions in another order; pairs stay last."""
    return call.permute(x, [*(dim_of(d, x.rank - 1) for d in dims), x.rank - 1])


@of_complex("aten.transpose.int")
def transpose(call: Call, x: Value, dim0: int, dim1: int) -> Value:
    """Two dimensions exchanged."""
    return shape.transpose(call, x, dim_of(dim0, x.rank - 1), dim_of(dim1, x.rank - 1))


@of_complex("aten.slice.Tensor")
def slice_(call: Call, x: Value, dim: int = 0, *place: int) -> Value:
    """Some of the elements along a dimension."""
    return shape.slice_(call, x, dim_of(dim, x.rank - 1), *place)


@of_complex("aten.select.int")
def select(call: Call, x: Value, dim: int, index: int) -> Value:
    """One place along a dimension, which goes away."""
    return shape.select(call, x, dim_of(dim, x.rank - 1), index)


@of_complex("aten.cat.default")
def cat(call: Call, tensors: Sequence[Value], dim: int = 0) -> Value:
    """One after another along a dimension; real ones among them have no imaginary part."""
    rank = call.result.rank
    parts = [x if x.rank == rank else _paired(call, x, call.map("mul", x, 0)) for x in tensors]
    return shape.cat(call, parts, dim_of(dim, rank - 1))


@of_complex("aten.constant_pad_nd.default")
def constant_pad(call: Call, x: Value, pad: Sequence[int], value: float = 0) -> Value:
    """Zeros before and after."""
    return shape.constant_pad(call, x, (0, 0, *pad), value)


@of_complex("aten.slice_scatter.default")
def slice_scatter(call: Call, x: Value, source: Value, dim: int = 0, *place: int) -> Value:
    """The tensor with some slices along a dimension replaced."""
    return indexing.slice_scatter(call, x, source, dim_of(dim, x.rank - 1), *place)


@of_complex("aten.sum.dim_IntList", "aten.sum.default", "aten.mean.dim", "aten.mean.default")
def total(call: Call, x: Value, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Value:
    """Sum or mean over dimensions; each part is summed by itself."""
    dims = dims_of(dim, x.rank - 1)
    found = call.add(Reduce("sum", dims, keepdim), x)
    return (
        found
        if "sum" in call.origin.title
        else call.map("div", found, torch.Size(x.shape[d] for d in dims).numel())
    )


def _pairs(call: Call, operand: Operand | complex, place: int) -> Value:
    """An argument as pairs, of which a real one has no imaginary part."""
    if not isinstance(operand, Value):
        return _number(call, operand)
    if place in call.takes_complex:
        return operand
    real = call.cast(operand, call.result.dtype)
    return _paired(call, real, call.map("mul", real, 0))


def _number(call: Call, number: complex) -> Value:
    return call.constant(torch.tensor([number.real, number.imag], dtype=torch_dtype(call.result.dtype)))


def _parts(call: Call, x: Value) -> _Parts:
    """Real and imaginary part, without the dimension of pairs."""
    first, second = (call.slice(x, x.rank - 1, i, i + 1) for i in range(2))
    return call.reshape(first, x.shape[:-1]), call.reshape(second, x.shape[:-1])


def _paired(call: Call, real: Value, imaginary: Value) -> Value:
    parts = [call.reshape(part, (*part.shape, 1)) for part in (real, imaginary)]
    return call.add(Concat(real.rank), *parts)
