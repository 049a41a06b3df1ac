"""What no program doing this work on this machine can beat."""

from __future__ import annotations

from math import ceil

from wsc.backends.gpu_cluster.census import Census, take_census
from wsc.backends.gpu_cluster.kernels import Attention, Gemm
from wsc.backends.gpu_cluster.machine import Cluster
from wsc.backends.gpu_cluster.program import Program

CLOCK_HZ = 1e9  # cycles of a cluster are nanoseconds: its GPUs have no clock in common


def lower_bound(program: Program, machine: Cluster) -> int:
    """Cycles between inputs: the products of the busiest rank at the peak of its matrix units, shared by its runs."""
    known: dict[str, Census] = {}
    seconds = 0.0
    for ranks in program.classes:
        census = take_census(program, ranks.body, known)
        products = sum(
            count * kernel.flops / machine.gpu.peak(kernel.precision)
            for (_, kernel), count in census.kernels.items()
            if isinstance(kernel, Gemm)
        )
        seconds = max(seconds, products)
    return max(1, ceil(seconds / program.runs * CLOCK_HZ * (1 - 1e-9)))


def kernel_macs(kernel: object) -> int:
    """Multiply-adds of a kernel, of all scores where attention is causal."""
    if isinstance(kernel, Gemm):
        return kernel.flops // 2
    if isinstance(kernel, Attention):
        return 2 * kernel.batch * kernel.heads * kernel.q_len * kernel.kv_len * kernel.head_dim
    return 0
