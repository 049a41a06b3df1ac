"""Complex numbers as pairs of real and imaginary parts in a last dimension: what rotary embeddings use of them."""

from __future__ import annotations

import torch

from wsc.compiler.ops import Concat
from wsc.frontend.lower.call import Call
from wsc.frontend.lower.registry import lowering
from wsc.frontend.lower.value import Operand, Value

# Operations that hold for pairs as they are, because they name no dimension from the back, or that are made for them.
COMPLEX = frozenset(
    {
        "aten.view.default",
        "aten.reshape.default",
        "aten._unsafe_view.default",
        "aten.unsqueeze.default",
        "aten.flatten.using_ints",
        "aten.expand.default",
        "aten.clone.default",
        "aten.contiguous.default",
        "aten.mul.Tensor",
        "aten.view_as_real.default",
        "aten._conj.default",
        "aten._conj_physical.default",
        "aten.polar.default",
        "aten.complex.default",
        "aten.view_as_complex.default",
    }
)


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


def complex_product(call: Call, x: Operand, y: Operand) -> Value:
    """(a + bi) * (c + di), or with a real factor; factors broadcast."""
    if 0 not in call.takes_complex:
        x, y = y, x
    assert isinstance(x, Value)
    if not isinstance(y, Value):
        return call.map("mul", x, y)
    if len(call.takes_complex) == 1:
        return call.map("mul", x, call.reshape(y, (*y.shape, 1)))
    (a, b), (c, d) = _parts(call, x), _parts(call, y)

    def product(first: Value, second: Value) -> Value:
        return call.map("mul", first, second)

    real = call.map("sub", product(a, c), product(b, d))
    return _paired(call, real, call.map("add", product(a, d), product(b, c)))


def _parts(call: Call, x: Value) -> tuple[Value, Value]:
    """Real and imaginary part, without the dimension of pairs."""
    first, second = (call.slice(x, x.rank - 1, i, i + 1) for i in range(2))
    return call.reshape(first, x.shape[:-1]), call.reshape(second, x.shape[:-1])


def _paired(call: Call, real: Value, imaginary: Value) -> Value:
    parts = [call.reshape(part, (*part.shape, 1)) for part in (real, imaginary)]
    return call.add(Concat(real.rank), *parts)
