"""Arithmetic, comparison and logic: numbers, element types, broadcasting, constants in place of tensors."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsc.compiler.ops import Elementwise

X = torch.linspace(-3, 3, 24).reshape(4, 6)
Y = torch.linspace(0.5, 2, 24).reshape(4, 6).flip(0)
I = torch.arange(-12, 12).reshape(4, 6)  # noqa: E741
J = torch.arange(1, 25).reshape(4, 6)

FUNCTIONS = {
    "abs": lambda x, y, i, j: x.abs(),
    "add": lambda x, y, i, j: (x + y, x + 2, 2 + i, torch.add(x, y, alpha=3), i + x, i + 0.5),
    "and": lambda x, y, i, j: (i & j, (x > 0) & (y > 1), i & 3),
    "ceil": lambda x, y, i, j: x.ceil(),
    "clamp": lambda x, y, i, j: (x.clamp(-1, 1.5), x.clamp(min=0.5), torch.clamp(x, -y, y), i.clamp(max=2)),
    "cos": lambda x, y, i, j: x.cos(),
    "div": lambda x, y, i, j: (x / y, i / j, x / 3, 1 / y),
    "div_floor": lambda x, y, i, j: (torch.div(x, y, rounding_mode="floor"), i // j, x // 0.3),
    "div_trunc": lambda x, y, i, j: [torch.div(*pair, rounding_mode="trunc") for pair in ((x, y), (i, j))],
    "angles": lambda x, y, i, j: (
        torch.atan2(x, y - 1),
        x.atan(),
        (x / 3).asin(),
        (x / 3).acos(),
        i.atan(),
    ),
    "hyperbolic": lambda x, y, i, j: (
        x.sinh(),
        x.cosh(),
        x.asinh(),
        (x * 1e-3).asinh(),
        (1 + y).acosh(),
        (x / 4).atanh(),
    ),
    "erf": lambda x, y, i, j: x.erf(),
    "exp": lambda x, y, i, j: (x.exp(), i.exp(), x.expm1(), x.exp2()),
    "floor": lambda x, y, i, j: x.floor(),
    "fmod": lambda x, y, i, j: (x.fmod(y), x.fmod(0.7), i.fmod(5)),
    "isfinite": lambda x, y, i, j: ((1 / (i * 1.0)).isinf(), x.log().isnan(), x.log().isfinite()),
    "lerp": lambda x, y, i, j: torch.lerp(x, y, 0.3),
    "log": lambda x, y, i, j: (y.log(), y.log1p(), y.log2(), y.log10()),
    "logical": lambda x, y, i, j: [getattr(torch, f"logical_{name}")(i, x) for name in ("and", "or", "xor")],
    "masked_fill": lambda x, y, i, j: x.masked_fill(y > 1, float("-inf")),
    "maximum": lambda x, y, i, j: (torch.maximum(x, y), torch.minimum(x, y), torch.maximum(i, j)),
    "mul": lambda x, y, i, j: (x * y, x * 2, i * x),
    "neg": lambda x, y, i, j: (-x, -i),
    "not": lambda x, y, i, j: (~(x > 0), torch.logical_not(i), ~i),
    "or": lambda x, y, i, j: i | j,
    "pow": lambda x, y, i, j: (x**1, x**2, x**3, y**0.5, y**-0.5, y**-1, 2**x, y**x, i**2, i**3),
    "reciprocal": lambda x, y, i, j: y.reciprocal(),
    "remainder": lambda x, y, i, j: (x % y, i % 5, x % 0.7),
    "round": lambda x, y, i, j: (
        x.round(),
        (x * 2).round(),
        x.round(decimals=1),
        (x * 40).round(decimals=-1),
    ),
    "rsqrt": lambda x, y, i, j: y.rsqrt(),
    "rsub": lambda x, y, i, j: (1 - x, torch.rsub(x, y, alpha=2)),
    "sigmoid": lambda x, y, i, j: x.sigmoid(),
    "sign": lambda x, y, i, j: x.sign(),
    "sin": lambda x, y, i, j: (x.sin(), x.tan()),
    "sqrt": lambda x, y, i, j: (y.sqrt(), x.square()),
    "sub": lambda x, y, i, j: (x - y, x - 1, torch.sub(x, y, alpha=0.5)),
    "tanh": lambda x, y, i, j: x.tanh(),
    "trunc": lambda x, y, i, j: x.trunc(),
    "where": lambda x, y, i, j: (
        torch.where(x > 0, x, y),
        torch.where(x > 0, x, 0.5),
        torch.where(x > 0, x, i),
    ),
    "where_numbers": lambda x, y, i, j: torch.where(x > 0, 1, 70_000_001),
    "where_scalar_condition": lambda x, y, i, j: torch.where((x > 0).any(), 1.5, -2.5),
    "xor": lambda x, y, i, j: i ^ j,
    "in_place": lambda x, y, i, j: (x + 1).mul_(2).relu_(),
    "compare": lambda x, y, i, j: [
        (compare(i, j), compare(i, x), compare(i, 2), compare(i, 1.5), compare(x, 1))
        for compare in (torch.eq, torch.ne, torch.lt, torch.le, torch.gt, torch.ge)
    ],
}


def test_functions(check_each):
    check_each(FUNCTIONS, X, Y, I, J)


def test_operands_get_one_rank_and_one_type(check, text):
    graph = check(lambda x, y: x * y, torch.randn(2, 3), torch.arange(3))
    assert text(graph) == (
        'graph "test" version 1\n'
        "%tensors_0 = input(index=0) : f32[2,3]\n"
        "%tensors_1 = input(index=1) : i64[3]\n"
        "%mul.cast = cast(dtype='f32') %tensors_1 : f32[3]\n"
        "%mul.reshape = reshape(shape=(1, 3), batch=0) %mul.cast : f32[1,3]\n"
        "%mul = elementwise(fn='mul', scalars=(None, None)) %tensors_0 %mul.reshape : f32[2,3]\n"
        "return %mul\n"
    )


def test_a_tensor_without_dimensions_known_while_compiling_is_a_number(check):
    graph = check(lambda x: x + torch.tensor(2.5) * torch.arange(3).sum(), X)
    assert [node.op for node in graph.nodes[1:]] == [Elementwise("add", (None, 7.5))]


def test_not_a_number_stays_a_tensor(check):
    graph = check(lambda x: torch.where(x > 0, x, float("nan")), X)
    assert [node.op.kind for node in graph.nodes].count("constant") == 1


def test_element_types(check):
    types = [torch.float64, torch.float16, torch.bfloat16, torch.int32, torch.int16, torch.int8, torch.uint8]

    def function(*tensors):
        return [(x * 2 + x, x > 1, x.float() / 2, x.sum(), x.long()) for x in tensors]

    check(function, *(torch.arange(6).reshape(2, 3).to(dtype) for dtype in types), rtol=1e-2)


shapes = st.lists(st.sampled_from([1, 3]), max_size=3)


@settings(max_examples=3)
@given(pairs=st.lists(st.tuples(shapes, shapes), min_size=8, max_size=8))
def test_broadcasting(check, pairs):
    def function(*tensors):
        return [(x - y, x <= y) for x, y in zip(tensors[::2], tensors[1::2], strict=True)]

    check(function, *(torch.randn(shape) for pair in pairs for shape in pair))
