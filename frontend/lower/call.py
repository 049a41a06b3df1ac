"""One call of an ATen operation, and the steps that most lowerings are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

import torch

from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.ops import Cast, Elementwise, Expand, Op, Permute, Reshape, Slice
from wsc.frontend.lower.value import Operand, Origin, Value, constant
from wsc.frontend.tensors import dtype_of, torch_dtype


@dataclass(frozen=True)
class Call:
    """What the operation must result in according to torch, and how to add nodes for it.

    `samples` are its arguments with a tensor without data in place of each value.
    """

    origin: Origin
    results: tuple[TensorType, ...]
    samples: tuple[object, ...]

    @property
    def result(self) -> TensorType:
        """The type of the first result."""
        return self.results[0]

    @property
    def promoted(self) -> DType:
        """The element type in which torch computes with the first two arguments."""
        return dtype_of(torch.result_type(self.samples[0], self.samples[1]))  # type: ignore[call-overload]

    @property
    def takes_complex(self) -> tuple[int, ...]:
        """Which of the arguments are complex."""
        return tuple(i for i, s in enumerate(self.samples) if isinstance(s, torch.Tensor) and s.is_complex())

    def add(self, op: Op, *operands: Value) -> Value:
        """The value of an op; raises ValueError where the operands do not fit it."""
        return Value(op, operands, op.infer([value.type for value in operands]), self.origin)

    def constant(self, tensor: torch.Tensor) -> Value:
        """A value known at compile time."""
        return constant(tensor, self.origin)

    def tensor(self, operand: Operand, dtype: DType | None = None) -> Value:
        """The operand as a value; a number becomes a constant of the given type, or else of the result's."""
        if isinstance(operand, Value):
            return operand
        return self.constant(torch.tensor(operand, dtype=torch_dtype(dtype or self.result.dtype)))

    def cast(self, x: Value, dtype: DType) -> Value:
        """`x` with another element type."""
        if x.type.dtype == dtype:
            return x
        if x.known is not None:
            return self.constant(x.known.to(torch_dtype(dtype)))
        return self.add(Cast(dtype.value), x)

    def reshape(self, x: Value, shape: Sequence[int]) -> Value:
        """The elements of `x` in row-major order under another shape."""
        if x.shape == tuple(shape):
            return x
        if x.known is not None:
            return self.constant(x.known.reshape(tuple(shape)))
        return self.add(Reshape(tuple(shape)), x)

    def permute(self, x: Value, order: Sequence[int]) -> Value:
        """`x` with dimension `order[d]` in place d."""
        if tuple(order) == tuple(range(x.rank)):
            return x
        return self.add(Permute(tuple(order)), x)

    def expand(self, x: Value, shape: Sequence[int]) -> Value:
        """`x` broadcast to a shape; leading dimensions are added as needed."""
        aligned = self.aligned(x, len(shape))
        return aligned if aligned.shape == tuple(shape) else self.add(Expand(tuple(shape)), aligned)

    def aligned(self, x: Value, rank: int) -> Value:
        """`x` with leading dimensions of extent 1 up to a rank."""
        return self.reshape(x, (1,) * (rank - x.rank) + x.shape)

    def slice(self, x: Value, dim: int, start: int, stop: int, step: int = 1) -> Value:
        """Elements start, start + step, ... below stop along a dimension."""
        if (start, stop, step) == (0, x.shape[dim], 1):
            return x
        return self.add(Slice(dim, start, stop, step), x)

    def map(self, fn: str, *operands: Operand, dtype: DType | None = None) -> Value:
        """A scalar function in the arithmetic of `dtype`, or else of the result; operands are cast and broadcast."""
        dtype = dtype or self.result.dtype
        numbers = [_number(operand) for operand in operands]
        if None not in numbers:
            numbers[0] = None
        values = [
            self.tensor(operand, dtype)
            for operand, number in zip(operands, numbers, strict=True)
            if number is None
        ]
        # The condition of a select stays boolean.
        conditions = 1 if fn == "select" and numbers[0] is None else 0
        values[conditions:] = [self.cast(value, dtype) for value in values[conditions:]]
        rank = max(value.rank for value in values)
        aligned = [self.aligned(value, rank) for value in values]
        return self.add(Elementwise(fn, tuple(numbers)), *aligned)


def _number(operand: Operand) -> float | int | bool | None:
    """The operand as a number the text form can write, or None."""
    number = operand.number if isinstance(operand, Value) else operand
    return None if number is None or isnan(number) else number


def dim_of(dim: int, rank: int) -> int:
    """A dimension counted from the front; torch also counts from the back."""
    return dim % rank if rank else 0


def dims_of(dims: int | Sequence[int] | None, rank: int) -> tuple[int, ...]:
    """Dimensions counted from the front, sorted; none given means all of them."""
    if rank == 0:
        return ()
    if isinstance(dims, int):
        dims = [dims]
    return tuple(sorted(dim_of(dim, rank) for dim in dims)) if dims else tuple(range(rank))
