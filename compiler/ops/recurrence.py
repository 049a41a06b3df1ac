"""Linear recurrence along one dimension: what a state-space model does to its state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops.base import Array, Op, Tiling, pointwise_tiling, wide


@dataclass(frozen=True)
class Recurrence(Op):
    """`y[t] = a[t] * y[t - 1] + b[t]` along `dim`, from y[-1] = 0 or an initial state of extent 1 along `dim`.

    a and b have one shape, but for extents of 1 in a, which repeat (never along `dim`). With
    a = exp(delta * A) and b = delta * B * x it is the selective scan of Mamba (Gu and Dao, 2023, section 3.3).
    """

    kind: ClassVar[str] = "recurrence"
    dim: int

    def infer(self, operands: Sequence[TensorType]) -> TensorType:
        a, b, *initial = operands
        if not 0 <= self.dim < b.rank or len(initial) > 1 or any(t.rank != b.rank for t in operands):
            raise ValueError(f"no recurrence along dimension {self.dim} of {b}")
        if not b.dtype.is_float or len({t.dtype for t in operands}) > 1:
            raise ValueError(f"a recurrence over {', '.join(map(str, operands))}: element types differ")
        if any(
            n != m and (n != 1 or d == self.dim)
            for d, (n, m) in enumerate(zip(a.shape, b.shape, strict=True))
        ):
            raise ValueError(f"the factors {a} do not broadcast to {b}")
        state = tuple(1 if d == self.dim else n for d, n in enumerate(b.shape))
        if initial and initial[0].shape != state:
            raise ValueError(f"the initial state of {b} along dimension {self.dim} is not {initial[0]}")
        return b

    def reference(self, operands: Sequence[Array]) -> Array:
        a, b, *initial = (np.moveaxis(wide(x), self.dim, 0) for x in operands)
        result = np.empty(b.shape, b.dtype)
        state = initial[0][0] if initial else np.zeros(b.shape[1:], b.dtype)
        for t in range(len(b)):
            state = a[t] * state + b[t]
            result[t] = state
        return np.moveaxis(result, 0, self.dim).astype(operands[1].dtype, copy=False)

    def tiling(self, operands: Sequence[TensorType], result: TensorType) -> Tiling:
        return pointwise_tiling(operands, result, frozenset({self.dim}))

    def lifted(self) -> Recurrence:
        return Recurrence(self.dim + 1)

    def arithmetic(self, operands: Sequence[TensorType], result: TensorType) -> tuple[int, int]:
        return 0, 2 * result.elements
