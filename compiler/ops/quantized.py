"""Integers in place of floating point: rounding to a grid, and contraction of integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.ops.base import Array, Op, Tiling, pointwise_tiling
from wsc.compiler.ops.contract import Contract

_EXACT = 2**53  # whole numbers below it are exact in 64-bit floating point
_CARRIERS = {8: DType.I8, 16: DType.I16}
_TYPES = {"int8": DType.I8, "int16": DType.I16, "uint8": DType.U8}


@dataclass(frozen=True)
class Quantize(Op):
    """Floats on a symmetric grid of step `scale`: round half to even of x / scale, held within +-(2^(bits-1) - 1).

    The result is i8 for up to 8 bits, i16 for up to 16. What is not a number becomes 0.
    """

    kind: ClassVar[str] = "quantize"
    scale: float
    bits: int

    @property
    def carrier(self) -> DType:
        """The element type that holds the integers."""
        return _CARRIERS[8 if self.bits <= 8 else 16]

    def infer(self, operands: Sequence[TensorType]) -> TensorType:
        (operand,) = operands
        if not 2 <= self.bits <= 16 or not self.scale > 0 or not operand.dtype.is_float:
            raise ValueError(f"cannot quantize {operand} to {self.bits} bits in steps of {self.scale}")
        return TensorType(self.carrier, operand.shape)

    def reference(self, operands: Sequence[Array]) -> Array:
        return on_grid(operands[0], np.float32(self.scale), self.bits)

    def tiling(self, operands: Sequence[TensorType], result: TensorType) -> Tiling:
        return pointwise_tiling(operands, result)

    def lifted(self) -> Quantize:
        return self

    def arithmetic(self, operands: Sequence[TensorType], result: TensorType) -> tuple[int, int]:
        return 0, 2 * result.elements  # a multiplication, and a rounding that saturates


def on_grid(values: Array, scale: Array | np.float32, bits: int) -> Array:
    """Values rounded to whole multiples of `scale` (one, or one along some dimensions), as integers of `bits` bits."""
    top = 2 ** (bits - 1) - 1
    steps = np.rint(values.astype(np.float32) / scale)
    carrier = _CARRIERS[8 if bits <= 8 else 16].numpy
    return np.asarray(np.nan_to_num(np.clip(steps, -top, top), nan=0.0).astype(carrier))


@dataclass(frozen=True)
class IntegerContract(Contract):
    """A contraction of integers whose result is wide enough to be exact: i32 for 8-bit operands, i64 for i16.

    The left operand, which is driven, may be without sign (u8).
    """

    kind: ClassVar[str] = "contract_int"

    def infer(self, operands: Sequence[TensorType]) -> TensorType:
        if len(operands) != 2 or not all(t.dtype in (DType.I8, DType.I16, DType.U8) for t in operands):
            raise ValueError("contract_int takes two tensors of i8 or i16; the left may be u8")
        if operands[1].dtype is DType.U8:
            raise ValueError("the right operand of contract_int has a sign")
        extents = self.extents(operands)
        wide = any(t.dtype is DType.I16 for t in operands)
        return TensorType(DType.I64 if wide else DType.I32, tuple(extents[c] for c in self.letters[2]))

    def reference(self, operands: Sequence[Array]) -> Array:
        types = [TensorType(_TYPES[a.dtype.name], a.shape) for a in operands]
        extents, result = self.extents(types), self.infer(types)
        terms = prod(n for c, n in extents.items() if c not in self.letters[2])
        largest = terms * prod(2 ** (8 * a.dtype.itemsize - (a.dtype.kind == "i")) for a in operands)
        if largest >= _EXACT:
            raise ValueError(f"a sum of {terms:,} products of {types[0].dtype.value} is not exact in 53 bits")
        floats = [a.astype(np.float32 if largest < 2**24 else np.float64) for a in operands]
        return super().reference(floats).astype(result.dtype.numpy)

    def lifted(self) -> IntegerContract:
        lifted = super().lifted()
        return IntegerContract(lifted.equation, lifted.windows)
