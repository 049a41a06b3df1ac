"""A tensor with some of its slices replaced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

import numpy as np

from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops.base import Array, Axis, AxisKind, Op, Tiling, wide


@dataclass(frozen=True)
class Update(Op):
    """`base` with its slices at integer `index[n]` along `dim` replaced by those of `value` (torch's index_copy).

    With `batch` shared leading dimensions, `index` is [batch..., n]. Repeated indices are not allowed, unless `add`:
    then the slices of `value` are added to those of `base` (torch's index_add).
    """

    kind: ClassVar[str] = "update"
    dim: int
    batch: int = 0
    add: bool = False

    def infer(self, operands: Sequence[TensorType]) -> TensorType:
        base, index, value = operands
        if (
            not self.batch <= self.dim < base.rank
            or index.rank != self.batch + 1
            or not index.dtype.is_integer
        ):
            raise ValueError(f"cannot update {base} along {self.dim} at {index}")
        expected = (*base.shape[: self.dim], index.shape[-1], *base.shape[self.dim + 1 :])
        if (
            index.shape[:-1] != base.shape[: self.batch]
            or value.shape != expected
            or value.dtype != base.dtype
        ):
            raise ValueError(f"cannot update {base} along {self.dim} at {index} with {value}")
        return base

    def reference(self, operands: Sequence[Array]) -> Array:
        base, index, value = operands
        result = wide(base).copy() if self.add else base.copy()
        axis = self.dim - self.batch
        count = prod(base.shape[: self.batch])  # extents may be 0, so that -1 would not tell
        targets = result.reshape(count, *base.shape[self.batch :])
        values = value.reshape(count, *value.shape[self.batch :])
        for target, row, source in zip(targets, index.reshape(count, index.shape[-1]), values, strict=True):
            if self.add:
                np.add.at(np.moveaxis(target, axis, 0), row, np.moveaxis(source, axis, 0))
            else:
                target[(slice(None),) * axis + (row,)] = source
        return targets.reshape(base.shape).astype(base.dtype, copy=False)

    def tiling(self, operands: Sequence[TensorType], result: TensorType) -> Tiling:
        n = len(result.shape)
        axes = tuple(
            Axis(f"d{d}", e, AxisKind.WHOLE if d == self.dim else AxisKind.PARALLEL)
            for d, e in enumerate(result.shape)
        )
        row = tuple(range(n))
        value = tuple(None if d == self.dim else d for d in row)
        return Tiling(axes, (row, (*range(self.batch), None), value), row)

    def lifted(self) -> Update:
        return replace(self, dim=self.dim + 1, batch=self.batch + 1)

    def arithmetic(self, operands: Sequence[TensorType], result: TensorType) -> tuple[int, int]:
        return 0, operands[2].elements
