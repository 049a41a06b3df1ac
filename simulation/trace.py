"""What a simulation reports: cycles of the whole run, of every unit of work, and what bounds it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StepTrace:
    """One instruction, cycles per input on the busiest unit of its region: `latency` is until its result is there."""

    text: str
    kind: str  # "compute" or "movement"
    busy_cycles: float
    latency_cycles: float


@dataclass(frozen=True)
class KernelTrace:
    """One kernel in the steady state, cycles per input; compute + movement + idle is the interval."""

    name: str
    group: str
    units: int
    compute_cycles: float
    movement_cycles: float
    idle_cycles: float
    macs: int  # per input, all units
    steps: tuple[StepTrace, ...]

    @property
    def busy_cycles(self) -> float:
        """Cycles per input in which the kernel's units work."""
        return self.compute_cycles + self.movement_cycles


@dataclass(frozen=True)
class StreamTrace:
    """One stream, per input: `busiest_link_cycles` on its most loaded link, `latency_cycles` of one transfer."""

    name: str
    source: str
    target: str
    bytes: int
    hop_bytes: int
    busiest_link_cycles: float
    latency_cycles: float


@dataclass(frozen=True)
class Trace:
    """A simulated run: `latency_cycles` of one input alone, `interval_cycles` between inputs in the steady state."""

    clock_hz: float
    latency_cycles: int
    interval_cycles: int
    kernels: tuple[KernelTrace, ...]
    streams: tuple[StreamTrace, ...]
    bounded_by: str

    @property
    def latency_seconds(self) -> float:
        """Time of one input alone."""
        return self.latency_cycles / self.clock_hz

    @property
    def inputs_per_second(self) -> float:
        """Throughput of the steady state."""
        return self.clock_hz / self.interval_cycles
