"""Simulates a program: one input alone, then inputs one after another until their spacing repeats."""

from __future__ import annotations

from wsc.backends.cim.machine import CimMachine
from wsc.backends.cim.program import Program
from wsc.backends.cim.simulate.pipeline import Pipeline
from wsc.backends.cim.simulate.prepare import prepare
from wsc.backends.cim.simulate.report import report
from wsc.backends.target import Progress
from wsc.simulation.steady import mean_interval, steady_interval
from wsc.simulation.trace import Trace

MAX_INPUTS = 32


def simulate(program: Program, machine: CimMachine, progress: Progress | None = None) -> Trace:
    """Latency of one input alone and interval between inputs in the steady state; raises SimulationError."""
    prepared = prepare(program, machine)
    latency = max(1, Pipeline(prepared, lambda times: len(times) == 1, inputs=1).run()[0])
    if prepared.reloads:
        return report(prepared, latency, latency, {})  # arrays are filled again for each input: none overlap

    def enough(times: list[int]) -> bool:
        if progress is not None:
            progress("inputs", len(times), MAX_INPUTS)
        return steady_interval(times) is not None or len(times) >= MAX_INPUTS

    pipeline = Pipeline(prepared, enough)
    times = pipeline.run()
    interval = steady_interval(times) or mean_interval(times)
    blocked = {flow.stream.name: flow.blocked_cycles // len(times) for flow in pipeline.flows}
    return report(prepared, latency, max(1, min(interval, latency)), blocked)
