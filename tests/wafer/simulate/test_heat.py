"""Where energy is spent: every joule on some core, words where they pass, and warmth where there is work."""

import numpy as np
import pytest

from tests.wafer.simulate.programs import MACHINES, chain, wafer
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Program
from wsc.backends.wafer.simulate import floorplan, simulate
from wsc.backends.wafer.simulate.heat import energy_map, temperature_map
from wsc.backends.wafer.simulate.prepare import prepare
from wsc.compiler.errors import UserError
from wsc.compiler.machine import read_machine

PROGRAMS = {"one": chain("relu"), "two": chain("relu", "mac"), "chunks": chain("mac", words=4, chunks=4)}


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_joule_but_those_of_the_edge_is_on_a_core(name: str) -> None:
    program, machine = PROGRAMS[name], wafer()
    trace = simulate(program, machine)
    found = energy_map(prepare(program, machine), trace.interval_cycles)
    edge = sum(part.joules for part in trace.energy if part.component == "edge")
    assert found.sum() == pytest.approx(trace.energy_joules - edge, rel=1e-12)


def test_work_and_words_are_where_they_are() -> None:
    """Kernels on cores 0 and 1 of the first row; their words leave over the whole row, and no other core does more."""
    program, machine = chain("mac", "relu"), wafer()
    found = energy_map(prepare(program, machine), 1)
    static = machine.energy.static_watts / machine.core.clock_hz / 16
    dynamic = (found - static) * 1e12
    assert dynamic[1:] == pytest.approx(np.zeros((3, 4)), abs=1e-9)
    assert dynamic[0, 0] > dynamic[0, 1] > dynamic[0, 2] == pytest.approx(dynamic[0, 3])
    assert dynamic[0, 3] == pytest.approx(8 * 4 * machine.energy.hop_pj_per_byte)


def test_the_warmest_core_is_the_busiest_and_cooling_is_the_machines() -> None:
    program, machine = chain("mac", "relu"), cooled(wafer())
    trace = simulate(program, machine)
    found = energy_map(prepare(program, machine), trace.interval_cycles)
    degrees = temperature_map(machine, found, trace.interval_cycles)
    assert machine.thermal is not None
    assert degrees.min() > machine.thermal.coolant_celsius
    assert np.unravel_index(degrees.argmax(), degrees.shape) == (0, 0)
    assert "Temperature, steady state" in titles(program, machine)


def test_a_machine_without_cooling_has_no_temperature() -> None:
    program, machine = chain("mac"), wafer()
    assert "Temperature, steady state" not in titles(program, machine)
    with pytest.raises(UserError, match=r"'wafer-4x4' says nothing of how it is cooled: .* \[thermal\]"):
        temperature_map(machine, np.ones((4, 4)), 1)


def cooled(machine: Wafer) -> Wafer:
    """The machine with the cooling of a wse2."""
    return machine.model_copy(update={"thermal": read_machine(MACHINES / "wse2.toml", Wafer).thermal})


def titles(program: Program, machine: Wafer) -> list[str]:
    return [field.title for field in floorplan(program, machine, simulate(program, machine)).fields]
