"""A program as a fabric: every core with its instructions, the routes of all colours, the host's cores at the edges."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from wsc.backends.wafer.colors import Colored
from wsc.backends.wafer.instructions import Append, Load, Recv, Send, Wait
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.movement.parts import Place, Region, Work
from wsc.backends.wafer.movement.program import Movements, expand_program, family
from wsc.backends.wafer.movement.streams import StreamExpansion
from wsc.backends.wafer.program import HOST, Buffer, Kernel, Program
from wsc.backends.wafer.simulate.cycle.local import computes, computing_cycles
from wsc.backends.wafer.simulate.cycle.memory import handed, place
from wsc.backends.wafer.simulate.cycle.unroll import Run, Unrolled, rooms, stride
from wsc.backends.wafer.simulate.cycle.works import Memory, Tables, Wiring
from wsc.backends.wafer.text import print_instruction
from wsc.compiler.errors import SimulationError
from wsc.compiler.ir.types import TensorType
from wsc.compiler.layout import Layout
from wsc.simulation.fabric import Core, Fabric, Instruction, Position, Route

_INWARD, _OUTWARD = 0, 1  # groups of the host's cores
_NO_WORK = Work(tasks=0)


# what the host's cores send to a kernel: core, first byte, buffer, number of the content, and whose tiles
Loaded = tuple[int, int, Buffer, int, list[int]]


@dataclass(eq=False)
class Placed:
    """A kernel on the fabric: the number of its first core, where its buffers lie, what its calls stand for."""

    kernel: Kernel
    first: int
    memories: dict[str, Memory]
    copies: dict[str, int]
    calls: dict[int, Run] = field(default_factory=dict)
    loads: list[Loaded] = field(default_factory=list)


@dataclass(eq=False)
class Built:
    """A program as a fabric. `ends[i]` are the instructions after which output i of every input is there."""

    fabric: Fabric
    routes: list[Route]
    cores: list[Core] = field(default_factory=list)
    kernels: list[Placed] = field(default_factory=list)
    hosts: dict[tuple[str, Place], int] = field(default_factory=dict)  # core by stream and place
    starts: dict[tuple[str, Place], int] = field(default_factory=dict)  # of the payload, in bytes
    ends: list[list[Instruction]] = field(default_factory=list)


def build(program: Program, machine: Wafer, inputs: int) -> tuple[Built, Movements]:
    """The fabric that runs a program on some inputs; raises DoesNotFit where colours run out."""
    moves = expand_program(program, machine)
    core, net = machine.core, machine.fabric
    rate = machine.edge_bytes_per_cycle / 4
    fabric = Fabric(
        program.width + 2,
        program.height,
        net.queue_wavelets,
        net.hop_cycles,
        net.ramp_cycles,
        core.read_bytes_per_cycle,
        core.write_bytes_per_cycle,
        core.memory_banks,
        (rate, rate),
    )
    built = Built(fabric, list(_routes(moves.colored)), ends=[[] for _ in range(inputs)])
    wiring = Wiring(machine, Tables())
    for kernel in program.kernels:
        _Kernel(program, kernel, moves, wiring, built, inputs).add()
    for stream in moves.streams.values():
        _add_host(stream, moves.colored, wiring, built, inputs)
    return built, moves


def _routes(colored: Colored) -> Iterator[Route]:
    for color, places in colored.positions.items():
        for at, turns in places.items():
            positions = tuple(Position((comes,), leaves) for comes, leaves in turns)
            yield Route(at[0] + 1, at[1], color, positions, colored.sequences[color][at])


class _Kernel:
    """Adds the cores of one kernel."""

    def __init__(
        self, program: Program, kernel: Kernel, moves: Movements, wiring: Wiring, built: Built, inputs: int
    ) -> None:
        self.kernel, self.moves, self.wiring, self.built = kernel, moves, wiring, built
        capacity = {s.name: s.capacity for s in program.streams}
        chains = {number: chain for (name, number), chain in moves.chains.items() if name == kernel.name}
        self.unrolled = Unrolled(kernel, rooms(kernel, capacity), inputs, chains)
        self.region = Region.of(kernel)
        memories, self.bytes = place(kernel, self.unrolled.copies, wiring.machine.core.memory_banks)
        self.placed = Placed(kernel, len(built.cores), memories, self.unrolled.copies)
        outputs = {b.name for b in kernel.buffers if b.role == "output"}
        self.ending = {
            n for n, i in enumerate(kernel.instructions()) if i.result in outputs or kernel.in_order
        }
        built.kernels.append(self.placed)

    def add(self) -> None:
        """Cores with their queues, one for every instruction that is not in a loop, or in order a single one."""
        self.counters = len(self.unrolled.counters)
        appends = [i for i in self.kernel.flat_instructions() if isinstance(i.op, Append)]
        counters = self.counters * (3 if appends else 1)  # what an append takes out, and hands on, counts too
        block = len(self.built.kernels)
        cores = [
            Core(x + 1, y, [[] for _ in range(self.unrolled.queues)], counters, self.bytes, block=block)
            for x, y in self.region.places
        ]
        self.built.cores += cores
        for position, run in enumerate(self.unrolled.runs):
            ends = self.built.ends[bisect_right(self.unrolled.starts, position) - 1]
            for made in self._instructions(run):
                for core, instruction in zip(cores, made, strict=True):
                    core.queues[run.queue].append(instruction)
                if run.queue in self.ending:
                    ends += made
        self._add_edge()

    def _instructions(self, run: Run) -> Iterator[list[Instruction]]:
        """What a run is on every core: one instruction, or the steps of an append."""
        if computes(run.instruction):
            yield [self._compute(run)] * self.kernel.cores
        elif isinstance(run.instruction.op, Append):
            yield from self._append(run)
        else:
            yield self._moved(run, *self._works(run))

    def _append(self, run: Run) -> Iterator[list[Instruction]]:
        """An element is taken out of its slots, handed on, and one put in; without balance only that."""
        works, colors = self._works(run)
        last = run
        if works:
            taken, there = (run.counter + n * self.counters for n in (1, 2))
            yield [self._compute(replace(run, counter=taken, taking=True))] * self.kernel.cores
            out, into = (self.placed.memories[name] for name in handed(run.instruction))
            handing = replace(run, counter=there, waits=((taken, run.number + 1),))
            yield self._moved(handing, works, colors, (out, into))
            last = replace(run, waits=((there, run.number + 1),))
        yield [self._compute(last)] * self.kernel.cores

    def _add_edge(self) -> None:
        """The host's cores send what loads bring, in the order of the runs."""
        loads = [run for run in self.unrolled.runs if isinstance(run.instruction.op, Load)]
        held: dict[tuple[int, str, int], int] = {}
        lines: dict[int, list[Instruction]] = {}
        for run in loads:
            buffer = self.kernel[run.instruction.result]
            made = self.moves.within[self.kernel.name, run.counter]
            colors = self.moves.colored.color[family(self.kernel.name, run.counter)]
            for at, (work, tiles) in made.edge.items():
                number = _host_core(self.built, at, _INWARD)
                core = self.built.cores[number]
                key = number, buffer.name, run.content
                if key not in held:
                    held[key] = core.memory_bytes
                    self.placed.loads.append((number, core.memory_bytes, buffer, run.content, tiles))
                    core.memory_bytes += len(tiles) * stride(buffer)
                memory = Memory(_words_of(buffer.type), held[key])
                line = lines.setdefault(number, [])
                waits = ((core.counters, len(line)),) if line else ()
                name = f"the host at row {core.y}, {print_instruction(run.instruction)}"
                line.append(
                    self.wiring.instruction(
                        work, colors, memory, memory, (0, 0), name, core.counters, waits, len(line), False
                    )
                )
        for number, line in lines.items():
            self.built.cores[number].queues.append(line)
            self.built.cores[number].counters += 1

    def _compute(self, run: Run) -> Instruction:
        """The same on every core; the host of the simulation computes the result when it is done."""
        number = sum(len(k.calls) for k in self.built.kernels)
        self.placed.calls[number] = run
        cycles = computing_cycles(self.wiring.machine, self.kernel, run.instruction)
        name = f"{self.kernel.name}: {print_instruction(run.instruction)}"
        return Instruction(name, run.counter, max(1, cycles), run.waits, call=number, age=run.age)

    def _works(self, run: Run) -> tuple[dict[int, Work], tuple[int, ...]]:
        """The work of every core in a run, and the colours of its messages."""
        op = run.instruction.op
        colors = self.moves.colored.color
        if isinstance(op, Wait):
            return {}, ()
        if isinstance(op, (Recv, Send)):
            stream = self.moves.streams[op.stream]
            ends = stream.receives if isinstance(op, Recv) else stream.sends
            at = {
                self._at(stream, p, isinstance(op, Recv)): w for p, w in ends[run.number % len(ends)].items()
            }
            return at, colors.get(family("stream", op.stream), ())
        made = self.moves.within[self.kernel.name, run.counter]
        if not self.kernel.in_order and run.number % len(made.works) != run.step % len(made.works):
            raise SimulationError(
                f"kernel '{self.kernel.name}' runs a loop of {op.kind} again that does not end where it began"
            )
        return made.works[run.step % len(made.works)], colors.get(family(self.kernel.name, run.counter), ())

    def _at(self, stream: StreamExpansion, place: Place, target: bool) -> int:
        """The core of the region at a place of a stream's end."""
        if place not in self.region.places:
            raise SimulationError(
                f"stream {stream.stream.name} ends at {place}, outside '{self.kernel.name}'"
            )
        return self.region.places.index(place)

    def _moved(
        self, run: Run, by_core: dict[int, Work], colors: tuple[int, ...],
        memories: tuple[Memory, Memory] | None = None,
    ) -> list[Instruction]:  # fmt: skip
        """A movement on every core, between its operand and its result, or other memories."""
        name = f"{self.kernel.name}: {print_instruction(run.instruction)}"
        names, found = run.instruction.operands, self.placed.memories
        operand = found[names[0]] if names else None
        result = found.get(run.instruction.result)
        copies = run.operands[0] if names else 0, run.result
        if memories is not None:
            (operand, result), copies = memories, (0, 0)
        return [
            self.wiring.instruction(
                by_core.get(core, _NO_WORK), colors, operand, result, copies, name, run.counter, run.waits,
                run.age, run.looped,
            )
            for core in range(self.kernel.cores)
        ]  # fmt: skip


