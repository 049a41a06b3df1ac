"""The trace as JSON."""

from dataclasses import replace

import pytest

from wsc.compiler.errors import VerificationError
from wsc.simulation.trace import EnergyPart, KernelTrace, StepTrace, StreamTrace, Trace

STEP = StepTrace("%y = relu() %x", "compute", 12, 13.5)
KERNEL = KernelTrace("fc", "linear", 6, 12, 3.5, 4.5, 1000, 2048, (STEP, STEP))
STREAM = StreamTrace("s0", "host", "fc", 64, 128, 8, 11)
ENERGY = (EnergyPart("multiply-adds", 3e-9, False), EnergyPart("links", 1e-9, True))
TRACE = Trace(850e6, 120, 20, (KERNEL,), (STREAM,), "kernel 'fc': busy 15.5 of 20 cycles", ENERGY)


def test_a_trace_reads_back_equal() -> None:
    assert Trace.from_json(TRACE.to_json()) == TRACE
    assert Trace.from_json(TRACE.to_json()).to_json() == TRACE.to_json()


def test_seconds_and_rates_follow_from_the_clock() -> None:
    assert TRACE.latency_seconds == 120 / 850e6
    assert TRACE.inputs_per_second == 850e6 / 20
    assert KERNEL.busy_cycles == 15.5
    assert TRACE.energy_joules == pytest.approx(4e-9)
    assert TRACE.moving_share == pytest.approx(0.25)
    assert TRACE.mean_watts == pytest.approx(4e-9 * 850e6 / 20)


def test_without_a_model_of_energy_there_is_none() -> None:
    trace = replace(TRACE, energy=())
    assert (trace.energy_joules, trace.moving_share, trace.mean_watts) == (0, 0, 0)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "not a trace"),
        ("[]", "not a trace"),
        ("{}", "not a trace"),
        (TRACE.to_json().replace('"units": 6', '"units": "six"'), "units"),
        (TRACE.to_json().replace('"bounded_by"', '"bound"'), "bounded_by"),
        (TRACE.to_json().replace('_version": 2', '_version": 9'), "version 9, this wsc reads version 2"),
    ],
)
def test_what_is_no_trace_is_refused(text: str, fault: str) -> None:
    with pytest.raises(VerificationError, match=fault):
        Trace.from_json(text)
