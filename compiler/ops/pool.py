"""Maximum or mean over sliding windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

import numpy as np

from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops.base import Array, Axis, Op, Tiling, Window, wide


@dataclass(frozen=True)
class Pool(Op):
    """`fn` ("max" or "mean") over windows `(dim, taps, stride, dilation, lo, hi)`.

    Padding never wins a maximum; a mean counts it as zeros if `count_padding`, and leaves it out otherwise.
    """

    kind: ClassVar[str] = "pool"
    fn: str
    windows: tuple[tuple[int, int, int, int, int, int], ...]
    count_padding: bool = True

    def infer(self, operands: Sequence[TensorType]) -> TensorType:
        (operand,) = operands
        if self.fn not in ("max", "mean") or not all(0 <= w[0] < operand.rank for w in self.windows):
            raise ValueError(f"no pooling '{self.fn}' over {operand} by {self.windows}")
        shape = list(operand.shape)
        for dim, *window in self.windows:
            shape[dim] = Window(*window).outputs(operand.shape[dim])
        return TensorType(operand.dtype, tuple(shape))

    def reference(self, operands: Sequence[Array]) -> Array:
        x = wide(operands[0])
        fill = -np.inf if self.fn == "max" else 0.0
        value = self._fold(x, fill)
        if self.fn == "mean":
            ones = np.ones(x.shape, x.dtype)
            inside = prod(w[1] for w in self.windows) if self.count_padding else self._fold(ones, 0.0)
            value = value / inside
        return np.asarray(value).astype(operands[0].dtype, copy=False)

    def _fold(self, x: Array, fill: float) -> Array:
        for dim, taps, stride, dilation, lo, hi in self.windows:
            pads = [(lo, hi) if d == dim else (0, 0) for d in range(x.ndim)]
            padded = np.pad(x, pads, constant_values=fill)
            view = np.lib.stride_tricks.sliding_window_view(padded, dilation * (taps - 1) + 1, axis=dim)
            steps = tuple(slice(None, None, stride) if d == dim else slice(None) for d in range(x.ndim))
            view = view[(*steps, slice(None, None, dilation))]
            x = view.max(axis=-1) if self.fn == "max" else view.sum(axis=-1)
        return x

    def tiling(self, operands: Sequence[TensorType], result: TensorType) -> Tiling:
        axes = tuple(Axis(f"d{d}", n) for d, n in enumerate(result.shape))
        row = tuple(range(result.rank))
        windows = tuple((0, dim, Window(*window)) for dim, *window in self.windows)
        return Tiling(axes, (row,), row, windows)

    def lifted(self) -> Pool:
        return replace(self, windows=tuple((w[0] + 1, w[1], w[2], w[3], w[4], w[5]) for w in self.windows))

    def arithmetic(self, operands: Sequence[TensorType], result: TensorType) -> tuple[int, int]:
        return 0, result.elements * prod(w[1] for w in self.windows)
