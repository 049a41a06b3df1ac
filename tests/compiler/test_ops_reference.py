"""Every op's reference computes what torch computes, and its inference tells the type."""

import numpy as np
import pytest
import torch

from tests.compiler.arrays import assert_close, draw, to_numpy, to_torch
from tests.compiler.cases import CASES, Torch, f32
from tests.compiler.op_cases import all_cases, make
from wsc.compiler.ir.types import DType, TensorType, type_of
from wsc.compiler.ops import Constant, Elementwise, Input, Parameter, Softmax, TopK, op_kinds
from wsc.compiler.ops.elementwise import FUNCTIONS

SOURCES = {op.kind for op in (Input, Parameter, Constant)}


def test_every_kind_has_a_case() -> None:
    assert {make(name, 0)[0].op.kind for name in CASES} == set(op_kinds()) - SOURCES


@pytest.mark.parametrize(("name", "seed"), all_cases())
def test_reference_agrees_with_torch(name: str, seed: int) -> None:
    case, rng = make(name, seed)
    operands = case.operands(rng)
    result = case.op.reference(operands)
    assert isinstance(result, np.ndarray)  # not one of numpy's scalars
    assert type_of(result) == case.op.infer(case.types)
    assert_close(result, to_numpy(case.expected(*map(to_torch, operands))))


@pytest.mark.parametrize(("name", "seed"), all_cases())
def test_lifted_is_the_op_over_a_stack(name: str, seed: int) -> None:
    case, rng = make(name, seed)
    items = [case.operands(rng) for _ in range(4)]
    whole = np.stack([case.op.reference(item) for item in items])
    stacks = [np.stack(operands) for operands in zip(*items, strict=True)]
    lifted = case.op.lifted()
    assert lifted.infer([type_of(stack) for stack in stacks]) == type_of(whole)
    assert_close(lifted.reference(stacks), whole)
    twice = lifted.lifted().reference([stack.reshape(2, 2, *stack.shape[1:]) for stack in stacks])
    assert_close(twice, whole.reshape(2, 2, *whole.shape[1:]))


UNARY: dict[str, Torch] = {
    "neg": torch.neg,
    "abs": torch.abs,
    "sign": torch.sign,
    "floor": torch.floor,
    "ceil": torch.ceil,
    "round": torch.round,
    "exp": torch.exp,
    "log": torch.log,
    "log1p": torch.log1p,
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "reciprocal": torch.reciprocal,
    "sin": torch.sin,
    "cos": torch.cos,
    "tanh": torch.tanh,
    "erf": torch.erf,
    "sigmoid": torch.sigmoid,
    "silu": torch.nn.functional.silu,
    "gelu": torch.nn.functional.gelu,
    "gelu_tanh": lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
    "softplus": torch.nn.functional.softplus,
    "relu": torch.relu,
    "copy": torch.clone,
}
BINARY: dict[str, Torch] = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "floordiv": torch.floor_divide,
    "mod": torch.remainder,
    "fmod": torch.fmod,
    "pow": torch.pow,
    "atan2": torch.atan2,
    "max": torch.maximum,
    "min": torch.minimum,
    "eq": torch.eq,
    "ne": torch.ne,
    "lt": torch.lt,
    "le": torch.le,
    "gt": torch.gt,
    "ge": torch.ge,
}
LOGICAL: dict[str, Torch] = {
    "and": torch.logical_and,
    "or": torch.logical_or,
    "xor": torch.logical_xor,
    "not": torch.logical_not,
}


def test_every_scalar_function_is_covered() -> None:
    assert {*UNARY, *BINARY, *LOGICAL, "select"} == set(FUNCTIONS)


@pytest.mark.parametrize("dtype", [DType.F32, DType.BF16, DType.F16, DType.F64])
@pytest.mark.parametrize("fn", UNARY)
def test_unary_functions_agree_with_torch(fn: str, dtype: DType) -> None:
    x = draw(TensorType(dtype, (5, 7)), np.random.default_rng(0))
    if fn in ("log", "log1p", "sqrt", "rsqrt"):
        x = np.abs(x)
    assert_close(Elementwise(fn).reference([x]), to_numpy(UNARY[fn](to_torch(x))))


@pytest.mark.parametrize("fn", BINARY)
def test_binary_functions_agree_with_torch(fn: str) -> None:
    rng = np.random.default_rng(0)
    x, y = draw(f32(5, 7), rng), draw(f32(5, 1), rng)
    if fn == "pow":
        x = np.abs(x)
    y = np.where(np.arange(5)[:, None] == 2, x[:, :1], y)  # some pairs are equal
    assert_close(
        Elementwise(fn, (None, None)).reference([x, y]), to_numpy(BINARY[fn](to_torch(x), to_torch(y)))
    )
    assert_close(
        Elementwise(fn, (None, 2)).reference([x]), to_numpy(BINARY[fn](to_torch(x), torch.tensor(2.0)))
    )


@pytest.mark.parametrize("fn", ["add", "sub", "mul", "floordiv", "mod", "max", "min", "eq", "lt"])
def test_integer_functions_agree_with_torch(fn: str) -> None:
    x, y = np.arange(-6, 6).reshape(3, 4), np.array([[1], [2], [-3]])
    assert_close(
        Elementwise(fn, (None, None)).reference([x, y]), to_numpy(BINARY[fn](to_torch(x), to_torch(y)))
    )


@pytest.mark.parametrize("fn", LOGICAL)
def test_logical_functions_agree_with_torch(fn: str) -> None:
    pairs = [np.array([False, False, True, True]), np.array([False, True, False, True])]
    operands = pairs[: FUNCTIONS[fn].arity]
    result = Elementwise(fn, (None,) * len(operands)).reference(operands)
    assert_close(result, to_numpy(LOGICAL[fn](*map(to_torch, operands))))


def test_topk_orders_integers_that_no_float_tells_apart() -> None:
    x = np.array([2**62, 2**62 + 1, -(2**63), 2**62 + 1])
    assert TopK(4, 0, part="indices").reference([x]).tolist() == [1, 3, 0, 2]
    assert TopK(2, 0, largest=False).reference([x]).tolist() == [-(2**63), 2**62]
    assert TopK(1, 0).reference([np.array([False, True])]).tolist() == [True]


def test_topk_takes_every_float_type() -> None:
    for dtype in (DType.F16, DType.BF16, DType.F64):
        x = np.array([0.5, -2.0, 3.0]).astype(dtype.numpy)
        assert TopK(2, 0).reference([x]).astype(float).tolist() == [3.0, 0.5]
        assert TopK(1, 0, largest=False).reference([x]).astype(float).tolist() == [-2.0]


def test_a_softmax_of_nothing_is_no_number_and_silent() -> None:
    rows = np.array([[-np.inf, -np.inf], [0, 0]], np.float32)
    assert_close(Softmax(1).reference([rows]), np.array([[np.nan, np.nan], [0.5, 0.5]], np.float32))


def test_extreme_arguments_stay_finite_and_silent() -> None:
    x = np.array([-1e4, -100.0, 100.0, 1e4], np.float32)
    for fn in ("sigmoid", "silu", "gelu", "gelu_tanh", "softplus", "tanh"):
        assert np.isfinite(Elementwise(fn).reference([x])).all(), fn
