"""The trace as JSON."""

import pytest

from wsc.compiler.errors import VerificationError
from wsc.simulation.trace import KernelTrace, StepTrace, StreamTrace, Trace

STEP = StepTrace("%y = relu() %x", "compute", 12, 13.5)
KERNEL = KernelTrace("fc", "linear", 6, 12, 3.5, 4.5, 1000, 2048, (STEP, STEP))
STREAM = StreamTrace("s0", "host", "fc", 64, 128, 8, 11)
TRACE = Trace(850e6, 120, 20, (KERNEL,), (STREAM,), "kernel 'fc': busy 15.5 of 20 cycles")


def test_a_trace_reads_back_equal() -> None:
    assert Trace.from_json(TRACE.to_json()) == TRACE
    assert Trace.from_json(TRACE.to_json()).to_json() == TRACE.to_json()


def test_seconds_and_rates_follow_from_the_clock() -> None:
    assert TRACE.latency_seconds == 120 / 850e6
    assert TRACE.inputs_per_second == 850e6 / 20
    assert KERNEL.busy_cycles == 15.5


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "not a trace"),
        ("[]", "not a trace"),
        ("{}", "not a trace"),
        (TRACE.to_json().replace('"units": 6', '"units": "six"'), "units"),
        (TRACE.to_json().replace('"bounded_by"', '"bound"'), "bounded_by"),
        (TRACE.to_json().replace('_version": 1', '_version": 9'), "version 9, this wsc reads version 1"),
    ],
)
def test_what_is_no_trace_is_refused(text: str, fault: str) -> None:
    with pytest.raises(VerificationError, match=fault):
        Trace.from_json(text)
