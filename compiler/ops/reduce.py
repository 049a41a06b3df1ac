"""Reduction over whole dimensions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops.base import Array, Axis, AxisKind, Op, Tiling, are_dims, wide

REDUCTIONS: dict[str, Callable[..., Array]] = {
    "sum": np.sum,
    "mean": np.mean,
    "max": np.max,
    "min": np.min,
    "prod": np.prod,
    "any": np.any,
    "all": np.all,
}


@dataclass(frozen=True)
class Reduce(Op):
    """`fn` over `dims`, which stay with extent 1 if `keep`."""

    kind: ClassVar[str] = "reduce"
    fn: str
    dims: tuple[int, ...]
    keep: bool = False

    def infer(self, operands: Sequence[TensorType]) -> TensorType:
        (operand,) = operands
        if self.fn not in REDUCTIONS or not are_dims(self.dims, operand):
            raise ValueError(f"no reduction '{self.fn}' over dimensions {self.dims} of {operand}")
        kept = (
            1 if d in self.dims else n for d, n in enumerate(operand.shape) if self.keep or d not in self.dims
        )
        return TensorType(operand.dtype, tuple(kept))

    def reference(self, operands: Sequence[Array]) -> Array:
        value = REDUCTIONS[self.fn](wide(operands[0]), axis=self.dims, keepdims=self.keep)
        return np.asarray(value).astype(operands[0].dtype, copy=False)

    def tiling(self, operands: Sequence[TensorType], result: TensorType) -> Tiling:
        (operand,) = operands
        sums = AxisKind.SUM if self.fn in ("sum", "mean", "max", "min") else AxisKind.WHOLE
        axes = tuple(
            Axis(f"d{d}", n, sums if d in self.dims else AxisKind.PARALLEL)
            for d, n in enumerate(operand.shape)
        )
        kept = tuple(
            None if d in self.dims else d for d in range(operand.rank) if self.keep or d not in self.dims
        )
        return Tiling(axes, (tuple(range(operand.rank)),), kept)

    def lifted(self) -> Reduce:
        return replace(self, dims=tuple(d + 1 for d in self.dims))

    def arithmetic(self, operands: Sequence[TensorType], result: TensorType) -> tuple[int, int]:
        return 0, operands[0].elements
