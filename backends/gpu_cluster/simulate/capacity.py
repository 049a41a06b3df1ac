"""What the GPUs that a program is for have to offer."""

from __future__ import annotations

from collections import Counter

from wsc.backends.gpu_cluster.census import Census, take_census
from wsc.backends.gpu_cluster.kernels import Gemm, Precision
from wsc.backends.gpu_cluster.machine import Cluster
from wsc.backends.gpu_cluster.program import Program
from wsc.compiler.machine import Capacity


def capacity(program: Program, machine: Cluster) -> Capacity:
    """The program's GPUs, at the peak of their matrix units in the precision of most of its products."""
    gpu, gpus = machine.gpu, program.ranks
    return Capacity(
        unit="GPU",
        units=gpus,
        chips=gpus,
        memory_bytes=gpus * gpu.hbm_bytes,
        peak_macs_per_second=gpus * gpu.peak(_precision(program)) / 2,
        rated_watts=gpus * gpu.power.tdp_watts,
        network_bytes_per_second=gpus * gpu.nvlink_bytes_per_second,
        memory_bytes_per_second=gpus * gpu.hbm_bytes_per_second,
    )


def _precision(program: Program) -> Precision:
    """The precision of most operations in products; that of plain floats where there is no product."""
    known: dict[str, Census] = {}
    flops: Counter[Precision] = Counter()
    for ranks in program.classes:
        for (_, kernel), count in take_census(program, ranks.body, known).kernels.items():
            if isinstance(kernel, Gemm):
                flops[kernel.precision] += count * kernel.flops
    return flops.most_common(1)[0][0] if flops else Precision.FP32
