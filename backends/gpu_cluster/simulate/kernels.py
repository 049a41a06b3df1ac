"""Seconds of a kernel on a GPU, from its shape, the data sheet and the calibration."""

from __future__ import annotations

from functools import singledispatch

from wsc.backends.gpu_cluster.kernels import Attention, Gemm, Kernel, Pointwise, Quantize
from wsc.backends.gpu_cluster.machine import Gpu
from wsc.backends.gpu_cluster.simulate.attention import attention_seconds
from wsc.backends.gpu_cluster.simulate.gemm import gemm_seconds
from wsc.backends.gpu_cluster.simulate.memory import pointwise_seconds, quantize_seconds

STEADY_SECONDS = (
    0.01  # of the longest products that constants are fitted on: of what comes after, no row tells
)


def kernel_seconds(kernel: Kernel, gpu: Gpu, graphs: bool = False, busy_seconds: float = 0.0) -> float:
    """Seconds of one kernel of a queue that never runs dry; `graphs` says it is launched from a CUDA graph.

    Launched one by one, a kernel takes at least as long as the host takes to launch the next. A GPU that has been
    `busy_seconds` before has lowered its clock. Raises ValueError where the GPU lacks the kernel's precision.
    """
    seconds = gemm_seconds(kernel, gpu, busy_seconds) if isinstance(kernel, Gemm) else _in_graph(kernel, gpu)
    return seconds if graphs else max(seconds, gpu.launch_seconds)


@singledispatch
def _in_graph(kernel: Kernel, gpu: Gpu) -> float:
    raise TypeError(f"no kernel: {kernel!r}")


_in_graph.register(Attention, attention_seconds)
_in_graph.register(Pointwise, pointwise_seconds)
_in_graph.register(Quantize, quantize_seconds)
