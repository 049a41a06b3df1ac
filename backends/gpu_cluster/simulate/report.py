"""The trace of a target from a simulated run: latency of one input, interval between inputs, and who did what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil

from wsc.backends.gpu_cluster.instructions import Communicate, Launch, Send, Step
from wsc.backends.gpu_cluster.kernels import Attention, Gemm, Kernel
from wsc.backends.gpu_cluster.machine import Cluster
from wsc.backends.gpu_cluster.program import Program, RankClass, class_of_ranks, flat
from wsc.backends.gpu_cluster.simulate.bound import CLOCK_HZ, kernel_macs
from wsc.backends.gpu_cluster.simulate.costs import Costs
from wsc.backends.gpu_cluster.simulate.energy import energies, parts
from wsc.backends.gpu_cluster.simulate.fold import fold
from wsc.backends.gpu_cluster.simulate.run import RankTrace, simulate_program
from wsc.backends.gpu_cluster.text import print_instruction
from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops.base import Op
from wsc.simulation.trace import KernelTrace, StepTrace, StreamTrace, Trace

ROUNDS = 12  # runs in a row for the interval, beside two for each stage that has to fill


def simulate(program: Program, machine: Cluster) -> Trace:
    """Simulate one input alone, and inputs that follow each other; cycles are nanoseconds. Raises SimulationError."""
    alone = simulate_program(program, machine)
    many = simulate_program(program, machine, rounds=ROUNDS + 2 * len(program.classes))
    latency = max(1, ceil(alone.seconds * CLOCK_HZ))
    interval = max(1, min(latency, ceil(many.interval_seconds / program.runs * CLOCK_HZ)))
    reporter = _Reporter(program, machine, interval)
    numbers = range(len(program.classes))
    kernels = _told_apart([row for number in numbers for row in reporter.kernels(number)])
    streams = tuple(row for number in numbers for row in reporter.streams(number))
    spent = energies(program, machine, interval / CLOCK_HZ * program.runs)
    return Trace(
        *(CLOCK_HZ, latency, interval, kernels, streams, _bound(many.ranks, len(program.classes))),
        energy=parts(e.times(1 / program.runs) for e in spent),
    )


def _bound(ranks: Sequence[RankTrace], classes: int) -> str:
    """Which rank is busy longest in a run, and with what."""
    busiest = max(ranks, key=lambda rank: rank.kernel_seconds + rank.exposed_seconds)
    kernels, exposed = busiest.kernel_seconds * 1e6, busiest.exposed_seconds * 1e6
    who = f"the GPUs of stage {busiest.ranks_class}" if classes > 1 else "every GPU"
    what = "collectives" if exposed > kernels else "kernels"
    return f"{what}: {who} is {kernels:,.1f} us in kernels and {exposed:,.1f} us in collectives an input"


def _told_apart(rows: list[tuple[int, KernelTrace]]) -> tuple[KernelTrace, ...]:
    """Kernels of one name in several stages are named after their stages too."""
    count: dict[str, int] = {}
    for _, row in rows:
        count[row.name] = count.get(row.name, 0) + 1
    return tuple(
        row if count[row.name] == 1 else _renamed(row, f"{row.name} of stage {number}")
        for number, row in rows
    )


def _renamed(row: KernelTrace, name: str) -> KernelTrace:
    return KernelTrace(name, *(getattr(row, f) for f in list(row.__dataclass_fields__)[1:]))


class _Reporter:
    """Rows of a program's trace; cycles an input of one rank."""

    def __init__(self, program: Program, machine: Cluster, interval: int) -> None:
        self.program = program
        self.machine = machine
        self.interval = interval
        self.folding = fold(program, machine, {})
        self.costs = Costs(program, machine, self.folding)
        self.classes = class_of_ranks(program)
        self._known_macs: dict[tuple[Op, tuple[TensorType, ...], TensorType], int] = {}

    def _color(self, number: int) -> int:
        return int(self.folding.colors[self.classes == number][0])

    def kernels(self, number: int) -> Iterator[tuple[int, KernelTrace]]:
        """A row for each kernel and collective of a class."""
        ranks = self.program.classes[number]
        for instruction in flat(ranks.body):
            if isinstance(instruction, Launch):
                yield number, self._kernel(number, instruction)
            elif isinstance(instruction, Communicate):
                yield number, self._collective(number, instruction)

    def _kernel(self, number: int, launch: Launch) -> KernelTrace:
        ranks, runs = self.program.classes[number], self.program.runs
        units = int((self.classes == number).sum())
        cycles = self.costs.kernel(launch.kernel).seconds * CLOCK_HZ / runs
        touched = {name for step in launch.steps for name in (*step.operands, step.result)}
        held = sum(ranks[name].tile.bytes for name in sorted(touched))
        step = StepTrace(print_instruction(launch), "compute", cycles, cycles * runs)
        macs = self._macs(ranks, launch) * units // runs
        return KernelTrace(
            *(launch.label, group_of_kernel(launch.kernel), units, cycles, 0.0, self.interval - cycles),
            *(macs, held, (step,)),
        )

    def _macs(self, ranks: RankClass, launch: Launch) -> int:
        """Multiply-adds of one rank: of the steps, where the program has them."""
        if not launch.steps:
            return kernel_macs(launch.kernel)
        return sum(self._macs_of(ranks, step) for step in launch.steps)

    def _macs_of(self, ranks: RankClass, step: Step) -> int:
        types = tuple([ranks[name].tile for name in step.operands])
        key = (step.op, types, ranks[step.result].tile)
        if key not in self._known_macs:
            self._known_macs[key] = step.op.arithmetic(*key[1:])[0]
        return self._known_macs[key]

    def _collective(self, number: int, instruction: Communicate) -> KernelTrace:
        runs = self.program.runs
        units = int((self.classes == number).sum())
        cycles = self.costs.collective(instruction, self._color(number)).seconds * CLOCK_HZ / runs
        step = StepTrace(print_instruction(instruction), "movement", cycles, cycles * runs)
        return KernelTrace(
            *(instruction.label, instruction.kind, units, 0.0, cycles, self.interval - cycles),
            *(0, instruction.bytes, (step,)),
        )

    def streams(self, number: int) -> Iterator[StreamTrace]:
        """A row for each message of a class."""
        color = self._color(number)
        for instruction in flat(self.program.classes[number].body):
            if isinstance(instruction, Send):
                cycles = self.costs.send(instruction, color).seconds * CLOCK_HZ
                target = f"stage {number + instruction.steps}"
                name, bytes = f"{instruction.channel} to {target}", instruction.bytes
                runs = self.program.runs
                yield StreamTrace(name, f"stage {number}", target, bytes, bytes, cycles / runs, cycles)


def group_of_kernel(kernel: Kernel) -> str:
    """The class of a kernel, for people."""
    if isinstance(kernel, Gemm):
        return "product"
    return f"attention {kernel.phase}" if isinstance(kernel, Attention) else "pointwise"
