"""Colours and switch positions that a pipeline takes of the fabric, and whether its routes can lock.

A stream takes a colour at every router that it passes, with switch positions that change in the order of its messages;
a kernel takes those of its movements. Streams that meet at a router get colours of different numbers; kernels take
those that the streams through their regions leave.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, islice

import numpy as np

from wsc.backends.wafer.channels import check_routes
from wsc.backends.wafer.kernel_colors import Made, color_kernel
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Program
from wsc.backends.wafer.simulate.traffic import find_traffic
from wsc.backends.wafer.stream_colors import Map, exact_colors, region, routers, stream_colors
from wsc.compiler.errors import DoesNotFit


@dataclass(frozen=True)
class FabricUse:
    """Most colours at a router, of how many; at which, and in which kernel; numbers in all; most switch positions."""

    colors: int
    available: int
    at: tuple[int, int]
    kernel: str
    numbers: int
    positions: int

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """For a person, and for the build folder."""
        where = f"in '{self.kernel}'" if self.kernel else "between kernels"
        return (
            (
                "colours",
                f"at most {self.colors} of {self.available} at a router, at {self.at} {where}; {self.numbers} in all",
            ),
            ("switch positions", f"at most {self.positions} at a router"),
        )


def fabric_use(program: Program, machine: Wafer) -> FabricUse | None:
    """What a pipeline takes of the fabric; None for a program that runs in order.

    Raises DoesNotFit where colours run out, VerificationError where routes can lock.
    """
    if program.kernels[0].in_order:
        return None
    traffic = find_traffic(program, machine)
    for t in traffic:
        check_routes(t.stream.name, t.ways)
    passed = [routers(program, t) for t in traffic]
    try:
        return _use(program, passed, stream_colors(program, passed, machine), machine)
    except DoesNotFit:
        exact = exact_colors(program, passed, machine)
        if exact is None:
            raise
        return _use(program, passed, exact, machine)


def _use(program: Program, passed: Sequence[Map], colors: Sequence[int], machine: Wafer) -> FabricUse:
    """What is taken with these colours of the streams; raises DoesNotFit where they leave a kernel too few."""
    made: Made = {}
    kernels, numbers = [], max(colors, default=-1) + 1
    total = np.zeros((program.height, program.width), np.int64)
    for cells in passed:
        total += cells
    for kernel in program.kernels:
        taken = {color for color, cells in zip(colors, passed, strict=True) if cells[region(kernel)].any()}
        found = color_kernel(kernel, machine, len(taken), made)
        free = (color for color in count() if color not in taken)
        numbers = max([numbers, *(color + 1 for color in islice(free, found.used))])
        kernels.append(found)
    for kernel, found in zip(program.kernels, kernels, strict=True):
        total[region(kernel)] += found.used
    y, x = (int(i) for i in np.unravel_index(int(total.argmax()), total.shape))
    name = next(
        (k.name for k in program.kernels if k.x <= x < k.x + k.width and k.y <= y < k.y + k.height), ""
    )
    positions = max((k.most_positions for k in kernels), default=1)
    return FabricUse(int(total.max()), machine.fabric.colors, (x, y), name, numbers, positions)
