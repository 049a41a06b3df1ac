"""Programs whose kernels run in order: each core does one instruction after another, for one input at a time.

An instruction starts when the core is free and its operands are there. A movement or a load that goes on by itself
leaves the core to the next instruction, which waits if it reads what is still under way, or moves something in the same
direction: the routes of a region's lines are the same for all of its movements, and serve one at a time. Kernels hand
tensors to each other by streams, which from one wafer to the next pass the link between them besides; what a load
brings comes over the wafer's edge, one load after another.

The next input enters a kernel when the one before has left it, and a sender waits until its target is free. Where the
next input is known only after the outputs of this one, it starts when they are there.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import TopologicalSorter
from math import ceil

from wsc.backends.wafer.instructions import Load, Recv, Send
from wsc.backends.wafer.program import HOST, Instruction, Kernel, Program, Repeat
from wsc.backends.wafer.simulate.alike import is_of_streams
from wsc.backends.wafer.simulate.costs import COMPUTE, MOVEMENT, Cost
from wsc.backends.wafer.simulate.energy import energy
from wsc.backends.wafer.simulate.prepare import Prepared, executing_cores, instruction_cost
from wsc.backends.wafer.text import print_instruction
from wsc.simulation.trace import KernelTrace, StepTrace, StreamTrace, Trace

EDGE = "the wafer's edge"
INPUTS = 4  # until the spacing of inputs that are known in advance is that of the steady state

Watch = Callable[
    [str, "Line", int, int], None
]  # kernel, instruction, start, cycles of the core, or of the edge for a load


@dataclass
class _Run:
    """A kernel at work, in cycles from the start of the input."""

    free: int = 0
    edge_free: int = 0
    edge_cycles: int = 0
    lines: dict[str, int] = field(default_factory=dict)  # direction: when its last movement is through
    there: dict[tuple[str, int], int] = field(default_factory=dict)  # content: when it is there
    contents: Counter[str] = field(default_factory=Counter)  # loads so far
    step: int = 0


@dataclass(frozen=True)
class Line:
    """An instruction of a kernel with its cost and how often it runs."""

    instruction: Instruction
    cost: Cost
    runs: int

    @cached_property
    def step(self) -> StepTrace:
        """What a trace says of it."""
        cost = self.cost
        said = print_instruction(self.instruction)
        return StepTrace(said, cost.kind, cost.occupancy * self.runs, cost.latency * self.runs)


class InOrder:
    """Simulates the kernels in the order of their streams."""

    def __init__(self, prepared: Prepared, watch: Watch | None = None) -> None:
        self.prepared = prepared
        self.machine = prepared.machine
        self.watch = watch
        self.traffic = {t.stream.name: t for t in prepared.traffic}
        known: dict[tuple[str, int], Line] = {}
        self.lines = {k.name: list(self._lines(k, known)) for k in prepared.program.kernels}
        self.order = _in_order(prepared.program)
        self.arrivals: dict[str, int] = {}
        self.begins: dict[str, int] = {}
        self.ends: dict[str, int] = dict.fromkeys(self.lines, 0)
        self.edges: dict[str, int] = {}
        self.host_end = 0

    def trace(self) -> Trace:
        """Run one input alone, then some more if they are known in advance, and say how far apart they are."""
        program = self.prepared.program
        latency = self.run_input(0)
        spans = {name: self.ends[name] - self.begins[name] for name in self.ends}
        slowest = max(spans, key=lambda name: spans[name])
        spacing = self._spacing(latency)
        interval = latency if program.awaits_itself else spacing
        kernels = tuple(self._kernel(k, interval) for k in program.kernels)
        return Trace(
            clock_hz=self.machine.core.clock_hz,
            latency_cycles=latency,
            interval_cycles=interval,
            kernels=kernels,
            streams=tuple(self._stream(name) for name in self.traffic),
            bounded_by=self._bound(kernels, interval, latency, slowest),
            energy=energy(self.prepared, interval),
            known_interval_cycles=spacing if program.awaits_itself else 0,
        )

    def run_input(self, start: int) -> int:
        """Run an input that the host gives in cycle `start`; returns when all of it is done."""
        self._host_sends(start)
        for kernel in self.order:
            self._run(kernel)
        return max(self.host_end, *self.ends.values())

    def _spacing(self, first: int) -> int:
        """Cycles between inputs that wait at the host."""
        ends = [first, *(self.run_input(0) for _ in range(INPUTS - 1))]
        return max(1, ends[-1] - ends[-2])

    def _lines(self, kernel: Kernel, known: dict[tuple[str, int], Line]) -> Iterator[Line]:
        """Instructions with their costs, those of a kernel that is like one before shared with it."""
        first = self.prepared.alike[kernel.name].name
        place = 0
        for instruction in kernel.instructions():
            repeat = instruction.op if isinstance(instruction.op, Repeat) else None
            for inner in repeat.body if repeat else (instruction,):
                if (first, place) not in known or is_of_streams(inner):
                    cost = instruction_cost(self.machine, kernel, inner, self.traffic)
                    known[first, place] = Line(inner, cost, repeat.steps if repeat else 1)
                yield known[first, place]
                place += 1

    def _host_sends(self, start: int) -> None:
        """All of the host's tensors come over the edge, one after another, each when its kernel is free."""
        edge: dict[int, int] = defaultdict(lambda: start)
        for name, traffic in self.traffic.items():
            if traffic.stream.source.kernel == HOST:
                target = traffic.stream.target.kernel
                begin = max(edge[self._wafer(target)], self.ends[target])
                self.arrivals[name] = begin + traffic.flight_cycles(self.machine)
                edge[self._wafer(target)] += traffic.edge_cycles(self.machine)

    def _run(self, kernel: Kernel) -> None:
        run = _Run()
        received = [i.op.stream for i in kernel.flat_instructions() if isinstance(i.op, Recv)]
        arrival = min((self.arrivals[s] for s in received), default=0)
        run.free = self.begins[kernel.name] = run.edge_free = max(arrival, self.ends[kernel.name])
        lines = iter(self.lines[kernel.name])
        for instruction in kernel.instructions():
            if isinstance(instruction.op, Repeat):
                body = [next(lines) for _ in instruction.op.body]
                for run.step in range(instruction.op.steps):
                    for line in body:
                        self._step(kernel, run, line, instruction.op.steps)
            else:
                self._step(kernel, run, next(lines), 1)
        self.ends[kernel.name] = max(run.free, *run.there.values(), 0)
        self.edges[kernel.name] = run.edge_cycles

    def _step(self, kernel: Kernel, run: _Run, line: Line, steps: int) -> None:
        op, cost = line.instruction.op, line.cost
        if isinstance(op, Load):
            self._load(kernel, run, line, steps)
            return
        start = run.free
        for name in line.instruction.operands:
            start = max(start, run.there.get(_content(kernel, name, run.step), 0))
        start = max(start, *(run.lines.get(along, 0) for along in cost.lines), 0)
        if isinstance(op, Send):
            start = self._send(op.stream, start)
            run.free = start + cost.occupancy
            self._told(kernel, line, start, cost.occupancy)
            return
        run.free = start + cost.occupancy
        end = start + cost.latency
        run.lines.update(dict.fromkeys(cost.lines, end))
        if isinstance(op, Recv):
            end = max(end, self.arrivals[op.stream])
        run.there[_content(kernel, line.instruction.result, run.step)] = end
        self._told(kernel, line, start, cost.occupancy)

    def _told(self, kernel: Kernel, line: Line, start: int, cycles: int) -> None:
        if self.watch is not None:
            self.watch(kernel.name, line, start, cycles)

    def _load(self, kernel: Kernel, run: _Run, line: Line, steps: int) -> None:
        op, name, cost = line.instruction.op, line.instruction.result, line.cost
        assert isinstance(op, Load)
        buffer = kernel[name]
        content = run.step + op.ahead if buffer.keys else run.contents[name]
        if buffer.keys and content >= len(buffer.keys):
            return
        run.contents[name] += 1
        run.free += cost.occupancy
        begin = max(run.free, run.edge_free)
        run.edge_free = begin + cost.edge_cycles
        run.edge_cycles += cost.edge_cycles
        run.there[name, content if buffer.keys else 0] = begin + cost.latency
        self._told(kernel, line, begin, cost.edge_cycles)

    def _send(self, name: str, start: int) -> int:
        """Send a tensor once its target is free; returns when it leaves."""
        traffic = self.traffic[name]
        source, target = (end.kernel for end in (traffic.stream.source, traffic.stream.target))
        start = max(start, self.ends.get(target, 0))
        arrival = start + traffic.flight_cycles(self.machine)
        if target == HOST:
            self.host_end = max(self.host_end, arrival)
        elif self._wafer(source) != self._wafer(target):
            arrival += ceil(self.machine.link_cycles(traffic.stream.source.type.bytes))
        self.arrivals[name] = arrival
        return start

    def _wafer(self, kernel: str) -> int:
        return self.prepared.program.kernel(kernel).wafer

    def _kernel(self, kernel: Kernel, interval: int) -> KernelTrace:
        lines = self.lines[kernel.name]
        compute = sum(x.cost.occupancy * x.runs for x in lines if x.cost.kind == COMPUTE)
        movement = sum(x.cost.occupancy * x.runs for x in lines if x.cost.kind == MOVEMENT)
        return KernelTrace(
            name=kernel.name,
            group=kernel.group,
            units=kernel.cores,
            wafer=kernel.wafer,
            compute_cycles=compute,
            movement_cycles=movement,
            idle_cycles=max(0, interval - compute - movement),
            macs=sum(x.cost.macs * x.runs * executing_cores(kernel, x.instruction) for x in lines),
            bytes_per_unit=kernel.data_bytes + kernel.code_bytes + self.machine.core.runtime_code_bytes,
            steps=tuple(x.step for x in lines),
        )

    def _stream(self, name: str) -> StreamTrace:
        traffic = self.traffic[name]
        stream = traffic.stream
        return StreamTrace(
            name=name,
            source=stream.source.kernel,
            target=stream.target.kernel,
            bytes=traffic.bytes,
            hop_bytes=traffic.hop_bytes,
            busiest_link_cycles=traffic.loads.busiest * traffic.tensors,
            latency_cycles=traffic.flight_cycles(self.machine),
        )

    def _bound(self, kernels: Sequence[KernelTrace], interval: int, latency: int, slowest: str) -> str:
        """What the cycles of an interval go into: compute, waiting for movement, or the edge."""
        edge = max(self.edges.values())
        if edge * 10 >= 9 * interval:
            return f"{EDGE}, where weights come in: busy {edge} of {interval} cycles"
        if interval < latency:  # kernels work on inputs that follow each other
            busiest = max(kernels, key=lambda k: k.compute_cycles + k.movement_cycles)
            busy = busiest.compute_cycles + busiest.movement_cycles
            return (
                f"kernel '{busiest.name}': busy {busy:.0f} of {interval} cycles, the rest waits for movement"
            )
        compute = sum(k.compute_cycles for k in kernels)
        waiting = sum(max(0, s.latency_cycles - s.busy_cycles) for k in kernels for s in k.steps)
        if compute >= waiting:
            return f"compute: busy {compute:.0f} of {interval} cycles, kernel '{slowest}' most"
        return f"latency of movement: cores wait for it in up to {waiting:.0f} of {interval} cycles"


def _content(kernel: Kernel, name: str, step: int) -> tuple[str, int]:
    return name, step if kernel[name].role == "fetched" and kernel[name].keys else 0


def _in_order(program: Program) -> Sequence[Kernel]:
    order: TopologicalSorter[str] = TopologicalSorter({k.name: () for k in program.kernels})
    for stream in program.streams:
        if HOST not in (stream.source.kernel, stream.target.kernel):
            order.add(stream.target.kernel, stream.source.kernel)
    return [program.kernel(name) for name in order.static_order()]
