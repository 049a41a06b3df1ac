"""Seconds of a stream through a GPU's memory, and of the kernels that do little else."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from wsc.backends.gpu_cluster.kernels import Pointwise, Quantize
from wsc.backends.gpu_cluster.machine import Gpu

Bytes = TypeVar("Bytes", float, NDArray[np.float64])

_MEGABYTE = 1e6


def stream_seconds(moved: Bytes, gpu: Gpu) -> Bytes:
    """Seconds to move bytes through the memory.

    The root is of the SMs' finishing times: the slowest of many, each the sum of many loads, lags by a deviation that
    grows with the root of their number.
    """
    calibration = gpu.calibration
    ragged = calibration.stream_seconds_per_root_megabyte * (moved / _MEGABYTE) ** 0.5
    seconds: Bytes = moved / (gpu.hbm_bytes_per_second * calibration.hbm_efficiency) + ragged
    return seconds


def turning_round(kernel: Pointwise, gpu: Gpu) -> float:
    """How many times longer than reads a stream takes for what it writes: the memory turns round in between."""
    moved = kernel.bytes_read + kernel.bytes_written
    mixed = 2 * min(kernel.bytes_read, kernel.bytes_written) / moved if moved else 0.0
    return 1 + (1 / gpu.common.products.copy_rate - 1) * mixed


def pointwise_seconds(kernel: Pointwise, gpu: Gpu) -> float:
    """Seconds of a kernel that streams memory, in a CUDA graph."""
    stream = stream_seconds(float(kernel.bytes_read + kernel.bytes_written), gpu) * turning_round(kernel, gpu)
    return kernel_floor_seconds(gpu) + max(stream, kernel.flops / gpu.vector_flops_per_second)


def quantize_seconds(kernel: Quantize, gpu: Gpu) -> float:
    """Seconds to scale a tensor to fp8 by its largest element: clear, find it, scale; three kernels."""
    moved = kernel.elements * gpu.common.products.quantize_bytes_per_element
    return 3 * kernel_floor_seconds(gpu) + moved / (gpu.hbm_bytes_per_second * gpu.calibration.hbm_efficiency)


def kernel_floor_seconds(gpu: Gpu) -> float:
    """Seconds of a kernel with one wave of blocks and nothing to do, in a CUDA graph."""
    return gpu.common.products.floor_seconds + gpu.calibration.tile_seconds
