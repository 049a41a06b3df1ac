"""Movement: the elements stay what they are, only their places change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

import numpy as np

from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops.base import Array, Axis, AxisKind, Op, Tiling, pointwise_tiling


@dataclass(frozen=True)
class Reshape(Op):
    """The same elements in row-major order under another `shape`; `batch` leading dimensions are kept apart."""

    kind: ClassVar[str] = "reshape"
    shape: tuple[int, ...]
    batch: int = 0

    def infer(self, operands: Sequence[TensorType]) -> TensorType:
        (operand,) = operands
        if operand.elements != prod(operand.shape[: self.batch]) * prod(self.shape):
            raise ValueError(f"{operand} has no shape {self.shape}")
        return TensorType(operand.dtype, operand.shape[: self.batch] + self.shape)

    def reference(self, operands: Sequence[Array]) -> Array:
        return operands[0].reshape(operands[0].shape[: self.batch] + self.shape)

    def tiling(self, operands: Sequence[TensorType], result: TensorType) -> Tiling:
        (operand,) = operands
        links = _kept_dims(operand.shape, result.shape)
        axes = tuple(
            Axis(f"d{d}", n, AxisKind.PARALLEL if d in links.values() else AxisKind.WHOLE)
            for d, n in enumerate(result.shape)
        )
        return Tiling(axes, (tuple(links.get(d) for d in range(operand.rank)),), tuple(range(result.rank)))

    def lifted(self) -> Reshape:
        return replace(self, batch=self.batch + 1)


def _kept_dims(before: tuple[int, ...], after: tuple[int, ...]) -> dict[int, int]:
    """Dimensions of `before` that a reshape carries over unchanged: same extent, same elements before them."""
    places = {(prod(after[:d]), n): d for d, n in enumerate(after) if n > 1}
    found = {d: places.get((prod(before[:d]), n)) for d, n in enumerate(before) if n > 1}
    return {d: place for d, place in found.items() if place is not None}


@dataclass(frozen=True)
class Permute(Op):
    """Result dimension d is operand dimension `order[d]`."""

    kind: ClassVar[str] = "permute"
    order: tuple[int, ...]

    def infer(self, operands: Sequence[TensorType]) -> TensorType:
        (operand,) = operands
        if sorted(self.order) != list(range(operand.rank)):
            raise ValueError(f"{self.order} is no order of the dimensions of {operand}")
        return TensorType(operand.dtype, tuple(operand.shape[d] for d in self.order))

    def reference(self, operands: Sequence[Array]) -> Array:
        return operands[0].transpose(self.order)

    def tiling(self, operands: Sequence[TensorType], result: TensorType) -> Tiling:
        axes = tuple(Axis(f"d{d}", n) for d, n in enumerate(result.shape))
        row = tuple(self.order.index(d) for d in range(result.rank))
        return Tiling(axes, (row,), tuple(range(result.rank)))

    def lifted(self) -> Permute:
        return Permute((0, *(d + 1 for d in self.order)))


@dataclass(frozen=True)
class Slice(Op):
    """Elements `start, start + step, ...` below `stop` along `dim`."""

    kind: ClassVar[str] = "slice"
    dim: int
    start: int
    stop: int
    step: int = 1

    def infer(self, operands: Sequence[TensorType]) -> TensorType:
        (operand,) = operands
        inside = 0 <= self.dim < operand.rank and 0 <= self.start <= self.stop <= operand.shape[self.dim]
        if not inside or self.step < 1:
            raise ValueError(
                f"no slice {self.start}:{self.stop}:{self.step} of dimension {self.dim} of {operand}"
            )
        shape = list(operand.shape)
        shape[self.dim] = len(range(self.start, self.stop, self.step))
        return TensorType(operand.dtype, tuple(shape))

    def reference(self, operands: Sequence[Array]) -> Array:
        return operands[0][(slice(None),) * self.dim + (slice(self.start, self.stop, self.step),)]

    def tiling(self, operands: Sequence[TensorType], result: TensorType) -> Tiling:
        return _along_whole(operands, result, self.dim)

    def lifted(self) -> Slice:
        return replace(self, dim=self.dim + 1)


@dataclass(frozen=True)
class Expand(Op):
    """Dimensions of extent 1 repeated to the extents of `shape`; `batch` leading dimensions are kept apart."""

    kind: ClassVar[str] = "expand"
    shape: tuple[int, ...]
    batch: int = 0

    def infer(self, operands: Sequence[TensorType]) -> TensorType:
        (operand,) = operands
        inner = operand.shape[self.batch :]
        if len(inner) != len(self.shape) or any(
            n not in (1, m) for n, m in zip(inner, self.shape, strict=True)
        ):
            raise ValueError(f"{operand} does not expand to {self.shape}")
        return TensorType(operand.dtype, operand.shape[: self.batch] + self.shape)

    def reference(self, operands: Sequence[Array]) -> Array:
        return np.broadcast_to(operands[0], operands[0].shape[: self.batch] + self.shape)

    def tiling(self, operands: Sequence[TensorType], result: TensorType) -> Tiling:
        return pointwise_tiling(operands, result)

    def lifted(self) -> Expand:
        return replace(self, batch=self.batch + 1)


@dataclass(frozen=True)
class Concat(Op):
    """Operands one after another along `dim`."""

    kind: ClassVar[str] = "concat"
    dim: int

    def infer(self, operands: Sequence[TensorType]) -> TensorType:
        others = {t.shape[: self.dim] + t.shape[self.dim + 1 :] for t in operands}
        if (
            len(others) != 1
            or len({(t.dtype, t.rank) for t in operands}) != 1
            or not 0 <= self.dim < operands[0].rank
        ):
            raise ValueError(f"{', '.join(map(str, operands))} do not concatenate along dimension {self.dim}")
        shape = list(operands[0].shape)
        shape[self.dim] = sum(t.shape[self.dim] for t in operands)
        return TensorType(operands[0].dtype, tuple(shape))

    def reference(self, operands: Sequence[Array]) -> Array:
        return np.concatenate(operands, axis=self.dim)

    def tiling(self, operands: Sequence[TensorType], result: TensorType) -> Tiling:
        return _along_whole(operands, result, self.dim)

    def lifted(self) -> Concat:
        return Concat(self.dim + 1)


@dataclass(frozen=True)
class Pad(Op):
    """`lo` and `hi` elements of `value` before and after each dimension."""

    kind: ClassVar[str] = "pad"
    lo: tuple[int, ...]
    hi: tuple[int, ...]
    value: float = 0.0

    def infer(self, operands: Sequence[TensorType]) -> TensorType:
        (operand,) = operands
        if not len(self.lo) == len(self.hi) == operand.rank or min((*self.lo, *self.hi), default=0) < 0:
            raise ValueError(f"cannot pad {operand} by {self.lo} and {self.hi}")
        extents = zip(operand.shape, self.lo, self.hi, strict=True)
        return TensorType(operand.dtype, tuple(n + lo + hi for n, lo, hi in extents))

    def reference(self, operands: Sequence[Array]) -> Array:
        return np.pad(operands[0], tuple(zip(self.lo, self.hi, strict=True)), constant_values=self.value)

    def tiling(self, operands: Sequence[TensorType], result: TensorType) -> Tiling:
        padded = frozenset(d for d in range(result.rank) if self.lo[d] or self.hi[d])
        axes = tuple(
            Axis(f"d{d}", n, AxisKind.WHOLE if d in padded else AxisKind.PARALLEL)
            for d, n in enumerate(result.shape)
        )
        row = tuple(None if d in padded else d for d in range(result.rank))
        return Tiling(axes, (row,), tuple(range(result.rank)))

    def lifted(self) -> Pad:
        return Pad((0, *self.lo), (0, *self.hi), self.value)


def _along_whole(operands: Sequence[TensorType], result: TensorType, dim: int) -> Tiling:
    """Every dimension is walked alike but `dim`, which each unit needs whole."""
    axes = tuple(
        Axis(f"d{d}", n, AxisKind.WHOLE if d == dim else AxisKind.PARALLEL)
        for d, n in enumerate(result.shape)
    )
    row = tuple(None if d == dim else d for d in range(result.rank))
    return Tiling(axes, (row,) * len(operands), tuple(range(result.rank)))
