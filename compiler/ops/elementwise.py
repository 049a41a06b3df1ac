"""One scalar function over every element."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import erf

from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.ops.base import Array, Op, Tiling, pointwise_tiling, wide


@dataclass(frozen=True)
class Scalar:
    """A scalar function: its numpy form, how many arguments, and how many primitive operations it costs.

    A primitive operation is an add, multiply, compare or select. Transcendental functions count the operations of a
    range reduction and a polynomial to single precision (Muller, Elementary Functions, 3rd ed., ch. 11).
    """

    apply: Callable[..., Array]
    arity: int
    ops: int = 1
    to_bool: bool = False


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def _gelu_tanh(x: Array) -> Array:
    return np.asarray(0.5 * x * (1 + np.tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))))


FUNCTIONS: dict[str, Scalar] = {
    "add": Scalar(np.add, 2),
    "sub": Scalar(np.subtract, 2),
    "mul": Scalar(np.multiply, 2),
    "div": Scalar(np.divide, 2, ops=4),
    "floordiv": Scalar(np.floor_divide, 2, ops=5),
    "mod": Scalar(np.mod, 2, ops=6),
    "fmod": Scalar(np.fmod, 2, ops=6),
    "pow": Scalar(np.power, 2, ops=20),
    "max": Scalar(np.maximum, 2),
    "min": Scalar(np.minimum, 2),
    "neg": Scalar(np.negative, 1),
    "abs": Scalar(np.abs, 1),
    "sign": Scalar(np.sign, 1, ops=2),
    "floor": Scalar(np.floor, 1),
    "ceil": Scalar(np.ceil, 1),
    "round": Scalar(np.round, 1),
    "exp": Scalar(np.exp, 1, ops=8),
    "log": Scalar(np.log, 1, ops=8),
    "log1p": Scalar(np.log1p, 1, ops=9),
    "sqrt": Scalar(np.sqrt, 1, ops=4),
    "rsqrt": Scalar(lambda x: np.asarray(1 / np.sqrt(x)), 1, ops=4),
    "reciprocal": Scalar(lambda x: np.asarray(1 / x), 1, ops=3),
    "sin": Scalar(np.sin, 1, ops=8),
    "cos": Scalar(np.cos, 1, ops=8),
    "atan2": Scalar(np.arctan2, 2, ops=14),
    "tanh": Scalar(np.tanh, 1, ops=11),
    "erf": Scalar(erf, 1, ops=12),
    "sigmoid": Scalar(_sigmoid, 1, ops=12),
    "silu": Scalar(lambda x: np.asarray(x * _sigmoid(x)), 1, ops=13),
    "gelu": Scalar(lambda x: np.asarray(0.5 * x * (1 + erf(x * 0.7071067811865476))), 1, ops=16),
    "gelu_tanh": Scalar(_gelu_tanh, 1, ops=17),
    "softplus": Scalar(lambda x: np.logaddexp(x, 0), 1, ops=17),
    "relu": Scalar(lambda x: np.maximum(x, 0), 1),
    "copy": Scalar(np.positive, 1),
    "eq": Scalar(np.equal, 2, to_bool=True),
    "ne": Scalar(np.not_equal, 2, to_bool=True),
    "lt": Scalar(np.less, 2, to_bool=True),
    "le": Scalar(np.less_equal, 2, to_bool=True),
    "gt": Scalar(np.greater, 2, to_bool=True),
    "ge": Scalar(np.greater_equal, 2, to_bool=True),
    "and": Scalar(np.bitwise_and, 2),
    "or": Scalar(np.bitwise_or, 2),
    "xor": Scalar(np.bitwise_xor, 2),
    "not": Scalar(np.bitwise_not, 1),
    "select": Scalar(np.where, 3),
}

_BITWISE = frozenset({"and", "or", "xor", "not"})


@dataclass(frozen=True)
class Elementwise(Op):
    """`fn` over its arguments; a None in `scalars` stands for the next tensor operand, a number for itself.

    Tensor operands have one rank and extents equal or 1, and one element type (but for the condition of `select`).
    """

    kind: ClassVar[str] = "elementwise"
    fn: str
    scalars: tuple[float | int | bool | None, ...] = (None,)

    def infer(self, operands: Sequence[TensorType]) -> TensorType:
        function = FUNCTIONS.get(self.fn)
        if function is None or len(self.scalars) != function.arity:
            raise ValueError(f"no scalar function '{self.fn}' of {len(self.scalars)} arguments")
        if not operands:
            raise ValueError(f"{self.fn} takes one tensor at least")
        if len(operands) != self.scalars.count(None):
            raise ValueError(f"{self.fn} takes {self.scalars.count(None)} tensors, not {len(operands)}")
        values = operands[1:] if self._has_condition else operands
        if self._has_condition and operands[0].dtype is not DType.BOOL:
            raise ValueError(f"the condition of select is {operands[0]}, no truth values")
        if self.fn in _BITWISE and operands[0].dtype.is_float:
            raise ValueError(f"{self.fn} takes integers or truth values, not {operands[0]}")
        if len({t.dtype for t in values}) > 1 or len({t.rank for t in operands}) > 1:
            raise ValueError(f"{self.fn} over {', '.join(map(str, operands))}: ranks or element types differ")
        return TensorType(self._dtype(operands), _broadcast([t.shape for t in operands]))

    @property
    def _has_condition(self) -> bool:
        return self.fn == "select" and self.scalars[0] is None

    def _dtype(self, operands: Sequence[TensorType]) -> DType:
        if FUNCTIONS[self.fn].to_bool:
            return DType.BOOL
        if self._has_condition and len(operands) == 1:
            return DType.F32
        return operands[-1].dtype

    def reference(self, operands: Sequence[Array]) -> Array:
        tensors = iter(operands)
        arguments = [next(tensors) if s is None else s for s in self.scalars]
        arguments = [wide(a) if isinstance(a, np.ndarray) else a for a in arguments]
        dtype = np.dtype(np.bool_) if FUNCTIONS[self.fn].to_bool else operands[-1].dtype
        if self._has_condition and len(operands) == 1:
            dtype = np.dtype(np.float32)
        with np.errstate(all="ignore"):
            return np.asarray(FUNCTIONS[self.fn].apply(*arguments)).astype(dtype, copy=False)

    def tiling(self, operands: Sequence[TensorType], result: TensorType) -> Tiling:
        return pointwise_tiling(operands, result)

    def lifted(self) -> Elementwise:
        return self

    def arithmetic(self, operands: Sequence[TensorType], result: TensorType) -> tuple[int, int]:
        return 0, FUNCTIONS[self.fn].ops * result.elements


def _broadcast(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    result = []
    for extents in zip(*shapes, strict=True):
        longest = max(extents) if 0 not in extents else 0
        if any(e not in (1, longest) for e in extents):
            raise ValueError(f"shapes {', '.join(map(str, shapes))} do not broadcast")
        result.append(longest)
    return tuple(result)
