"""The running machine: every kernel's busiest core as one engine, every stream as a channel between them.

All inputs are there from the start and a kernel works on several at once, as far as its buffers allow. What a kernel
does next is decided by data alone: of the instructions whose operands are there and whose result has room, movement
goes first (it is short, and lets others go on), then the oldest input, chunk and position.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from simpy import Environment

from wsc.backends.wafer.instructions import Move, Recv, Send
from wsc.backends.wafer.program import HOST, RESIDENT, Instruction, Kernel, Loop, Stream
from wsc.backends.wafer.simulate.costs import MOVEMENT, Cost
from wsc.backends.wafer.simulate.diagnose import explain_deadlock
from wsc.backends.wafer.simulate.prepare import Prepared, runs_per_input
from wsc.compiler.errors import SimulationError
from wsc.simulation.channel import Channel, ReceiveTask, SendTask, Split
from wsc.simulation.dataflow import Engine, Line, Store, Task, Timing, Turn
from wsc.simulation.links import Links


@dataclass(eq=False)
class Outputs:
    """The host's end: an output is complete when all of its tensors have arrived."""

    env: Environment
    enough: Callable[[list[int]], bool]
    tensors: list[HostTensor] = field(default_factory=list)
    times: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.done = self.env.event()

    def look(self) -> None:
        """A tensor has arrived: see whether it completes an output, and whether that is enough of them."""
        while min(tensor.count for tensor in self.tensors) > len(self.times):
            self.times.append(int(self.env.now))
        if self.enough(self.times) and not self.done.triggered:
            self.done.succeed()


@dataclass(eq=False)
class HostTensor:
    """One of the program's outputs at the host, in so many chunks."""

    outputs: Outputs
    chunks: int
    arrivals: int = 0

    @property
    def count(self) -> int:
        """How many tensors are complete."""
        return self.arrivals // self.chunks

    def arrived(self) -> None:
        """One more chunk is there."""
        self.arrivals += 1
        self.outputs.look()


@dataclass(eq=False)
class Watch:
    """The host's eye on an output that stays where it is: a reader that is done at once."""

    store: Store
    tensor: HostTensor
    finished: int = 0

    def poke(self) -> None:
        """Count the contents that are new."""
        while self.finished < self.store.produced:
            self.finished += 1
            self.store.settle()
            self.tensor.arrived()


class Pipeline:
    """A program on its way through `inputs` inputs; stops as soon as the outputs' times are `enough`."""

    def __init__(self, prepared: Prepared, enough: Callable[[list[int]], bool], inputs: float = inf) -> None:
        self.prepared = prepared
        self.env = Environment()
        self.inputs = inputs
        self.outputs = Outputs(self.env, enough)
        links = Links(len(prepared.network.resources))
        self.channels = {
            stream.name: Channel(self.env, links, path, _split(stream))
            for stream, path in zip(prepared.program.streams, prepared.network.paths, strict=True)
        }
        self.tasks = {
            kernel.name: self._build_kernel(kernel, costs)
            for kernel, costs in zip(prepared.program.kernels, prepared.costs, strict=True)
        }

    def run(self) -> list[int]:
        """Cycles at which the outputs are complete; raises SimulationError where nothing moves any more."""
        for stream in self.prepared.program.streams:
            channel = self.channels[stream.name]
            if stream.target.kernel == HOST:
                channel.sink = HostTensor(self.outputs, stream.target.chunks)
                self.outputs.tensors.append(channel.sink)
            if stream.source.kernel == HOST:
                channel.offer(self.inputs * stream.source.chunks)
        for tasks in self.tasks.values():
            for task in tasks:
                task.poke()
        try:
            self.env.run(self.outputs.done)
        except RuntimeError as error:
            if self.outputs.done.triggered:
                raise
            explanation = explain_deadlock(self.prepared.program, self.tasks, self.channels)
            raise SimulationError(f"at cycle {self.env.now} nothing can go on: {explanation}") from error
        return self.outputs.times

    def _build_kernel(self, kernel: Kernel, costs: tuple[Cost, ...]) -> list[Task]:
        engine = Engine(self.env)
        lines = {direction: Line() for direction in ("x", "y")}
        tasks = []
        runs = runs_per_input(kernel)
        for position, (instruction, cost) in enumerate(zip(kernel.instructions(), costs, strict=True)):
            once = position < len(kernel.once)
            moves = _begins_moving(instruction, cost)
            turn = Turn(runs[position], 0 if once else 1, kernel.chunks + 1, position, len(costs), moves)
            kind = {Send: SendTask, Recv: ReceiveTask}.get(type(instruction.op), Task)
            # what is ready beside a loop goes on while the loop waits for words
            timing = Timing(max(1, cost.occupancy - cost.idle), cost.latency, cost.line_cycles)
            tasks.append(kind(engine, turn, timing, [lines[d] for d in cost.lines], inputs=self.inputs))
        self._connect(kernel, tasks)
        return tasks

    def _connect(self, kernel: Kernel, tasks: list[Task]) -> None:
        """Give the tasks of a kernel their stores and channels."""
        stores = {b.name: Store(b.copies) for b in kernel.buffers if b.role not in RESIDENT}
        for buffer in kernel.buffers:
            if buffer.role == "output":
                self.outputs.tensors.append(HostTensor(self.outputs, 1))
                stores[buffer.name].readers.append((Watch(stores[buffer.name], self.outputs.tensors[-1]), 1))
        writers = {i.result: task for i, task in zip(kernel.instructions(), tasks, strict=True) if i.result}
        for instruction, task in zip(kernel.instructions(), tasks, strict=True):
            for name in instruction.operands:
                if name in stores:
                    task.read(stores[name], _runs_a_content(kernel, task, name, writers))
            if isinstance(task, ReceiveTask) and isinstance(instruction.op, Recv):
                task.attach(self.channels[instruction.op.stream], stores[instruction.result])
            elif isinstance(task, SendTask) and isinstance(instruction.op, Send):
                task.attach(self.channels[instruction.op.stream])
            else:
                task.write(stores[instruction.result])


def _runs_a_content(kernel: Kernel, task: Task, name: str, writers: dict[str, Task]) -> int:
    """How many runs of a task read one content of a buffer: all of an input's where it is written once an input."""
    if name not in writers:
        raise SimulationError(f"kernel '{kernel.name}' reads %{name}, which nothing writes")
    runs, rest = divmod(task.turn.runs, writers[name].turn.runs)
    if rest:
        raise SimulationError(
            f"kernel '{kernel.name}' reads %{name} once an input, which is written chunk by chunk"
        )
    return runs


def _begins_moving(instruction: Instruction, cost: Cost) -> bool:
    """Whether a core does an instruction before all that compute: movements, and loops that begin with one."""
    first = instruction.op.body[0].op if isinstance(instruction.op, Loop) else None
    return cost.kind == MOVEMENT or isinstance(first, Move)


def _split(stream: Stream) -> Split:
    transfers = stream.transfers
    return Split(transfers // stream.source.chunks, transfers // stream.target.chunks, stream.capacity)
