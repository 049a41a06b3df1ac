"""Seconds of a kernel on a GPU."""

from __future__ import annotations

from wsc.backends.gpu_cluster.kernels import Attention, Gemm, Kernel
from wsc.backends.gpu_cluster.machine import Gpu


def kernel_seconds(kernel: Kernel, gpu: Gpu, graphs: bool = False) -> float:
    """Seconds of one kernel on a GPU, launch included; `graphs` says it is launched from a CUDA graph.

    Raises ValueError where the GPU lacks the kernel's precision.
    """
    calibration = gpu.calibration
    floor = calibration.floor_seconds + (0.0 if graphs else calibration.launch_seconds)
    match kernel:
        case Gemm(m=m, n=n, k=k, batch=batch):
            size = kernel.precision.bytes
            moved = batch * (size * (m * k + k * n) + (8 if kernel.accumulate else 2) * m * n)
            arithmetic = kernel.flops / gpu.peak(kernel.precision)
        case Attention():
            pairs = (
                kernel.batch * kernel.heads * kernel.q_len * kernel.kv_len * (0.5 if kernel.causal else 1.0)
            )
            arithmetic = 4 * kernel.head_dim * pairs / gpu.peak(kernel.precision)
            keys = kernel.batch * kernel.kv_heads * kernel.kv_len
            moved = (
                2
                * kernel.precision.bytes
                * kernel.head_dim
                * (keys + kernel.batch * kernel.heads * kernel.q_len)
            )
            arithmetic *= 2.5 if kernel.phase == "backward" else 1.0
        case _:
            moved = kernel.bytes_read + kernel.bytes_written
            arithmetic = kernel.flops / gpu.vector_flops_per_second
    return floor + max(arithmetic, moved / gpu.hbm_bytes_per_second) / 0.8
