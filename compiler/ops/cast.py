"""Change of element type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.ops.base import Array, Op, Tiling, pointwise_tiling


@dataclass(frozen=True)
class Cast(Op):
    """Every element as another type; `dtype` is the type's text name."""

    kind: ClassVar[str] = "cast"
    dtype: str

    def infer(self, operands: Sequence[TensorType]) -> TensorType:
        (operand,) = operands
        return TensorType(DType(self.dtype), operand.shape)

    def reference(self, operands: Sequence[Array]) -> Array:
        return operands[0].astype(DType(self.dtype).numpy)

    def tiling(self, operands: Sequence[TensorType], result: TensorType) -> Tiling:
        return pointwise_tiling(operands, result)

    def lifted(self) -> Cast:
        return self

    def arithmetic(self, operands: Sequence[TensorType], result: TensorType) -> tuple[int, int]:
        return 0, result.elements
