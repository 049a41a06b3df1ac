"""What every op record offers: shape inference, reference, work, and how its dimensions may be split."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from wsc.compiler.ir.types import TensorType

Array = NDArray[Any]


class AxisKind(Enum):
    """How an axis of an op's iteration space may be split over units."""

    PARALLEL = "parallel"  # every part is independent
    SUM = "sum"  # parts give partial sums of the result
    WHOLE = "whole"  # one unit must see the full extent


@dataclass(frozen=True)
class Window:
    """Operand dimension walked as `out * stride + tap * dilation - lo`, `taps` taps, `hi` padding at the end."""

    taps: int
    stride: int = 1
    dilation: int = 1
    lo: int = 0
    hi: int = 0

    def outputs(self, extent: int) -> int:
        """Number of positions of the window over `extent` elements; raises ValueError where it is wider than they."""
        if extent + self.lo + self.hi < self.dilation * (self.taps - 1) + 1:
            raise ValueError(f"{self} is wider than {extent} elements and their padding")
        return (extent + self.lo + self.hi - self.dilation * (self.taps - 1) - 1) // self.stride + 1


@dataclass(frozen=True)
class Axis:
    """One axis of an op's iteration space; `extent` counts positions of the *result* where windows slide."""

    name: str
    extent: int
    kind: AxisKind = AxisKind.PARALLEL


@dataclass(frozen=True)
class Tiling:
    """How an op's tensors are indexed by its iteration space.

    `operands[i][d]` is the index of the axis that walks dimension d of operand i, or None where every unit needs that
    dimension whole. `result[d]` likewise. `windows[(i, d)]` is present where the axis slides a window over dimension d.
    """

    axes: tuple[Axis, ...]
    operands: tuple[tuple[int | None, ...], ...]
    result: tuple[int | None, ...]
    windows: tuple[tuple[int, int, Window], ...] = ()

    def window(self, operand: int, dim: int) -> Window | None:
        """The window that slides over a dimension of an operand, if any."""
        return next((w for i, d, w in self.windows if (i, d) == (operand, dim)), None)


@dataclass(frozen=True)
class Work:
    """What an op does, machine apart: multiply-adds, other scalar operations, bytes touched, bytes of weights."""

    macs: int = 0
    vector_ops: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    weight_bytes: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(
            self.macs + other.macs,
            self.vector_ops + other.vector_ops,
            self.bytes_read + other.bytes_read,
            self.bytes_written + other.bytes_written,
            self.weight_bytes + other.weight_bytes,
        )


class Op(ABC):
    """One kind of operation; a subclass is a frozen dataclass whose fields are the op's attributes.

    Attributes are Python literals (numbers, strings, tuples, None), so that the text form can print and read them.
    """

    kind: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.__name__.startswith("_"):
            _KINDS[cls.kind] = cls

    @abstractmethod
    def infer(self, operands: Sequence[TensorType]) -> TensorType:
        """The result's type; raises ValueError where the operands do not fit the op."""

    @abstractmethod
    def reference(self, operands: Sequence[Array]) -> Array:
        """The result's value in numpy: what the op means. Floating point accumulates in at least 32 bits."""

    @abstractmethod
    def tiling(self, operands: Sequence[TensorType], result: TensorType) -> Tiling:
        """How the op may be split over units."""

    @abstractmethod
    def lifted(self) -> Op:
        """The same op over one more leading dimension that every operand and the result share."""

    def arithmetic(self, operands: Sequence[TensorType], result: TensorType) -> tuple[int, int]:
        """(multiply-adds, other scalar operations) for the whole tensors; nothing unless the op says so."""
        return 0, 0

    def work(self, operands: Sequence[TensorType], result: TensorType) -> Work:
        """Arithmetic and bytes; every operand is read once and the result written once."""
        macs, vector_ops = self.arithmetic(operands, result)
        return Work(macs, vector_ops, sum(t.bytes for t in operands), result.bytes)


_KINDS: dict[str, type[Op]] = {}


def op_class(kind: str) -> type[Op]:
    """The record of a kind; raises KeyError for a kind that does not exist."""
    return _KINDS[kind]


def op_kinds() -> tuple[str, ...]:
    """Every kind of op, sorted."""
    return tuple(sorted(_KINDS))


def pointwise_tiling(
    operands: Sequence[TensorType], result: TensorType, whole: frozenset[int] = frozenset()
) -> Tiling:
    """Tiling of an op whose every dimension is walked alike in operands and result; `whole` ones stay unsplit.

    Operand dimensions of extent 1 under a longer result dimension are broadcast and stay unsplit.
    """
    axes = tuple(
        Axis(f"d{d}", extent, AxisKind.WHOLE if d in whole else AxisKind.PARALLEL)
        for d, extent in enumerate(result.shape)
    )
    rows = tuple(
        tuple(d if extent == result.shape[d] or d in whole else None for d, extent in enumerate(t.shape))
        for t in operands
    )
    return Tiling(axes, rows, tuple(range(result.rank)))


def are_dims(dims: Sequence[int], operand: TensorType) -> bool:
    """Whether `dims` are dimensions of the operand, each named once."""
    return len(set(dims)) == len(dims) and all(0 <= d < operand.rank for d in dims)


def wide(array: Array) -> Array:
    """Half-precision arrays as float32, others as they are: reference arithmetic accumulates in 32 bits or more."""
    narrow = array.dtype.itemsize < 4 and array.dtype.kind not in "iub"
    return array.astype(np.float32) if narrow else array
