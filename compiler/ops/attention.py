"""Scaled dot-product attention, kept whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops.base import Array, Axis, AxisKind, Op, Tiling, wide
from wsc.compiler.ops.softmax import EXP_OPS


@dataclass(frozen=True)
class Attention(Op):
    """`softmax(scale * q @ k^T, masked) @ v` over q[..., s, d], k[..., t, d], v[..., t, e] and an optional mask.

    Leading dimensions are equal or 1 in k, v and mask (grouped queries: q[b, g, n, s, d] with k[b, g, 1, t, d]).
    A boolean mask[..., s, t] keeps where true, a float mask is added. `causal` keeps position t <= s. A query that
    keeps no key gives zero. Positions count from the tensor's own start, so causal attention splits over neither.
    """

    kind: ClassVar[str] = "attention"
    scale: float
    causal: bool = False

    def infer(self, operands: Sequence[TensorType]) -> TensorType:
        q, k, v, *mask = operands
        if len(mask) > 1 or any(t.rank != q.rank for t in operands) or q.rank < 2:
            raise ValueError("attention takes q, k, v and at most one mask, all of one rank")
        if q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2] or len({q.dtype, k.dtype, v.dtype}) > 1:
            raise ValueError(f"q {q}, k {k} and v {v} do not fit each other")
        if mask and (mask[0].shape[-2:] != (q.shape[-2], k.shape[-2]) or mask[0].dtype.is_integer):
            raise ValueError(f"mask {mask[0]} does not fit {q.shape[-2]} queries and {k.shape[-2]} keys")
        for operand in operands[1:]:
            if any(n not in (1, m) for n, m in zip(operand.shape[:-2], q.shape[:-2], strict=True)):
                raise ValueError(f"leading dimensions of {operand} do not broadcast to {q}")
        return TensorType(q.dtype, (*q.shape[:-1], v.shape[-1]))

    def reference(self, operands: Sequence[Array]) -> Array:
        q, k, v = (wide(a) for a in operands[:3])
        scores = (q @ k.swapaxes(-1, -2)) * np.asarray(self.scale, q.dtype)
        if self.causal:
            rows, cols = scores.shape[-2:]
            scores = np.where(np.tri(rows, cols, dtype=np.bool_), scores, -np.inf)
        if len(operands) > 3:
            mask = operands[3]
            scores = np.where(mask, scores, -np.inf) if mask.dtype == np.bool_ else scores + wide(mask)
        peak = scores.max(axis=-1, keepdims=True)
        powers = np.exp(scores - np.where(peak == -np.inf, 0, peak))
        total = powers.sum(axis=-1, keepdims=True)
        value = (powers / np.where(total == 0, 1, total)) @ v
        return np.asarray(value).astype(operands[0].dtype, copy=False)

    def tiling(self, operands: Sequence[TensorType], result: TensorType) -> Tiling:
        q, k, v, *mask = operands
        lead = q.rank - 2
        axes = tuple(Axis(f"b{i}", n) for i, n in enumerate(q.shape[:-2])) + (
            Axis("s", q.shape[-2], AxisKind.WHOLE if self.causal else AxisKind.PARALLEL),
            Axis("t", k.shape[-2], AxisKind.WHOLE if self.causal else AxisKind.SUM),
            Axis("d", q.shape[-1], AxisKind.WHOLE),
            Axis("e", v.shape[-1], AxisKind.WHOLE),
        )
        s, t, d, e = range(lead, lead + 4)

        def row(operand: TensorType, *tail: int) -> tuple[int | None, ...]:
            head = (i if n == q.shape[i] else None for i, n in enumerate(operand.shape[:-2]))
            return (*head, *tail)

        rows = (row(q, s, d), row(k, t, d), row(v, t, e), *(row(m, s, t) for m in mask))
        return Tiling(axes, rows, (*range(lead), s, e))

    def lifted(self) -> Attention:
        return self

    def arithmetic(self, operands: Sequence[TensorType], result: TensorType) -> tuple[int, int]:
        q, k, v, *mask = operands
        scores = prod(q.shape[:-1]) * k.shape[-2]
        masked = int(self.causal) + len(mask)
        return scores * (q.shape[-1] + v.shape[-1]), scores * (EXP_OPS + 4 + masked) + result.elements
