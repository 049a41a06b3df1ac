"""Rows of a table by index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops.base import Array, Axis, AxisKind, Op, Tiling


@dataclass(frozen=True)
class Gather(Op):
    """`table` with dimension `dim` replaced by the dimensions of an integer `index` (numpy's take).

    The first `batch` dimensions are shared by table, index and result.
    """

    kind: ClassVar[str] = "gather"
    dim: int = 0
    batch: int = 0

    def infer(self, operands: Sequence[TensorType]) -> TensorType:
        table, index = operands
        fits = self.batch <= self.dim < table.rank and index.shape[: self.batch] == table.shape[: self.batch]
        if not fits or not index.dtype.is_integer:
            raise ValueError(f"cannot take {index} along dimension {self.dim} of {table}")
        inner = index.shape[self.batch :]
        return TensorType(table.dtype, table.shape[: self.dim] + inner + table.shape[self.dim + 1 :])

    def reference(self, operands: Sequence[Array]) -> Array:
        table, index = operands
        if self.batch == 0:
            return np.asarray(np.take(table, index, axis=self.dim))
        lead = table.shape[: self.batch]
        tables = table.reshape(-1, *table.shape[self.batch :])
        indices = index.reshape(-1, *index.shape[self.batch :])
        rows = [np.take(t, i, axis=self.dim - self.batch) for t, i in zip(tables, indices, strict=True)]
        return np.stack(rows).reshape(*lead, *rows[0].shape)

    def tiling(self, operands: Sequence[TensorType], result: TensorType) -> Tiling:
        table, index = operands
        inner = index.rank - self.batch
        axes = tuple(Axis(f"d{d}", n) for d, n in enumerate(result.shape))
        axes += (Axis("rows", table.shape[self.dim], AxisKind.SUM),)
        before = tuple(range(self.dim))
        after = tuple(range(self.dim + inner, result.rank))
        indexed = tuple(range(self.batch)) + tuple(range(self.dim, self.dim + inner))
        return Tiling(axes, ((*before, result.rank, *after), indexed), tuple(range(result.rank)))

    def lifted(self) -> Gather:
        return replace(self, dim=self.dim + 1, batch=self.batch + 1)

    def arithmetic(self, operands: Sequence[TensorType], result: TensorType) -> tuple[int, int]:
        return 0, result.elements
