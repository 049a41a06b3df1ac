"""Where an input's energy is spent, and how warm that makes the wafer: [height, width], every core."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import HOST, Kernel
from wsc.backends.wafer.simulate.energy import PICO, kernel_energy, stream_energy
from wsc.backends.wafer.simulate.maps import region_of, working_cores
from wsc.backends.wafer.simulate.prepare import Prepared
from wsc.backends.wafer.simulate.traffic import Traffic
from wsc.compiler.errors import UserError
from wsc.simulation.thermal import temperature

Joules = NDArray[np.float64]


def energy_map(prepared: Prepared, interval: int) -> Joules:
    """Joules of an input on each core: the parts of `energy` but the edge's, which is spent beside the cores.

    A kernel's arithmetic and memory are spread over the cores that hold parts of its longest result, its movement over
    its region; a stream's links are where its words pass; what is static is the same everywhere.
    """
    program, machine = prepared.program, prepared.machine
    static = machine.energy.static_watts * interval / machine.core.clock_hz
    joules = np.full((program.height, program.width), static / (program.height * program.width))
    for kernel, costs in zip(program.kernels, prepared.costs, strict=True):
        spent = kernel_energy(machine, kernel)
        working = working_cores(kernel, costs)
        local = PICO * (spent.macs + spent.vector_ops + spent.memory)
        joules[region_of(kernel)] += working * (local / np.count_nonzero(working))
        joules[region_of(kernel)] += PICO * spent.links / kernel.cores
    kernels = {kernel.name: kernel for kernel in program.kernels}
    for traffic in prepared.traffic:
        _add_stream(joules, machine, traffic, kernels)
    return joules


def _add_stream(joules: Joules, machine: Wafer, traffic: Traffic, kernels: dict[str, Kernel]) -> None:
    spent = stream_energy(machine, traffic)
    ends = [e.kernel for e in (traffic.stream.source, traffic.stream.target) if e.kernel != HOST]
    for name in ends:
        kernel = kernels[name]
        joules[region_of(kernel)] += PICO * spent.memory / len(ends) / kernel.cores
    loads = traffic.loads
    words = loads.words.sum(axis=0).astype(np.float64)
    total = words.sum()
    if not total:
        return
    words[:, max(0, -loads.x) : max(0, -loads.x) + 1] += words[:, : max(0, -loads.x)].sum(
        axis=1, keepdims=True
    )
    inside = words[:, max(0, -loads.x) : joules.shape[1] - loads.x]
    left = max(0, loads.x)
    box = (slice(loads.y, loads.y + inside.shape[0]), slice(left, left + inside.shape[1]))
    joules[box] += inside * (PICO * spent.links / total)


def temperature_map(machine: Wafer, joules: Joules, interval: int) -> NDArray[np.float64]:
    """Degrees Celsius of each core in the steady state; raises UserError where the machine says nothing of cooling."""
    if machine.thermal is None:
        raise UserError(
            f"The machine '{machine.name}' says nothing of how it is cooled: give its file a table [thermal]."
        )
    watts = joules * (machine.core.clock_hz / interval)
    side = sqrt(machine.whole.area_mm2 / machine.cores)
    return temperature(watts, machine.thermal, (side, side))
