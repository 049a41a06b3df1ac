"""The k largest or smallest along one dimension."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.ops.base import Array, Op, Tiling, pointwise_tiling, wide


@dataclass(frozen=True)
class TopK(Op):
    """The `k` largest (or smallest) along `dim` in order, ties by position; their values or their int64 indices."""

    kind: ClassVar[str] = "topk"
    k: int
    dim: int
    largest: bool = True
    part: str = "values"

    def infer(self, operands: Sequence[TensorType]) -> TensorType:
        (operand,) = operands
        fits = 0 <= self.dim < operand.rank and 0 < self.k <= operand.shape[self.dim]
        if not fits or self.part not in ("values", "indices"):
            raise ValueError(f"no top {self.k} {self.part} along dimension {self.dim} of {operand}")
        shape = tuple(self.k if d == self.dim else n for d, n in enumerate(operand.shape))
        return TensorType(operand.dtype if self.part == "values" else DType.I64, shape)

    def reference(self, operands: Sequence[Array]) -> Array:
        (x,) = operands
        key = _descending(x) if self.largest else x
        order = np.argsort(key, axis=self.dim, kind="stable").take(range(self.k), axis=self.dim)
        return order if self.part == "indices" else np.take_along_axis(x, order, axis=self.dim)

    def tiling(self, operands: Sequence[TensorType], result: TensorType) -> Tiling:
        return pointwise_tiling(operands, result, frozenset({self.dim}))

    def lifted(self) -> TopK:
        return replace(self, dim=self.dim + 1)

    def arithmetic(self, operands: Sequence[TensorType], result: TensorType) -> tuple[int, int]:
        return 0, operands[0].elements * self.k


def _descending(x: Array) -> Array:
    """Keys whose ascending order is the descending order of x; an integer's complement cannot overflow."""
    return ~x if x.dtype.kind in "iub" else -wide(x)
