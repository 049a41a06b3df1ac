"""A product whose matrix each row chooses: the experts of a mixture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops.base import Array, Axis, AxisKind, Op, Tiling, Work, wide


@dataclass(frozen=True)
class Grouped(Op):
    """`result[s] = x[s] @ w[group[s]]` over x[b..., s, k], w[b..., g, k, n] and an integer group[b..., s].

    A row whose group is not one of the g has the result zero. `load` is the share of rows that each group is expected
    to get, equal shares where it is empty: it decides no result, only what the op is expected to read.
    `batch` leading dimensions are shared by all.
    """

    kind: ClassVar[str] = "grouped"
    load: tuple[float, ...] = ()
    batch: int = 0

    def infer(self, operands: Sequence[TensorType]) -> TensorType:
        x, w, group = operands
        lead = x.shape[: self.batch]
        fits = x.rank == self.batch + 2 and w.rank == self.batch + 3 and group.rank == self.batch + 1
        if not fits or not lead == w.shape[: self.batch] == group.shape[: self.batch]:
            raise ValueError(f"x {x}, w {w} and group {group} have no {self.batch} dimensions in common")
        if x.shape[-1] != w.shape[-2] or x.shape[-2] != group.shape[-1] or x.dtype != w.dtype:
            raise ValueError(f"x {x}, w {w} and group {group} do not fit each other")
        if not group.dtype.is_integer or (self.load and len(self.load) != w.shape[self.batch]):
            raise ValueError(f"group {group} and {len(self.load)} loads do not name the matrices of {w}")
        if any(share < 0 for share in self.load) or (self.load and not sum(self.load)):
            raise ValueError("loads are shares of the rows, and not negative")
        return TensorType(x.dtype, (*x.shape[:-1], w.shape[-1]))

    def reference(self, operands: Sequence[Array]) -> Array:
        x, w, group = operands
        result = np.zeros((*x.shape[:-1], w.shape[-1]), wide(x).dtype)
        for place in np.ndindex(*x.shape[: self.batch]):
            for number, matrix in enumerate(w[place]):
                rows = group[place] == number
                result[place][rows] = wide(x[place][rows]) @ wide(matrix)
        return result.astype(x.dtype, copy=False)

    def tiling(self, operands: Sequence[TensorType], result: TensorType) -> Tiling:
        x, w, _ = operands
        lead = tuple(range(self.batch))
        axes = tuple(Axis(f"b{i}", x.shape[i]) for i in lead) + (
            Axis("s", x.shape[-2]),
            Axis("n", w.shape[-1]),
            Axis("k", x.shape[-1], AxisKind.SUM),
        )
        s, n, k = range(self.batch, self.batch + 3)
        return Tiling(axes, ((*lead, s, k), (*lead, None, k, n), (*lead, s)), (*lead, s, n))

    def lifted(self) -> Grouped:
        return Grouped(self.load, self.batch + 1)

    def arithmetic(self, operands: Sequence[TensorType], result: TensorType) -> tuple[int, int]:
        return result.elements * operands[0].shape[-1], 0

    def work(self, operands: Sequence[TensorType], result: TensorType) -> Work:
        """As for every op, but of the matrices only those are read that some row is expected to choose."""
        x, w, group = operands
        macs, vector_ops = self.arithmetic(operands, result)
        chosen = self.expected_groups(x.shape[-2], w.shape[self.batch])
        batches, (k, n) = prod(w.shape[: self.batch]), w.shape[-2:]
        matrices = batches * round(k * n * w.dtype.bytes * chosen)
        return Work(macs, vector_ops, x.bytes + matrices + group.bytes, result.bytes)

    def expected_groups(self, rows: int, groups: int) -> float:
        """How many of the groups get a row at least, if each row chooses alone and by the shares of the load."""
        return sum(1 - (1 - share) ** rows for share in self._shares(groups))

    def expected_rows(self, operands: Sequence[TensorType]) -> tuple[float, ...]:
        """Rows of one batch that each group is expected to get."""
        x, w, _ = operands
        return tuple(x.shape[-2] * share for share in self._shares(w.shape[self.batch]))

    def _shares(self, groups: int) -> tuple[float, ...]:
        total = sum(self.load)
        return tuple(share / total for share in self.load) if total else (1 / groups,) * groups
