"""Between torch's tensors and the graph's: element types, and arrays that share a tensor's memory."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensor

from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.ops.base import Array

_DTYPES = {
    torch.float64: DType.F64,
    torch.float32: DType.F32,
    torch.float16: DType.F16,
    torch.bfloat16: DType.BF16,
    torch.float8_e4m3fn: DType.F8,
    torch.int64: DType.I64,
    torch.int32: DType.I32,
    torch.int16: DType.I16,
    torch.int8: DType.I8,
    torch.uint8: DType.U8,
    torch.bool: DType.BOOL,
}
_TORCH = {dtype: name for name, dtype in _DTYPES.items()}


def dtype_of(dtype: torch.dtype) -> DType:
    """The graph's element type; raises ValueError for one the graph does not have."""
    if dtype not in _DTYPES:
        raise ValueError(f"element type {str(dtype).removeprefix('torch.')}")
    return _DTYPES[dtype]


def torch_dtype(dtype: DType) -> torch.dtype:
    """torch's element type for one of the graph."""
    return _TORCH[dtype]


def type_of(tensor: torch.Tensor) -> TensorType:
    """The graph's type of a tensor, in which complex numbers are pairs in a last dimension.

    Raises ValueError for element types or sizes that the graph does not have.
    """
    sizes = tuple(tensor.shape)
    if not all(type(size) is int for size in sizes):
        raise ValueError("the size of the result depends on the values of tensors")
    if tensor.is_complex():
        return TensorType(dtype_of(tensor.real.dtype), (*sizes, 2))
    return TensorType(dtype_of(tensor.dtype), sizes)


def has_data(tensor: torch.Tensor) -> bool:
    """Whether the tensor holds values (it does not on the meta device)."""
    return not tensor.is_meta and not isinstance(tensor, FakeTensor)


def to_numpy(tensor: torch.Tensor) -> Array:
    """An array over the memory of a tensor in host memory; a copy of a tensor that lies elsewhere.

    Complex numbers are pairs in a last dimension, as in the graph.
    """
    tensor = tensor.detach().cpu()
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor.resolve_conj())
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    if tensor.dtype == torch.float8_e4m3fn:
        return tensor.view(torch.int8).numpy().view(ml_dtypes.float8_e4m3fn)
    return tensor.numpy()


def from_numpy(array: Array) -> torch.Tensor:
    """A tensor with a copy of an array's values."""
    if array.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(np.array(array).view(np.int16)).view(torch.bfloat16)
    if array.dtype == ml_dtypes.float8_e4m3fn:
        return torch.from_numpy(np.array(array).view(np.int8)).view(torch.float8_e4m3fn)
    return torch.from_numpy(np.array(array))


def complex_if(wanted: bool, tensor: torch.Tensor) -> torch.Tensor:
    """The complex numbers whose parts are pairs in the last dimension, where they are wanted; in the same memory."""
    return torch.view_as_complex(tensor) if wanted and not tensor.is_complex() else tensor
