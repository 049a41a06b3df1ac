"""Tensor types: an element type and a static shape."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from math import prod

import ml_dtypes
import numpy as np


class DType(Enum):
    """Element types; the value is the name used in every text form."""

    F64 = "f64"
    F32 = "f32"
    F16 = "f16"
    BF16 = "bf16"
    F8 = "f8"  # e4m3fn: 4 bits of exponent, 3 of mantissa, no infinities (Micikevicius et al., 2022)
    I64 = "i64"
    I32 = "i32"
    I16 = "i16"
    I8 = "i8"
    U8 = "u8"
    BOOL = "bool"

    __hash__ = (
        object.__hash__
    )  # each is one object; an Enum's own hash is a call of Python in every key with a type

    @property
    def bytes(self) -> int:
        """Bytes one element takes in memory."""
        return self.numpy.itemsize

    @property
    def numpy(self) -> np.dtype[np.generic]:
        """The numpy type of the same layout (bfloat16 from ml_dtypes)."""
        return _NUMPY[self]

    @property
    def is_float(self) -> bool:
        """Whether the type is a floating-point type."""
        return self in _FLOATS

    @property
    def is_integer(self) -> bool:
        """Whether the type is an integer type; a truth value is none."""
        return not self.is_float and self is not DType.BOOL


_FLOATS = frozenset({DType.F64, DType.F32, DType.F16, DType.BF16, DType.F8})
_NUMPY: dict[DType, np.dtype[np.generic]] = {
    DType.F64: np.dtype(np.float64),
    DType.F32: np.dtype(np.float32),
    DType.F16: np.dtype(np.float16),
    DType.BF16: np.dtype(ml_dtypes.bfloat16),
    DType.F8: np.dtype(ml_dtypes.float8_e4m3fn),
    DType.I64: np.dtype(np.int64),
    DType.I32: np.dtype(np.int32),
    DType.I16: np.dtype(np.int16),
    DType.I8: np.dtype(np.int8),
    DType.U8: np.dtype(np.uint8),
    DType.BOOL: np.dtype(np.bool_),
}
_DTYPES = {numpy: dtype for dtype, numpy in _NUMPY.items()}
_TEXT = re.compile(r"(\w+)\[((?:\d+(?:,\d+)*)?)\]")


@dataclass(frozen=True)
class TensorType:
    """A static tensor type; `shape` is in elements, outermost dimension first."""

    dtype: DType
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        if any(extent < 0 for extent in self.shape):
            raise ValueError(f"negative extent in shape {self.shape}")

    @property
    def rank(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def elements(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        """Bytes of the dense tensor."""
        return self.elements * self.dtype.bytes

    def __str__(self) -> str:
        return f"{self.dtype.value}[{','.join(map(str, self.shape))}]"

    @staticmethod
    def parse(text: str) -> TensorType:
        """Read back what `str` printed; raises ValueError on anything else."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(f"not a tensor type: {text!r}")
        shape = tuple(int(part) for part in match[2].split(",") if part)
        return TensorType(DType(match[1]), shape)


def type_of(array: np.ndarray) -> TensorType:
    """The tensor type of an array; raises KeyError for an element type wsc does not have."""
    return TensorType(_DTYPES[array.dtype], array.shape)
