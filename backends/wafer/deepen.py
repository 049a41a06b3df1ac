"""Memory that sizing left holds more of what arrives, so that fewer senders wait for room.

The depths that kernels are sized with (`depths.py`) are what an even flow takes. Kernels do not flow evenly: they wait
for neighbours, for links, and for each other in circles. Half as much again, where a core has the memory, lets
ResNet-50 on wse2 run at its slowest kernel rather than at half its rate; more than that gave nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

from wsc.backends.wafer.cutting import Cutting
from wsc.backends.wafer.emit.kernel import draft_kernel
from wsc.backends.wafer.estimate import data_bytes
from wsc.backends.wafer.kernels import FusedKernel
from wsc.backends.wafer.sizing import Candidate

_MORE = 1.5


def deepen(kernels: Sequence[FusedKernel], chosen: Sequence[Candidate], sram_bytes: int) -> list[Candidate]:
    """The kernels' candidates with streams that buffer more chunks, as far as `sram_bytes` of a core go."""
    made: dict[tuple[object, Candidate], Candidate] = {}
    found = []
    for kernel, candidate in zip(kernels, chosen, strict=True):
        key = kernel.signature, candidate
        if key not in made:
            made[key] = _deepened(kernel, candidate, sram_bytes)
        found.append(made[key])
    return found


def _deepened(kernel: FusedKernel, candidate: Candidate, sram_bytes: int) -> Candidate:
    depths = candidate.cutting.depths
    held = _bytes(kernel, candidate.cutting)
    others = candidate.bytes - held
    each = [_bytes(kernel, _with(candidate.cutting, i)) - held for i in range(len(depths))]
    spare, wanted = sram_bytes - candidate.bytes, list(depths)
    while True:  # a chunk more for the stream that is farthest from what it should have
        able = [i for i, d in enumerate(depths) if wanted[i] < ceil(_MORE * d) and each[i] <= spare]
        if not able:
            break
        least = min(able, key=lambda i: (wanted[i] / depths[i], i))
        wanted[least] += 1
        spare -= each[least]
    cutting = replace(candidate.cutting, depths=tuple(wanted))
    total = others + _bytes(kernel, cutting)
    return replace(candidate, cutting=cutting, bytes=total) if total <= sram_bytes else candidate


def _with(cutting: Cutting, stream: int) -> Cutting:
    """One chunk more for a stream."""
    return replace(cutting, depths=tuple(d + (i == stream) for i, d in enumerate(cutting.depths)))


def _bytes(kernel: FusedKernel, cutting: Cutting) -> int:
    return data_bytes(draft_kernel(kernel, cutting).buffers)
