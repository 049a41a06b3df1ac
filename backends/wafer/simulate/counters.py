"""Quantities of the whole wafer over time: power, load of the links, memory that is taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wsc.backends.wafer.simulate.energy import PICO, kernel_energy, stream_energy
from wsc.backends.wafer.simulate.prepare import Prepared
from wsc.simulation.timeline import Counter, Span, counter_of

Spans = Mapping[str, Sequence[Span]]


def counters(prepared: Prepared, kernels: Spans, streams: Spans, inputs: int) -> tuple[Counter, ...]:
    """Counters of a run of so many inputs, from the spans of its kernels and of its streams by name.

    The joules of an input are spent evenly over the time in which a kernel or a stream is busy with it.
    """
    program, machine = prepared.program, prepared.machine
    clock = machine.core.clock_hz
    power: list[tuple[int, int, float]] = []
    links: list[tuple[int, int, float]] = []
    for kernel in program.kernels:
        spent = kernel_energy(machine, kernel)
        joules = PICO * (spent.macs + spent.vector_ops + spent.memory + spent.links + spent.edge)
        power += _spread(kernels[kernel.name], joules * inputs, clock)
    for traffic in prepared.traffic:
        spans, spent = streams[traffic.stream.name], stream_energy(machine, traffic)
        power += _spread(spans, PICO * (spent.memory + spent.links + spent.edge) * inputs, clock)
        links += _spread(spans, float(traffic.hop_bytes * inputs), clock)
    taken = sum(
        (k.data_bytes + k.code_bytes + machine.core.runtime_code_bytes) * k.cores for k in program.kernels
    )
    return (
        counter_of("power", "W", machine.energy.static_watts * program.wafers, power),
        counter_of("load of the links between kernels", "B hops/s", 0.0, links),
        counter_of("SRAM taken", "B", float(taken), ()),
    )


def _spread(spans: Sequence[Span], amount: float, clock_hz: float) -> list[tuple[int, int, float]]:
    """(start, end, amount a second) of an amount that is spread evenly over spans."""
    busy = sum(span.cycles for span in spans)
    return [(s.start, s.end, amount / busy * clock_hz) for s in spans if s.cycles] if busy else []
