"""The best products that others published of GPUs, beside what the models make of a data sheet: no constant is fitted
on any of these. They are the only figures at hand of GPUs without rows of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.gpu_micro import shipped_gpu
from wsc.backends.gpu_cluster.kernels import Gemm, Precision
from wsc.backends.gpu_cluster.simulate.gemm import gemm_seconds

BEKMAN = "Bekman, ml-engineering, compute/accelerator: best of many shapes, mean of 100"
AMD = "AMD, Measuring Max-Achievable FLOPs, part 2, February 2025, table 1"


@dataclass(frozen=True)
class Published:
    """One measured product: m, n and k, and operations a second."""

    gpu: str
    precision: Precision
    shape: tuple[int, int, int]
    teraflops: float
    source: str

    @property
    def modelled(self) -> float:
        """TFLOP/s of the model, measured alone."""
        m, n, k = self.shape
        seconds = gemm_seconds(Gemm(m, n, k, 1, self.precision), shipped_gpu(self.gpu))
        return 2 * m * n * k / seconds / 1e12

    @property
    def error(self) -> float:
        """Modelled over measured seconds, less one."""
        return self.teraflops / self.modelled - 1


ROWS = (
    Published("a100", Precision.BF16, (1024, 10240, 5120), 271.2, BEKMAN),
    Published("h100", Precision.BF16, (2048, 2048, 13312), 794.5, BEKMAN),
    Published("h100", Precision.FP8, (1024, 9216, 14336), 1402.6, BEKMAN),
    Published("h200", Precision.FP8, (1280, 4096, 12032), 1453.4, BEKMAN),
    Published("b200", Precision.BF16, (1792, 16128, 3072), 1745.0, BEKMAN),
    Published("b200", Precision.FP8, (15360, 4096, 3072), 3432.5, BEKMAN),
    Published("gb200-nvl72", Precision.BF16, (4096, 9728, 2048), 1822.0, BEKMAN),
    Published("gb200-nvl72", Precision.FP8, (19456, 5120, 1536), 3615.6, BEKMAN),
    Published("mi300x", Precision.BF16, (10240, 15360, 8192), 668.4, BEKMAN),
    Published("mi300x", Precision.BF16, (4096, 4864, 32896), 708.0, AMD),
    Published("mi300x", Precision.FP8, (4096, 3648, 32896), 1273.0, AMD),
)


def published_table(calibrated: tuple[str, ...]) -> Iterator[str]:
    """The rows, and the mean error of the GPUs that no constant is fitted on."""
    yield "| GPU | type | m x n x k | measured, TFLOP/s | modelled | error of seconds |"
    yield "|---|---|---|---:|---:|---:|"
    for row in ROWS:
        shape = " x ".join(map(str, row.shape))
        figures = f"{row.teraflops:,.0f} | {row.modelled:,.0f} | {row.error:+.1%}"
        yield f"| {row.gpu} | {row.precision.value} | {shape} | {figures} |"
    strange = [abs(row.error) for row in ROWS if row.gpu not in calibrated]
    yield f"| **without rows** | all | | | | **{sum(strange) / len(strange):.1%}** |"
