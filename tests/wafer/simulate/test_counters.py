"""Counters of a run: power that adds up to the energy of its inputs, links that add up to their bytes times hops."""

from itertools import pairwise

import pytest

from tests.wafer.simulate.programs import chain, wafer
from wsc.backends.wafer.simulate import simulate
from wsc.backends.wafer.simulate.timeline import timeline
from wsc.simulation.timeline import Counter


def integral(counter: Counter, clock_hz: float) -> float:
    return sum(v * (b - a) for (a, v), (b, _) in pairwise(counter.points)) / clock_hz


@pytest.mark.parametrize("inputs", [1, 3])
def test_they_add_up(inputs: int) -> None:
    program, machine = chain("mac", "relu", words=4, chunks=4), wafer()
    trace = simulate(program, machine)
    found = {counter.name: counter for counter in timeline(program, machine, inputs).counters}
    clock = machine.core.clock_hz
    power = found["power"]
    static = machine.energy.static_watts * (power.points[-1][0] - power.points[0][0]) / clock
    dynamic = sum(part.joules for part in trace.energy if part.component != "static")
    assert integral(power, clock) - static == pytest.approx(inputs * dynamic, rel=1e-6)
    links = found["load of the links between kernels"]
    assert integral(links, clock) == pytest.approx(inputs * sum(s.hop_bytes for s in trace.streams))
    assert found["SRAM taken"].points == ((0, sum(k.bytes_per_unit * k.units for k in trace.kernels)),)
