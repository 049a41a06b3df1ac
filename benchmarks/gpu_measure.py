"""Kernels of the model measured on a CUDA GPU, beside what the model gives for it.

    python -m benchmarks.gpu_measure [--gpu h200]

Without a CUDA GPU it prints the model's times alone. Each kernel runs from a CUDA graph that holds twenty of it, over
operands that are exchanged from run to run so that the L2 does not hold them; the median of the replays counts.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

import torch

from benchmarks.gpu_micro import shipped_gpu
from wsc.backends.gpu_cluster.clusters import gpu_names
from wsc.backends.gpu_cluster.kernels import Attention, Gemm, Kernel, Pointwise
from wsc.backends.gpu_cluster.machine import Gpu
from wsc.backends.gpu_cluster.simulate.kernels import kernel_seconds

IN_A_GRAPH, REPLAYS, COPIES = 20, 15, 4
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
        case Gemm(m=m, n=n, k=k):
            left, right = operand(m, k), operand(n, k)
            return lambda: torch.nn.functional.linear(left, right)
        case Attention(batch=batch, heads=heads, q_len=queries, head_dim=head):
            parts = [operand(batch, heads, queries, head) for _ in range(3)]
            return lambda: torch.nn.functional.scaled_dot_product_attention(*parts, is_causal=kernel.causal)
        case Pointwise(bytes_read=size):
            source = operand(size // 2)
            return lambda: source.clone()
        case _:
            raise ValueError(f"{kernel} is not measured here")


def measured_on_cuda(kernel: Kernel) -> float:
    """Median seconds of one kernel on the CUDA device."""
    calls = [runner(kernel, "cuda", copy) for copy in range(COPIES)]
    for call in calls:  # libraries choose and compile outside the graph
        call()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for number in range(IN_A_GRAPH):
            calls[number % COPIES]()
    times = []
    for _ in range(REPLAYS):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        graph.replay()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end) / 1e3 / IN_A_GRAPH)
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
    for line in lines(shipped_gpu(name), measured_on_cuda if there else None):
        print(line.text())


if __name__ == "__main__":
    main()
