"""Joules: bounds by the power limit, movement apart, idle GPUs."""

import pytest

from wsc.backends.gpu_cluster.clusters import cluster_named
from wsc.backends.gpu_cluster.kernels import Attention, Collective, Gemm, Pointwise, Quantize
from wsc.backends.gpu_cluster.simulate.energy import (
    collective_energy,
    kernel_energy,
    kernel_work,
    program_energy,
)
from wsc.backends.gpu_cluster.simulate.kernels import kernel_seconds
from wsc.backends.gpu_cluster.simulate.run import simulate_program
from wsc.backends.gpu_cluster.transformer.shape import Parallelism, TransformerShape
from wsc.backends.gpu_cluster.transformer.training import training_program

KERNELS = (
    Gemm(8192, 8192, 8192),
    Gemm(1, 8192, 8192),
    Attention("forward", 4, 32, 8, 4096, 4096, 128),
    Attention("decode", 64, 32, 8, 1, 4096, 128),
    Pointwise(10**9, 10**9),
    Quantize(10**8),
)


@pytest.mark.parametrize("kernel", KERNELS)
def test_power_stays_between_idle_and_the_limit(kernel: Gemm | Attention | Pointwise | Quantize) -> None:
    gpu = cluster_named("h100x8").gpu
    seconds = kernel_seconds(kernel, gpu, graphs=True)
    energy = kernel_energy(kernel, gpu, seconds)
    assert gpu.power.idle_watts * seconds < energy.gpu <= gpu.power.tdp_watts * seconds * (1 + 1e-12)
    assert energy.memory + energy.idle < energy.gpu + 1e-12


def test_a_large_product_draws_the_limit_and_a_copy_what_memory_draws() -> None:
    gpu = cluster_named("h100x8").gpu
    watts = []
    for kernel in (Gemm(8192, 8192, 8192), Pointwise(2**32, 2**32)):
        seconds = kernel_seconds(kernel, gpu, graphs=True)
        watts.append(kernel_energy(kernel, gpu, seconds).gpu / seconds)
    assert watts[0] > 0.95 * gpu.power.tdp_watts
    assert watts[1] == pytest.approx(gpu.power.memory_bound_watts, rel=0.05)


def test_movement_is_bytes_times_picojoules() -> None:
    gpu = cluster_named("h100x8").gpu
    work = kernel_work(Pointwise(10**9, 2 * 10**9))
    assert (work.flops, work.hbm_bytes) == (0, 3 * 10**9)
    assert kernel_energy(Pointwise(10**9, 2 * 10**9), gpu, 1e-3).memory == pytest.approx(
        3e9 * gpu.power.hbm_pj_per_byte * 1e-12
    )


def test_a_causal_step_counts_only_the_pairs_that_it_sees() -> None:
    whole, causal = (
        kernel_work(Attention("forward", 1, 1, 1, 4, 4, 128, causal=flag)).flops for flag in (False, True)
    )
    assert (whole, causal) == (4 * 16 * 128, 4 * 10 * 128)


def test_links_within_a_domain_and_beyond_are_told_apart() -> None:
    cluster = cluster_named("h100x64")
    near = collective_energy(Collective("all_gather", 2**30, tuple(range(8))), cluster)
    far = collective_energy(Collective("all_gather", 2**30, tuple(range(0, 64, 8))), cluster)
    assert near.nvlink > 0
    assert near.network == 0
    assert far.nvlink == 0
    assert far.network == pytest.approx(7 / 8 * 2**30 * cluster.gpu.power.nic_pj_per_byte * 1e-12)
    assert collective_energy(Collective("all_gather", 2**30, (3,)), cluster).joules == 0


def test_a_step_draws_between_idle_and_the_limit_of_all_gpus() -> None:
    cluster = cluster_named("h100x8")
    shape = TransformerShape("small", 4, 1024, 4096, 16, 16, 32000, 1024)
    program = training_program(shape, Parallelism(data=2, tensor=4, global_batch=8, micro_batch=2), cluster)
    trace = simulate_program(program, cluster)
    energy = program_energy(program, cluster, trace)
    idle, limit = (
        8 * watts * trace.seconds for watts in (cluster.gpu.power.idle_watts, cluster.gpu.power.tdp_watts)
    )
    assert idle < energy.gpu < limit
    assert energy.memory > 0
    assert energy.nvlink > 0
    assert energy.joules == energy.gpu + energy.network
