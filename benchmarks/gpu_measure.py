"""Kernels and written training steps measured on a CUDA GPU, beside what is modelled and simulated for them.

    python -m benchmarks.gpu_measure [--gpu h200]

Without a CUDA GPU it prints the model's times alone. Each kernel runs from a CUDA graph that holds it many times, over
as many operands by turns as the L2 cannot hold; the median of the replays counts. The steps are the code that is
written for one GPU (benchmarks/gpu_measure_programs.py).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import ceil
from statistics import median

import torch

from benchmarks.gpu_measure_programs import run_seconds, step_lines
from benchmarks.gpu_micro import shipped_gpu
from wsc.backends.gpu_cluster.clusters import gpu_names
from wsc.backends.gpu_cluster.kernels import Attention, Gemm, Kernel, Pointwise, Precision
from wsc.backends.gpu_cluster.machine import Gpu
from wsc.backends.gpu_cluster.simulate.energy import kernel_work
from wsc.backends.gpu_cluster.simulate.kernels import kernel_seconds

IN_A_GRAPH, REPLAYS, COPIES = 20, 15, 4
L2_TIMES = 3  # what all operands together are at least, over the L2
KERNELS: tuple[Kernel, ...] = (
    *(Gemm(m, 8192, 8192) for m in (1, 16, 128, 512, 2048, 8192)),
    *(Gemm(m, 1024, 16384) for m in (16, 256, 4096)),
    *(Pointwise(size, size) for size in (2**20, 2**26, 2**30)),
    *(Attention("forward", 4, 32, 32, length, length, 128) for length in (512, 2048, 8192)),
)


@dataclass(frozen=True)
class Line:
    """A kernel with its modelled seconds, and its measured ones where there is a GPU."""

    kernel: Kernel
    modelled: float
    measured: float | None

    def text(self) -> str:
        """One line of the table."""
        name = f"{self.kernel}"[:96]
        if self.measured is None:
            return f"{name:98} {1e6 * self.modelled:10.2f} us"
        error = self.modelled / self.measured - 1
        return f"{name:98} {1e6 * self.modelled:10.2f} us {1e6 * self.measured:10.2f} us {error:+7.1%}"


def lines(gpu: Gpu, measure: Callable[[Kernel], float] | None) -> Iterator[Line]:
    """Every kernel, modelled and, where `measure` is given, measured."""
    for kernel in KERNELS:
        yield Line(kernel, kernel_seconds(kernel, gpu, graphs=True), measure(kernel) if measure else None)


def runner(kernel: Kernel, device: str, copy: int) -> Callable[[], object]:
    """A call that runs a kernel once on its own operands."""
    torch.manual_seed(copy)

    def operand(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, device=device, dtype=torch.bfloat16)

    match kernel:
        case Gemm(m=m, n=n, k=k, batch=1, precision=Precision.BF16, accumulate=False):
            left, right = operand(m, k), operand(n, k)
            return lambda: torch.nn.functional.linear(left, right)
        case Attention("forward", batch, heads, kv_heads, queries, keys, head, Precision.BF16) if (
            queries == keys
        ):
            query = operand(batch, heads, queries, head)
            key, value = (operand(batch, kv_heads, keys, head) for _ in range(2))
            options = {"is_causal": kernel.causal, "enable_gqa": heads != kv_heads}
            return lambda: torch.nn.functional.scaled_dot_product_attention(query, key, value, **options)
        case Pointwise(bytes_read=size, bytes_written=written) if size == written:
            source = operand(size // 2)
            return lambda: source.clone()
        case _:
            raise ValueError(f"{kernel} is not measured here")


def copies_of(kernel: Kernel, l2_bytes: int) -> int:
    """How many operands to take by turns, so that none is still in the L2 when its turn comes again."""
    return max(COPIES, ceil(L2_TIMES * l2_bytes / kernel_work(kernel).hbm_bytes))


def measured_on_cuda(kernel: Kernel, l2_bytes: int) -> float:
    """Median seconds of one kernel on the CUDA device."""
    calls = [runner(kernel, "cuda", copy) for copy in range(copies_of(kernel, l2_bytes))]
    in_a_graph = max(IN_A_GRAPH, len(calls))
    for call in calls:  # libraries choose and compile outside the graph
        call()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for number in range(in_a_graph):
            calls[number % len(calls)]()
    times = []
    for _ in range(REPLAYS):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        graph.replay()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end) / 1e3 / in_a_graph)
    return median(times)


def name_of_device(device: str) -> str:
    """The shipped GPU that a CUDA device's name means; raises SystemExit where none does."""
    words = device.lower().split()
    found = [name for name in gpu_names() if name.split("-")[0] in words]
    if not found:
        raise SystemExit(f"'{device}' is none of the GPUs that are shipped: {', '.join(gpu_names())}")
    return found[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--gpu", choices=gpu_names())
    name = parser.parse_args().gpu
    there = torch.cuda.is_available()
    name = name or (name_of_device(torch.cuda.get_device_name()) if there else "h200")
    print(f"{name}: modelled" + (", measured, error" if there else " (no CUDA GPU here to measure on)"))
    gpu = shipped_gpu(name)
    for line in lines(gpu, partial(measured_on_cuda, l2_bytes=gpu.l2_bytes) if there else None):
        print(line.text())
    for text in step_lines(gpu, run_seconds if there else None):
        print(text)


if __name__ == "__main__":
    main()
