"""Cases of the ops that compute: contractions, scalar functions, reductions, attention."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from tests.compiler.cases import Case, Rng, boolean, case, extents, f32, i64
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.ops import (
    Attention,
    Cast,
    Contract,
    Custom,
    Elementwise,
    Grouped,
    IntegerContract,
    Norm,
    Quantize,
    Recurrence,
    Reduce,
    Scan,
    Softmax,
    TopK,
)
from wsc.compiler.ops.custom import Rule, register


def _outer_type(x: TensorType, y: TensorType) -> TensorType:
    return TensorType(x.dtype, x.shape + y.shape)


# --- contract


@case
def linear(rng: Rng) -> Case:
    a, b, k, n = extents(rng, 4)
    return Case(Contract("abk,nk->abn"), (f32(a, b, k), f32(n, k)), F.linear)


@case
def linear_bf16(rng: Rng) -> Case:
    a, k, n = extents(rng, 3)
    types = (TensorType(DType.BF16, (a, k)), TensorType(DType.BF16, (n, k)))
    return Case(Contract("ak,nk->an"), types, lambda x, w: F.linear(x.float(), w.float()).bfloat16())


@case
def matmul_i64(rng: Rng) -> Case:
    a, k, n = extents(rng, 3)
    return Case(Contract("ak,kn->an"), (i64(a, k), i64(k, n)), torch.matmul)


def i8(*shape: int) -> TensorType:
    return TensorType(DType.I8, shape)


def i16(*shape: int) -> TensorType:
    return TensorType(DType.I16, shape)


@case
def linear_of_bytes(rng: Rng) -> Case:
    a, b, k, n = extents(rng, 4)
    expected = lambda x, w: F.linear(x.double(), w.double()).int()  # noqa: E731
    return Case(IntegerContract("abk,nk->abn"), (i8(a, b, k), i8(n, k)), expected, high=127)


@case
def convolution_of_shorts(rng: Rng) -> Case:
    n, c, o = extents(rng, 3)
    op = IntegerContract("nchw,ocrs->nohw", (("h", "r", 1, 1, 1, 1), ("w", "s", 2, 1, 0, 0)))
    expected = lambda x, w: F.conv2d(x.double(), w.double(), stride=(1, 2), padding=(1, 0)).long()  # noqa: E731
    return Case(op, (i16(n, c, 5, 6), i16(o, c, 3, 3)), expected, high=32767)


@case
def quantize_to_bytes(rng: Rng) -> Case:
    a, b = extents(rng, 2)
    expected = lambda x: (x / 0.02).round().clamp(-127, 127).to(torch.int8)  # noqa: E731
    return Case(Quantize(0.02, 8), (f32(a, b),), expected)


@case
def quantize_to_shorts(rng: Rng) -> Case:
    a, b = extents(rng, 2)
    expected = lambda x: (x / 1e-4).round().clamp(-32767, 32767).to(torch.int16)  # noqa: E731
    return Case(Quantize(1e-4, 16), (f32(a, b),), expected)


@case
def batched_matmul_with_turned_result(rng: Rng) -> Case:
    b, h, s, t, d = extents(rng, 5)
    types = (f32(b, h, s, d), f32(b, h, t, d))
    return Case(Contract("bhsd,bhtd->hbts"), types, lambda q, k: torch.einsum("bhsd,bhtd->hbts", q, k))


@case
def outer_product(rng: Rng) -> Case:
    return Case(Contract("a,b->ba"), tuple(f32(n) for n in extents(rng, 2)), lambda x, y: torch.outer(y, x))


@case
def sums_over_one_side_only(rng: Rng) -> Case:
    a, b, c, d = extents(rng, 4)
    return Case(
        Contract("abc,bd->a"), (f32(a, b, c), f32(b, d)), lambda x, y: torch.einsum("abc,bd->a", x, y)
    )


@case
def conv2d(rng: Rng) -> Case:
    n, c, o = extents(rng, 3)
    (h, w), (r, s) = extents(rng, 2, 7, 9), extents(rng, 2, 1, 3)
    stride, dilation, pad = extents(rng, 1, 1, 3)[0], extents(rng, 1, 1, 2)[0], extents(rng, 1, 0, 2)[0]
    window = (stride, dilation, pad, pad)
    op = Contract("nchw,ocrs->nohw", (("h", "r", *window), ("w", "s", *window)))
    return Case(
        op,
        (f32(n, c, h, w), f32(o, c, r, s)),
        lambda x, k: F.conv2d(x, k, stride=stride, padding=pad, dilation=dilation),
    )


@case
def conv1d_with_uneven_padding(rng: Rng) -> Case:
    n, c, o = extents(rng, 3)
    lo, hi = extents(rng, 2, 0, 3)
    op = Contract("ncl,ock->nol", (("l", "k", 2, 1, lo, hi),))
    return Case(op, (f32(n, c, 8), f32(o, c, 3)), lambda x, k: F.conv1d(F.pad(x, (lo, hi)), k, stride=2))


@case
def grouped_conv2d(rng: Rng) -> Case:
    n, g, c, o = extents(rng, 4)
    op = Contract("ngchw,gocrs->ngohw", (("h", "r", 1, 1, 1, 1), ("w", "s", 1, 1, 1, 1)))

    def expected(x: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = F.conv2d(x.flatten(1, 2), k.flatten(0, 1), padding=1, groups=g)
        return torch.unflatten(y, 1, (g, o))

    return Case(op, (f32(n, g, c, 6, 5), f32(g, o, c, 3, 3)), expected)


# --- one value an element


@case
def add_broadcast(rng: Rng) -> Case:
    a, b, c = extents(rng, 3)
    return Case(Elementwise("add", (None, None)), (f32(a, b, c), f32(1, b, 1)), torch.add)


@case
def select_with_scalar(rng: Rng) -> Case:
    a, b = extents(rng, 2)
    op = Elementwise("select", (None, None, -np.inf))
    return Case(op, (boolean(1, b), f32(a, b)), lambda c, x: torch.where(c, x, -torch.inf))


@case
def scalar_minus_tensor(rng: Rng) -> Case:
    return Case(Elementwise("sub", (1.0, None)), (f32(*extents(rng, 3)),), lambda x: 1.0 - x)


@case
def cast_to_bf16(rng: Rng) -> Case:
    return Case(Cast("bf16"), (f32(*extents(rng, 3)),), torch.Tensor.bfloat16)


@case
def cast_to_bool(rng: Rng) -> Case:
    return Case(Cast("bool"), (i64(*extents(rng, 2)),), torch.Tensor.bool, high=2)


# --- whole dimensions


def _reduce(fn: str, keep: bool, expected: Callable[..., torch.Tensor]) -> Callable[[Rng], Case]:
    def make_case(rng: Rng) -> Case:
        return Case(Reduce(fn, (0, 2), keep), (f32(*extents(rng, 4)),), expected)

    make_case.__name__ = f"reduce_{fn}_{'kept' if keep else 'dropped'}"
    return make_case


for _keep in (False, True):
    case(_reduce("sum", _keep, lambda x, keep=_keep: x.sum((0, 2), keepdim=keep)))
    case(_reduce("mean", _keep, lambda x, keep=_keep: x.mean((0, 2), keepdim=keep)))
    case(_reduce("max", _keep, lambda x, keep=_keep: x.amax((0, 2), keepdim=keep)))
    case(_reduce("min", _keep, lambda x, keep=_keep: x.amin((0, 2), keepdim=keep)))
    case(
        _reduce(
            "prod",
            _keep,
            lambda x, keep=_keep: (
                x.prod(2, keepdim=True).prod(0, keepdim=True) if keep else x.prod(2).prod(0)
            ),
        )
    )


@case
def reduce_any(rng: Rng) -> Case:
    return Case(Reduce("any", (1,)), (boolean(*extents(rng, 2)),), lambda x: x.any(1))


@case
def reduce_all(rng: Rng) -> Case:
    return Case(Reduce("all", (0,), True), (boolean(*extents(rng, 2)),), lambda x: x.all(0, keepdim=True))


@case
def softmax(rng: Rng) -> Case:
    return Case(Softmax(1), (f32(*extents(rng, 3)),), lambda x: x.softmax(1))


@case
def log_softmax(rng: Rng) -> Case:
    return Case(Softmax(2, True), (f32(*extents(rng, 3)),), lambda x: x.log_softmax(2))


@case
def layer_norm(rng: Rng) -> Case:
    a, b, c = extents(rng, 3, 2)
    return Case(Norm("layer", (1, 2), 1e-5), (f32(a, b, c),), lambda x: F.layer_norm(x, (b, c)))


@case
def rms_norm(rng: Rng) -> Case:
    a, b = extents(rng, 2)
    return Case(Norm("rms", (1,), 1e-6), (f32(a, b),), lambda x: F.rms_norm(x, (b,), eps=1e-6))


@case
def scan_sum(rng: Rng) -> Case:
    return Case(Scan("sum", 1), (f32(*extents(rng, 3)),), lambda x: x.cumsum(1))


@case
def scan_prod(rng: Rng) -> Case:
    return Case(Scan("prod", 0), (f32(*extents(rng, 2)),), lambda x: x.cumprod(0))


@case
def scan_max(rng: Rng) -> Case:
    return Case(Scan("max", 0), (f32(*extents(rng, 2)),), lambda x: x.cummax(0).values)


@case
def topk_values(rng: Rng) -> Case:
    a, b = extents(rng, 2, 3)
    return Case(TopK(2, 0), (f32(a, b),), lambda x: x.topk(2, 0).values)


@case
def topk_smallest_indices(rng: Rng) -> Case:
    a, b = extents(rng, 2, 3)
    op = TopK(3, 1, largest=False, part="indices")
    return Case(op, (f32(a, b),), lambda x: x.topk(3, 1, largest=False).indices)


# --- attention


@case
def attention(rng: Rng) -> Case:
    b, h, s, t, d = extents(rng, 5)
    types = (f32(b, h, s, d), f32(b, h, t, d), f32(b, h, t, d + 1))
    return Case(Attention(0.3), types, lambda q, k, v: F.scaled_dot_product_attention(q, k, v, scale=0.3))


@case
def attention_causal(rng: Rng) -> Case:
    h, s, t, d = extents(rng, 4)
    types = (f32(h, s, d), f32(h, t, d), f32(h, t, d))
    return Case(
        Attention(0.5, causal=True),
        types,
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=0.5),
    )


@case
def attention_with_float_mask(rng: Rng) -> Case:
    b, h, s, t, d = extents(rng, 5)
    types = (f32(b, h, s, d), f32(b, h, t, d), f32(b, h, t, d), f32(b, 1, s, t))
    return Case(
        Attention(1.0), types, lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, m, scale=1.0)
    )


@case
def attention_with_boolean_mask(rng: Rng) -> Case:
    """Some rows keep nothing: their result is zero."""
    b, s, t, d = extents(rng, 4)
    types = (f32(b, s, d), f32(1, t, d), f32(1, t, d), boolean(1, s, t))

    def expected(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        k, v = k.expand(b, t, d), v.expand(b, t, d)
        return F.scaled_dot_product_attention(q, k, v, mask, scale=1.0)

    return Case(Attention(1.0), types, expected)


@case
def attention_with_grouped_queries(rng: Rng) -> Case:
    b, g, n, s, t, d = extents(rng, 6)
    types = (f32(b, g, n, s, d), f32(b, g, 1, t, d), f32(b, g, 1, t, d))

    def expected(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        q, k, v = q.flatten(1, 2), k.squeeze(2), v.squeeze(2)
        y = F.scaled_dot_product_attention(q, k, v, scale=0.7, enable_gqa=True)
        return torch.unflatten(y, 1, (g, n))

    return Case(Attention(0.7), types, expected)


# --- grouped, recurrence


@case
def grouped(rng: Rng) -> Case:
    s, k, n = extents(rng, 3)
    types = (f32(s, k), f32(4, k, n), i64(s))
    return Case(Grouped(), types, _chosen_by_row)  # groups up to 4, of which there is none


@case
def grouped_with_load(rng: Rng) -> Case:
    b, s, k, n = extents(rng, 4)
    types = (f32(b, s, k), f32(b, 5, k, n), i64(b, s))
    return Case(Grouped((1.0, 2.0, 3.0, 0.0, 4.0), 1), types, _chosen_by_row)


def _chosen_by_row(x: torch.Tensor, w: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
    chosen = F.one_hot(group, 5).to(x.dtype)[..., : w.shape[-3]]
    return torch.einsum("...sg,...sk,...gkn->...sn", chosen, x, w)


@case
def recurrence(rng: Rng) -> Case:
    a, t, c = extents(rng, 3)
    return Case(Recurrence(1), (f32(a, t, 1), f32(a, t, c)), _steps)


@case
def recurrence_with_initial_state(rng: Rng) -> Case:
    a, t, c = extents(rng, 3)
    return Case(Recurrence(1), (f32(a, t, c), f32(a, t, c), f32(a, 1, c)), _steps)


def _steps(a: torch.Tensor, b: torch.Tensor, *initial: torch.Tensor) -> torch.Tensor:
    state = initial[0][:, 0] if initial else torch.zeros_like(b[:, 0])
    found = []
    for t in range(b.shape[1]):
        state = a[:, t] * state + b[:, t]
        found.append(state)
    return torch.stack(found, 1)


# --- custom: rules as a plugin would register them

register("wsc_test::halve", Rule(lambda x: x, lambda x: (0, x.elements), lambda x: x / 2, pointwise=True))
register("wsc_test::outer", Rule(_outer_type, lambda x, y: (x.elements * y.elements, 0), np.outer))


@case
def custom_pointwise(rng: Rng) -> Case:
    return Case(Custom("wsc_test::halve"), (f32(*extents(rng, 3)),), lambda x: x / 2)


@case
def custom_whole(rng: Rng) -> Case:
    a, b = extents(rng, 2)
    return Case(Custom("wsc_test::outer"), (f32(a), f32(b)), torch.outer)
