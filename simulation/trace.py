"""What a simulation reports: cycles of the whole run, of every unit of work, and what bounds it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from pydantic import TypeAdapter, ValidationError

from wsc.compiler.errors import VerificationError

VERSION = 2


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
    bytes_per_unit: int  # memory used on the fullest unit, code included
    steps: tuple[StepTrace, ...]
    wafer: int = 0  # of several in a row

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
class EnergyPart:
    """Joules of one input in one component of the machine; `moves_data` where they move bits rather than compute."""

    component: str
    joules: float
    moves_data: bool


@dataclass(frozen=True)
class Trace:
    """A simulated run: `latency_cycles` of one input alone, `interval_cycles` between inputs in the steady state.

    `energy` is that of one input in the steady state, by component; empty where the target has no model of it. Where an
    input is known only after the outputs of the one before, as the next token is, the interval is the latency, and
    `known_interval_cycles` is what it would be of inputs that are known in advance, as a prompt's are; else it is 0.
    """

    clock_hz: float
    latency_cycles: int
    interval_cycles: int
    kernels: tuple[KernelTrace, ...]
    streams: tuple[StreamTrace, ...]
    bounded_by: str
    energy: tuple[EnergyPart, ...] = ()
    known_interval_cycles: int = 0

    @property
    def energy_joules(self) -> float:
        """Energy of one input; 0 where the target has no model of it."""
        return sum(part.joules for part in self.energy)

    @property
    def moving_share(self) -> float:
        """Part of the energy that moves data, 0 to 1."""
        moving = sum(part.joules for part in self.energy if part.moves_data)
        return moving / self.energy_joules if self.energy else 0.0

    @property
    def mean_watts(self) -> float:
        """Power of the steady state."""
        return self.energy_joules * self.inputs_per_second

    @property
    def latency_seconds(self) -> float:
        """Time of one input alone."""
        return self.latency_cycles / self.clock_hz

    @property
    def inputs_per_second(self) -> float:
        """Throughput of the steady state."""
        return self.clock_hz / self.interval_cycles

    def to_json(self) -> str:
        """The trace as JSON; `from_json` reads it back to an equal trace."""
        floats = _TRACE.validate_python(asdict(self))  # whole cycles as they will be read back
        return json.dumps({"wsc_trace_version": VERSION, "trace": asdict(floats)}, indent=1) + "\n"

    @staticmethod
    def from_json(text: str) -> Trace:
        """Read back what `to_json` wrote; raises VerificationError on anything else."""
        try:
            data = json.loads(text)
            version = data["wsc_trace_version"]
            if version != VERSION:
                raise VerificationError(f"a trace of version {version}, this wsc reads version {VERSION}")
            return _TRACE.validate_json(json.dumps(data["trace"]), strict=True)
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            raise VerificationError(f"not a trace: {error}") from error


_TRACE = TypeAdapter(Trace)
