"""Softmax along one dimension."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops.base import Array, Axis, AxisKind, Op, Tiling, wide

EXP_OPS = 8  # see elementwise.Scalar


@dataclass(frozen=True)
class Softmax(Op):
    """`exp(x - max) / sum(exp(x - max))` along `dim`; the logarithm of it if `log`."""

    kind: ClassVar[str] = "softmax"
    dim: int
    log: bool = False

    def infer(self, operands: Sequence[TensorType]) -> TensorType:
        (operand,) = operands
        if not 0 <= self.dim < operand.rank:
            raise ValueError(f"no dimension {self.dim} in {operand}")
        return operand

    def reference(self, operands: Sequence[Array]) -> Array:
        x = wide(operands[0])
        with np.errstate(invalid="ignore"):  # a row of minus infinities has no softmax
            shifted = x - x.max(axis=self.dim, keepdims=True)
        powers = np.exp(shifted)
        total = powers.sum(axis=self.dim, keepdims=True)
        value = shifted - np.log(total) if self.log else powers / total
        return np.asarray(value).astype(operands[0].dtype, copy=False)

    def tiling(self, operands: Sequence[TensorType], result: TensorType) -> Tiling:
        axes = tuple(
            Axis(f"d{d}", n, AxisKind.SUM if d == self.dim else AxisKind.PARALLEL)
            for d, n in enumerate(result.shape)
        )
        row = tuple(range(result.rank))
        return Tiling(axes, (row,), row)

    def lifted(self) -> Softmax:
        return Softmax(self.dim + 1, self.log)

    def arithmetic(self, operands: Sequence[TensorType], result: TensorType) -> tuple[int, int]:
        return 0, result.elements * (EXP_OPS + 4)
