"""Running sums and maxima along one dimension."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops.base import Array, Op, Tiling, pointwise_tiling, wide

_SCANS: dict[str, Callable[..., Array]] = {
    "sum": np.cumsum,
    "prod": np.cumprod,
    "max": np.maximum.accumulate,
}


@dataclass(frozen=True)
class Scan(Op):
    """Inclusive scan by `fn` along `dim`."""

    kind: ClassVar[str] = "scan"
    fn: str
    dim: int

    def infer(self, operands: Sequence[TensorType]) -> TensorType:
        (operand,) = operands
        if self.fn not in _SCANS or not 0 <= self.dim < operand.rank:
            raise ValueError(f"no scan '{self.fn}' along dimension {self.dim} of {operand}")
        return operand

    def reference(self, operands: Sequence[Array]) -> Array:
        return _SCANS[self.fn](wide(operands[0]), axis=self.dim).astype(operands[0].dtype, copy=False)

    def tiling(self, operands: Sequence[TensorType], result: TensorType) -> Tiling:
        return pointwise_tiling(operands, result, frozenset({self.dim}))

    def lifted(self) -> Scan:
        return replace(self, dim=self.dim + 1)

    def arithmetic(self, operands: Sequence[TensorType], result: TensorType) -> tuple[int, int]:
        return 0, result.elements
