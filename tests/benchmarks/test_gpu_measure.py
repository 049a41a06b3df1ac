"""Measuring beside modelling, as far as it goes without a GPU."""

from dataclasses import replace

import pytest
import torch

from benchmarks.gpu_measure import KERNELS, copies_of, lines, name_of_device, runner
from benchmarks.gpu_measure_programs import STEPS, Step, run_seconds, simulated_seconds, step_lines
from benchmarks.gpu_micro import shipped_gpu
from tests.gpu_cluster.programs import TINY
from wsc.backends.gpu_cluster.kernels import Attention, Gemm, Kernel, Pointwise, Precision
from wsc.backends.gpu_cluster.simulate.energy import kernel_work


def test_every_kernel_has_a_line_with_an_error_where_it_is_measured() -> None:
    gpu = shipped_gpu("h200")
    alone = list(lines(gpu, None))
    beside = list(lines(gpu, lambda kernel: 1e-5))
    assert len(alone) == len(beside) == len(KERNELS)
    assert alone[0].measured is None
    assert f"{beside[0].modelled / 1e-5 - 1:+7.1%}" in beside[0].text()


@pytest.mark.parametrize(
    ("kernel", "shape"),
    [
        (Gemm(3, 5, 7), (3, 5)),
        (Pointwise(64, 64), (32,)),
        (Attention("forward", 2, 4, 4, 8, 8, 16), (2, 4, 8, 16)),
    ],
)
def test_a_runner_does_what_the_kernel_says(
    kernel: Gemm | Pointwise | Attention, shape: tuple[int, ...]
) -> None:
    result = runner(kernel, "cpu", 0)()
    assert isinstance(result, torch.Tensor)
    assert tuple(result.shape) == shape


@pytest.mark.parametrize(
    "kernel",
    [
        Gemm(3, 5, 7, precision=Precision.FP8),
        Gemm(3, 5, 7, batch=2),
        Attention("decode", 2, 4, 4, 1, 8, 16),
        Attention("backward", 2, 4, 4, 8, 8, 16),
        Pointwise(64, 0),
    ],
)
def test_a_kernel_that_would_be_measured_as_another_is_refused(kernel: Kernel) -> None:
    with pytest.raises(ValueError, match="is not measured here"):
        runner(kernel, "cpu", 0)


@pytest.mark.parametrize("kernel", KERNELS)
def test_operands_by_turns_are_more_than_the_l2_holds(kernel: Kernel) -> None:
    gpu = shipped_gpu("h200")
    copies = copies_of(kernel, gpu.l2_bytes)
    assert copies >= 4
    assert copies * kernel_work(kernel).hbm_bytes >= 2 * gpu.l2_bytes
    assert copies * kernel_work(kernel).hbm_bytes < 0.5 * gpu.hbm_bytes


def test_steps_are_simulated_without_the_optimizer() -> None:
    gpu = shipped_gpu("h200")
    assert len(list(step_lines(gpu, None))) == len(STEPS)
    assert all("%" in line for line in step_lines(gpu, lambda step: 1e-2))
    for step in STEPS:
        floor = step.shape.flops_per_token() * step.shape.sequence * step.sequences / gpu.peak(Precision.BF16)
        assert (
            0.8 * floor < simulated_seconds(step, gpu) < 4 * floor
        )  # half of the attention that counts is left out


@pytest.mark.slow
def test_a_written_step_tells_its_seconds() -> None:
    step = Step(replace(TINY, sequence=32), 2)
    assert 1e-4 < run_seconds(step) < 60


def test_a_device_is_known_by_its_name() -> None:
    assert name_of_device("NVIDIA H100 80GB HBM3") == "h100"
    assert name_of_device("NVIDIA GB200") == "gb200-nvl72"
    with pytest.raises(SystemExit, match="none of the GPUs"):
        name_of_device("Tesla V100")
