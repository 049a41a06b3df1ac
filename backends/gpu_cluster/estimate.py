"""What a plan is decided by: a coarse time of kernels and collectives, from data sheets and one efficiency.

The simulator knows nothing of this file and has formulas of its own; tests hold the two against each other.
"""

from __future__ import annotations

from wsc.backends.gpu_cluster.kernels import Attention, CollectiveKind, Gemm, Kernel, Quantize
from wsc.backends.gpu_cluster.machine import Cluster, Gpu

EFFICIENCY = 0.75  # of peaks, that large kernels reach; an assumption, like the floors
KERNEL_FLOOR_SECONDS = 3e-6
COLLECTIVE_FLOOR_SECONDS = 12e-6


def kernel_floor(kernel: Kernel, gpu: Gpu) -> float:
    """Seconds that no kernel of this work can beat on the GPU: arithmetic at its peak, or each byte moved once."""
    match kernel:
        case Gemm(m=m, n=n, k=k, batch=batch):
            bytes = batch * (kernel.precision.bytes * (m * k + k * n) + 2 * m * n)
            return max(kernel.flops / gpu.peak(kernel.precision), bytes / gpu.hbm_bytes_per_second)
        case Attention():
            pairs = kernel.batch * kernel.heads * kernel.q_len * kernel.kv_len
            kept = 1 - (kernel.q_len - 1) / (2 * kernel.kv_len) if kernel.causal else 1.0
            passes = 2.5 if kernel.phase == "backward" else 1.0
            flops = 4 * kernel.head_dim * pairs * kept * passes
            keys = (
                2 * kernel.batch * kernel.kv_heads * kernel.kv_len * kernel.head_dim * kernel.precision.bytes
            )
            return max(flops / gpu.peak(kernel.precision), keys / gpu.hbm_bytes_per_second)
        case Quantize(elements=elements):
            return 3 * elements / gpu.hbm_bytes_per_second
        case _:
            moved = (kernel.bytes_read + kernel.bytes_written) / gpu.hbm_bytes_per_second
            return max(moved, kernel.flops / gpu.vector_flops_per_second)


def kernel_estimate(kernel: Kernel, gpu: Gpu) -> float:
    """Seconds of a kernel, roughly."""
    return KERNEL_FLOOR_SECONDS + kernel_floor(kernel, gpu) / EFFICIENCY


def collective_floor(kind: CollectiveKind, bytes: int, ranks: int, cluster: Cluster, within: int) -> float:
    """Seconds that no collective over `ranks` beats, `within` of them in one NVLink domain.

    Each port carries its bytes at its rate; switches that reduce halve what an all-reduce sends.
    """
    if ranks < 2 or not bytes:
        return 0.0
    part = (ranks - 1) / ranks
    if kind == "all_reduce":
        part *= 1 if cluster.gpu.nvlink_reduces else 2
    if kind in ("send", "broadcast"):
        part = 1.0
    if within >= ranks:
        return part * bytes / cluster.gpu.nvlink_bytes_per_second
    domains = -(-ranks // within)
    outside = (domains - 1) / domains * bytes / within
    if kind == "all_to_all":
        outside = (ranks - within) / ranks * bytes
    if kind in ("send", "broadcast"):
        outside = bytes
    return outside / cluster.system.nic_bytes_per_second


def collective_estimate(kind: CollectiveKind, bytes: int, ranks: int, cluster: Cluster, within: int) -> float:
    """Seconds of a collective, roughly."""
    if ranks < 2:
        return 0.0
    return COLLECTIVE_FLOOR_SECONDS + collective_floor(kind, bytes, ranks, cluster, within) / EFFICIENCY