def _add_host(stream: StreamExpansion, colored: Colored, wiring: Wiring, built: Built, inputs: int) -> None:
    """The host's cores for one stream: each holds what its row carries."""
    name = stream.stream.name
    colors = colored.color.get(family("stream", name), ())
    for end, works, group in (
        (stream.stream.source, stream.sends, _INWARD),
        (stream.stream.target, stream.receives, _OUTWARD),
    ):
        if end.kernel != HOST:
            continue
        for at in sorted({at for chunk in works for at in chunk}):
            core = _host_core(built, at, group)
            lanes = max(1, 4 // end.type.dtype.bytes)
            words = sum(-(-e.size // lanes) for e in stream.payloads[at]) * max(4, end.type.dtype.bytes) // 4
            built.hosts[name, at], built.starts[name, at] = core, built.cores[core].memory_bytes
            _host_runs(built, stream, works, at, (core, group), colors, wiring, inputs)
            built.cores[core].memory_bytes += 4 * words


def _host_runs(
    built: Built, stream: StreamExpansion, works: list[dict[Place, Work]], at: Place,
    which: tuple[int, int], colors: tuple[int, ...], wiring: Wiring, inputs: int,
) -> None:  # fmt: skip
    core, group = built.cores[which[0]], which[1]
    line: list[Instruction] = []
    memory = Memory(_payload(stream), core.memory_bytes)
    for run in range(inputs * len(works)):
        work = works[run % len(works)].get(at, _NO_WORK)
        what = f"the host at row {core.y}, stream {stream.stream.name}"
        waits = ((core.counters, run),) if run else ()
        line.append(
            wiring.instruction(work, colors, memory, memory, (0, 0), what, core.counters, waits, run, False)
        )
        if group == _OUTWARD:
            built.ends[run // len(works)].append(line[-1])
    core.queues.append(line)
    core.counters += 1


def _payload(stream: StreamExpansion) -> Buffer:
    """The host's words, as a buffer of the tensor's element type."""
    return _words_of(stream.stream.target.type)


def _words_of(type: TensorType) -> Buffer:
    return Buffer("payload", TensorType(type.dtype, (1,)), Layout(((),)), "local")


def _host_core(built: Built, at: Place, group: int) -> int:
    for number, core in enumerate(built.cores):
        if (core.x, core.y) == (at[0] + 1, at[1]):
            return number
    built.cores.append(Core(at[0] + 1, at[1], group=group))
    return len(built.cores) - 1
