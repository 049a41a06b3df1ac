"""The trace of a run: where the cycles of an interval went, and what bounds it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import HOST, Kernel, Program, Stream
from wsc.backends.wafer.simulate.costs import COMPUTE, Cost
from wsc.backends.wafer.simulate.energy import energy
from wsc.backends.wafer.simulate.network import Resource
from wsc.backends.wafer.simulate.prepare import Prepared, executing_cores, runs_per_input
from wsc.backends.wafer.simulate.traffic import Traffic
from wsc.backends.wafer.text import print_instruction
from wsc.simulation.trace import KernelTrace, StepTrace, StreamTrace, Trace

SATURATED = 0.9  # a resource this busy is what bounds the interval
NAMED_STREAMS = 4


@dataclass(frozen=True)
class Load:
    """How long something is busy for one input."""

    name: str
    cycles: int


def report(prepared: Prepared, latency: int, interval: int, blocked: Mapping[str, int]) -> Trace:
    """The trace; `blocked` are the cycles an input that each stream's source waits for room at the target."""
    program = prepared.program
    return Trace(
        clock_hz=prepared.machine.core.clock_hz,
        latency_cycles=latency,
        interval_cycles=interval,
        kernels=tuple(
            _kernel(k, c, interval, prepared.machine)
            for k, c in zip(program.kernels, prepared.costs, strict=True)
        ),
        streams=tuple(_stream(t, prepared.machine) for t in prepared.traffic),
        bounded_by=_bound(prepared, interval, blocked),
        energy=energy(prepared, interval),
    )


def _kernel(kernel: Kernel, costs: tuple[Cost, ...], interval: int, machine: Wafer) -> KernelTrace:
    rows = list(zip(kernel.instructions(), costs, runs_per_input(kernel), strict=True))
    compute = sum(cost.occupancy * runs for _, cost, runs in rows if cost.kind == COMPUTE)
    movement = sum(cost.occupancy * runs for _, cost, runs in rows if cost.kind != COMPUTE)
    return KernelTrace(
        name=kernel.name,
        group=kernel.group,
        units=kernel.cores,
        compute_cycles=compute,
        movement_cycles=movement,
        idle_cycles=max(0, interval - compute - movement),
        macs=sum(cost.macs * runs * executing_cores(kernel, i) for i, cost, runs in rows),
        bytes_per_unit=kernel.data_bytes + kernel.code_bytes + machine.core.runtime_code_bytes,
        steps=tuple(
            StepTrace(print_instruction(i), c.kind, c.occupancy * runs, c.latency * runs)
            for i, c, runs in rows
        ),
    )


def _stream(traffic: Traffic, machine: Wafer) -> StreamTrace:
    stream = traffic.stream
    return StreamTrace(
        name=stream.name,
        source=stream.source.kernel,
        target=stream.target.kernel,
        bytes=traffic.bytes,
        hop_bytes=traffic.hop_bytes,
        busiest_link_cycles=traffic.loads.busiest * traffic.tensors,
        latency_cycles=traffic.flight_cycles(machine),
    )


def least_interval(prepared: Prepared) -> int:
    """Cycles an input of the busiest engine, stream, shared link or edge: outputs cannot be closer for long."""
    engines = (load.cycles for load in _engines(prepared))
    return max(*engines, *(resource.cycles for resource in prepared.network.resources))


def _bound(prepared: Prepared, interval: int, blocked: Mapping[str, int]) -> str:
    most = max(_loads(prepared), key=lambda load: load.cycles)
    if most.cycles >= SATURATED * interval:
        return f"{most.name}: busy {min(most.cycles, interval)} of {interval} cycles"
    nothing = f"no resource is busy more than {most.cycles} of {interval} cycles ({most.name})"
    tight = _tightest(prepared.program, blocked)
    if tight is None:
        return f"latency: steps wait for each other, too few inputs or chunks are in flight; {nothing}"
    return (
        f"back-pressure: stream {tight.name} from '{tight.source.kernel}' waits {blocked[tight.name]} cycles an input"
        f" for room at '{tight.target.kernel}' (capacity {tight.capacity}); {nothing}"
    )


def _tightest(program: Program, blocked: Mapping[str, int]) -> Stream | None:
    """The stream whose source waits for room the longest, less what its target waits itself for room further on."""

    def own_wait(stream: Stream) -> int:
        onward = (blocked[s.name] for s in program.streams if s.source.kernel == stream.target.kernel)
        return blocked[stream.name] - max(onward, default=0)

    waiting = [s for s in program.streams if s.source.kernel != HOST and own_wait(s) > 0]
    return max(waiting, key=own_wait, default=None)


def _loads(prepared: Prepared) -> Iterator[Load]:
    """Everything that can be busy, with the cycles one input takes of it."""
    yield from _engines(prepared)
    for kernel, costs in zip(prepared.program.kernels, prepared.costs, strict=True):
        runs = runs_per_input(kernel)
        for line in ("x", "y"):
            cycles = sum(c.line_cycles * n for c, n in zip(costs, runs, strict=True) if line in c.lines)
            yield Load(f"the links along {line} inside kernel '{kernel.name}'", cycles)
    yield from (Load(_resource_name(resource), resource.cycles) for resource in prepared.network.resources)


def _engines(prepared: Prepared) -> Iterator[Load]:
    for kernel, costs in zip(prepared.program.kernels, prepared.costs, strict=True):
        runs = runs_per_input(kernel)
        yield Load(f"kernel '{kernel.name}'", sum(c.occupancy * n for c, n in zip(costs, runs, strict=True)))


def _resource_name(resource: Resource) -> str:
    names = ", ".join(resource.streams[:NAMED_STREAMS])
    more = len(resource.streams) - NAMED_STREAMS
    return f"{resource.name} {names}" + (f" and {more} more" if more > 0 else "")
