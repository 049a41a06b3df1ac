"""Random operands of a given type, and the way between numpy and torch."""

import ml_dtypes
import numpy as np
import torch

from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.ops.base import Array


def draw(type: TensorType, rng: np.random.Generator, high: int = 5) -> Array:
    """Normal floats, integers of [0, high), coin flips."""
    if type.dtype.is_float:
        return np.asarray(rng.normal(size=type.shape)).astype(type.dtype.numpy)
    if type.dtype is DType.BOOL:
        return np.asarray(rng.random(type.shape) < 0.5)
    return np.asarray(rng.integers(0, high, type.shape)).astype(type.dtype.numpy)


def to_torch(array: Array) -> torch.Tensor:
    if array.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(array.view(np.int16).copy()).view(torch.bfloat16)
    return torch.from_numpy(np.array(array))


def to_numpy(tensor: torch.Tensor) -> Array:
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return np.asarray(tensor.numpy())


def assert_close(actual: Array, expected: Array, tolerance: float = 1e-5) -> None:
    """Equal in type and shape, and in value up to the rounding of the element type."""
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    if actual.dtype.itemsize == 2 and actual.dtype.kind not in "iu":
        tolerance = 2e-2 if actual.dtype == ml_dtypes.bfloat16 else 2e-3
    if actual.dtype.kind == "b":
        np.testing.assert_array_equal(actual, expected)
        return
    np.testing.assert_allclose(
        actual.astype(np.float64), expected.astype(np.float64), rtol=tolerance, atol=tolerance
    )
