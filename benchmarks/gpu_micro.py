"""Seconds that the models give for measured kernels and collectives: each row as the kernels that were timed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.gpu_rows import DecodeRow, GemmRow, NcclRow, OneShotRow, PrefillRow
from wsc.backends.gpu_cluster.clusters import cluster_named, gpu_names
from wsc.backends.gpu_cluster.kernels import Attention, Collective, CollectiveKind, Precision, Quantize
from wsc.backends.gpu_cluster.machine import Cluster, Gpu
from wsc.backends.gpu_cluster.simulate.collectives import collective_seconds
from wsc.backends.gpu_cluster.simulate.gemm import shapes_seconds
from wsc.backends.gpu_cluster.simulate.kernels import kernel_seconds
from wsc.compiler.errors import UserError

Floats = NDArray[np.float64]
PRECISIONS = {
    "bfloat16": Precision.BF16,
    "float16": Precision.FP16,
    "half": Precision.FP16,
    "fp8": Precision.FP8,
}
KINDS: dict[str, CollectiveKind] = {
    "all_reduce": "all_reduce",
    "all_gather": "all_gather",
    "reduce_scatter": "reduce_scatter",
    "alltoall": "all_to_all",
    "all_to_all": "all_to_all",
}
LIBRARIES = {"trtllm": "trtllm", "vllm": "flash"}


@cache
def shipped_gpu(system: str) -> Gpu:
    """The GPU that a row names (`h100_sxm`, `GB200`, `NVIDIA H100 80GB`); raises UserError for one not shipped."""
    found = [name for name in gpu_names() if name.split("-")[0] in system.lower()]
    if not found:
        raise UserError(f"system '{system}': no such GPU; known: {', '.join(gpu_names())}")
    return cluster_named(f"{max(found, key=len)}x1").gpu


def cluster_of(gpu: Gpu, ranks: int) -> Cluster:
    """A cluster of so many of a GPU, the last rack not full where they come in racks."""
    rack = 72 if "nvl72" in gpu.name else 1
    whole = cluster_named(f"{gpu.name}x{-(-ranks // rack)}")
    return whole.model_copy(update={"gpu": gpu, "gpus": ranks})


def gemm_row_seconds(rows: Sequence[GemmRow], gpu: Gpu) -> Floats:
    """Seconds of products of one type; those in fp8 include the scaling of the left operand, as it was timed."""
    precision = PRECISIONS[rows[0].gemm_dtype]
    shapes = np.array([(row.m, row.n, row.k, 1) for row in rows], dtype=np.float64)
    seconds = shapes_seconds(shapes, precision, 2, gpu)
    if precision is Precision.FP8:
        seconds += [kernel_seconds(Quantize(row.m * row.k), gpu, graphs=True) for row in rows]
    return seconds


def prefill_row_seconds(rows: Sequence[PrefillRow], gpu: Gpu) -> Floats:
    """Seconds of causal attention with its rotary embedding and writing of the cache."""
    return np.array([kernel_seconds(_prefill(row), gpu, graphs=True) for row in rows])


def _prefill(row: PrefillRow) -> Attention:
    heads, shared = row.num_heads, row.num_key_value_heads
    return Attention("prefill", row.batch_size, heads, shared, row.isl, row.isl, row.head_dim)


def decode_row_seconds(rows: Sequence[DecodeRow], gpu: Gpu) -> Floats:
    """Seconds of one token's attention over a cache, by the library that the row was measured with."""
    libraries = {name: gpu.model_copy(update={"attention_library": name}) for name in LIBRARIES.values()}
    return np.array(
        [
            kernel_seconds(
                _decode(row), libraries[LIBRARIES.get(row.src, gpu.attention_library)], graphs=True
            )
            for row in rows
        ]
    )


def _decode(row: DecodeRow) -> Attention:
    heads, shared = row.num_heads, row.num_key_value_heads
    return Attention("decode", row.batch_size, heads, shared, 1, row.kv_len, row.head_dim)


def nccl_row_seconds(rows: Sequence[NcclRow], gpu: Gpu) -> Floats:
    """Seconds of nccl-tests' collectives."""
    return np.array(
        [_seconds(Collective(KINDS[row.op_name], row.bytes, tuple(range(row.num_gpus))), gpu) for row in rows]
    )


def one_shot_row_seconds(rows: Sequence[OneShotRow], gpu: Gpu) -> Floats:
    """Seconds of an all_reduce where the serving library's kernel may be taken."""
    return np.array(
        [
            _seconds(Collective("all_reduce", row.bytes, tuple(range(row.num_gpus)), one_shot=True), gpu)
            for row in rows
        ]
    )


def _seconds(collective: Collective, gpu: Gpu) -> float:
    """Seconds on the smallest cluster that has the ranks."""
    return collective_seconds(collective, cluster_of(gpu, len(collective.ranks))).seconds
