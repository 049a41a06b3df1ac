"""The simulation of a program: one input alone, then many until the spacing of outputs repeats."""

from __future__ import annotations

from collections.abc import Callable

from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Program
from wsc.backends.wafer.simulate.in_order import InOrder
from wsc.backends.wafer.simulate.pipeline import Pipeline
from wsc.backends.wafer.simulate.prepare import prepare
from wsc.backends.wafer.simulate.report import least_interval, report
from wsc.simulation.steady import mean_interval, steady_interval
from wsc.simulation.trace import Trace

MOST_OUTPUTS = 40

Progress = Callable[[str, int, int], None]


def simulate(program: Program, machine: Wafer, progress: Progress | None = None) -> Trace:
    """Simulate a program in cycles of the core clock.

    `progress(what, done, most)` is told how many outputs are complete, of at most how many. Raises SimulationError
    if the program does not fit the machine, is malformed or cannot go on.
    """
    prepared = prepare(program, machine)
    if program.kernels[0].in_order:
        return InOrder(prepared).trace()
    latency = Pipeline(prepared, lambda times: len(times) == 1, inputs=1).run()[-1]

    def enough(times: list[int]) -> bool:
        if progress is not None:
            progress("simulated outputs", len(times), MOST_OUTPUTS)
        return len(times) >= MOST_OUTPUTS or steady_interval(times) is not None

    pipeline = Pipeline(prepared, enough)
    times = pipeline.run()
    interval = max(steady_interval(times) or mean_interval(times), least_interval(prepared))
    blocked = {name: channel.blocked_cycles // len(times) for name, channel in pipeline.channels.items()}
    return report(prepared, latency, interval, blocked)
