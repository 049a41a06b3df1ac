"""Normalisation over trailing or grouped dimensions; scale and shift are separate elementwise nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops.base import Array, Axis, AxisKind, Op, Tiling, are_dims, wide


@dataclass(frozen=True)
class Norm(Op):
    """`(x - mean) / sqrt(var + eps)` (`form="layer"`) or `x / sqrt(mean(x*x) + eps)` (`form="rms"`) over `dims`."""

    kind: ClassVar[str] = "norm"
    form: str
    dims: tuple[int, ...]
    eps: float

    def infer(self, operands: Sequence[TensorType]) -> TensorType:
        (operand,) = operands
        if self.form not in ("layer", "rms") or not are_dims(self.dims, operand):
            raise ValueError(f"no norm '{self.form}' over dimensions {self.dims} of {operand}")
        return operand

    def reference(self, operands: Sequence[Array]) -> Array:
        x = wide(operands[0])
        if self.form == "layer":
            x = x - x.mean(axis=self.dims, keepdims=True)
        mean_square = np.mean(x * x, axis=self.dims, keepdims=True)
        return np.asarray(x / np.sqrt(mean_square + self.eps)).astype(operands[0].dtype, copy=False)

    def tiling(self, operands: Sequence[TensorType], result: TensorType) -> Tiling:
        axes = tuple(
            Axis(f"d{d}", n, AxisKind.SUM if d in self.dims else AxisKind.PARALLEL)
            for d, n in enumerate(result.shape)
        )
        row = tuple(range(result.rank))
        return Tiling(axes, (row,), row)

    def lifted(self) -> Norm:
        return replace(self, dims=tuple(d + 1 for d in self.dims))

    def arithmetic(self, operands: Sequence[TensorType], result: TensorType) -> tuple[int, int]:
        return 0, result.elements * (5 if self.form == "layer" else 3)
