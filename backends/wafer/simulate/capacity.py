"""What a wafer has to offer a program."""

from __future__ import annotations

from collections import Counter

from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Program
from wsc.compiler.ir.types import DType
from wsc.compiler.machine import Capacity


def capacity(program: Program, machine: Wafer) -> Capacity:
    """All usable cores, at their peak in the element type that most bytes of the program's weights have."""
    sizes: Counter[DType] = Counter()
    for kernel in program.kernels:
        for buffer in kernel.buffers:
            sizes[buffer.type.dtype] += buffer.type.bytes * (buffer.role == "weight")
    dtype = sizes.most_common(1)[0][0] if sizes else DType.F32
    cores = machine.usable_cores
    return Capacity(
        unit="core",
        units=cores,
        chips=1,
        memory_bytes=cores * machine.core.sram_bytes,
        peak_macs_per_second=cores * machine.peak_macs_per_cycle(dtype) * machine.core.clock_hz,
        area_mm2=machine.whole.area_mm2,
        rated_watts=machine.whole.rated_watts,
        network_bytes_per_second=cores * machine.fabric.link_bytes_per_cycle * machine.core.clock_hz,
    )
