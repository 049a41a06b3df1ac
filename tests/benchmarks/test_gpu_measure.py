"""Measuring beside modelling, as far as it goes without a GPU."""

import pytest
import torch

from benchmarks.gpu_measure import KERNELS, lines, name_of_device, runner
from benchmarks.gpu_micro import shipped_gpu
from wsc.backends.gpu_cluster.kernels import Attention, Gemm, Pointwise


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


def test_a_device_is_known_by_its_name() -> None:
    assert name_of_device("NVIDIA H100 80GB HBM3") == "h100"
    assert name_of_device("NVIDIA GB200") == "gb200-nvl72"
    with pytest.raises(SystemExit, match="none of the GPUs"):
        name_of_device("Tesla V100")
