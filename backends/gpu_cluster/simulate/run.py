"""Simulation of a program on a cluster: time by events, one rank simulated for all that do the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from wsc.backends.gpu_cluster.instructions import (
    COMPUTE,
    Alloc,
    Call,
    Communicate,
    Free,
    Host,
    Instruction,
    Keep,
    Launch,
    Recv,
    Send,
    Wait,
)
from wsc.backends.gpu_cluster.machine import Cluster
from wsc.backends.gpu_cluster.program import (
    Block,
    Program,
    class_of_ranks,
    flat,
    once,
    peak_bytes,
)
from wsc.backends.gpu_cluster.simulate.costs import Costs
from wsc.backends.gpu_cluster.simulate.engine import PORTS, Engine, Gpu, Work
from wsc.backends.gpu_cluster.simulate.fold import (
    Folding,
    fold,
    group_of,
    neighbours,
)
from wsc.backends.gpu_cluster.simulate.ranks import (
    END_OF_ROUND,
    Exchange,
    SimulatedRank,
    Spent,
    Task,
    Watch,
)
from wsc.compiler.errors import SimulationError


@dataclass(frozen=True)
class RankTrace:
    """What ranks of one colour did: `ranks` of them, `first` the lowest, `ranks_class` their class in the program.

    Seconds of the stream "compute", one run of the last: in kernels; in collectives and messages that held it up;
    waiting, for others or for what was overlapped. `peak_bytes` is the most memory held.
    """

    first: int
    ranks: int
    ranks_class: int
    kernel_seconds: float
    exposed_seconds: float
    idle_seconds: float
    peak_bytes: int


@dataclass(frozen=True)
class ClusterTrace:
    """A simulated run: `seconds` from start to end, `rounds` when each of its repetitions had ended everywhere."""

    seconds: float
    rounds: tuple[float, ...]
    ranks: tuple[RankTrace, ...]

    @property
    def interval_seconds(self) -> float:
        """Seconds between the ends of repetitions, over the later half of them; of the first if there is one."""
        if len(self.rounds) < 2:
            return self.seconds
        half = len(self.rounds) // 2
        return (self.rounds[-1] - self.rounds[half - 1]) / (len(self.rounds) - half)


def simulate_program(
    program: Program,
    cluster: Cluster,
    slowdown: Mapping[int, float] | None = None,
    rounds: int = 1,
    watch: Watch | None = None,
    in_line: bool = True,
) -> ClusterTrace:
    """Run the program `rounds` times in a row; `slowdown` makes stragglers: rank to the factor its kernels take longer,
    beside those that the cluster's file names.

    `watch` is told of everything that takes time on a kind of rank, a block that is taken as a whole as one. Ranks that
    all do one thing after another need no queue of events: with `in_line` there is none, and the times are the same.
    Raises SimulationError where the cluster is too small, a rank's memory overflows, collectives do not match, or
    ranks wait for each other for ever.
    """
    _check(program, cluster)
    named = {rank: factor for rank, factor in cluster.stragglers.items() if rank < program.ranks}
    slow = {rank: factor for rank, factor in {**named, **(slowdown or {})}.items() if factor != 1.0}
    if any(not 0 <= rank < program.ranks or factor <= 0 for rank, factor in slow.items()):
        raise SimulationError(
            f"stragglers are ranks from 0 to {program.ranks - 1} with factors above 0: {slow}"
        )
    return _Run(program, cluster, fold(program, cluster, slow), slow, rounds, watch, in_line).trace()


def _check(program: Program, cluster: Cluster) -> None:
    if program.ranks > cluster.gpus:
        raise SimulationError(f"it has {program.ranks} ranks, and '{cluster.name}' has {cluster.gpus} GPUs")
    for ranks in program.classes:
        peak = peak_bytes(program, ranks)
        if peak > cluster.gpu.hbm_bytes:
            raise SimulationError(
                f"a rank{ranks.place} holds {peak:,} bytes, and a GPU of '{cluster.name}' {cluster.gpu.hbm_bytes:,}"
            )


class _Run:
    """One simulation."""

    def __init__(
        self,
        program: Program,
        cluster: Cluster,
        folding: Folding,
        slow: Mapping[int, float],
        rounds: int,
        watch: Watch | None,
        in_line: bool,
    ) -> None:
        self.program = program
        self.folding = folding
        self.rounds = rounds
        self.watch = watch
        self.in_line = in_line
        self.costs = Costs(program, cluster, folding)
        self.classes = class_of_ranks(program)
        self.engine = Engine()
        self._companies: dict[tuple[int, tuple[str, ...]], tuple[int, ...]] = {}
        self._partners: dict[tuple[int, str, int], int] = {}
        self._profiles: dict[tuple[int, str], Work | None] = {}
        exchange = Exchange(self.engine, self._work, self._company, self._partner, watch)
        self.simulated: list[SimulatedRank] = []
        for color, members in enumerate(folding.members):
            gpu = Gpu(slow.get(int(members[0]), 1.0))
            self.simulated.append(SimulatedRank(color, gpu, self._instructions(color), exchange.start))

    def trace(self) -> ClusterTrace:
        """Run to the end and say what was spent."""
        line = self._in_line()
        if line is not None:
            (rank,) = self.simulated
            seconds = rank.pass_through(line, self.rounds, self.watch)
            return ClusterTrace(seconds, tuple(rank.rounds), (self._told(rank, seconds),))
        for rank in self.simulated:
            rank.walk()
        seconds = self.engine.run()
        stuck = [(r, p) for r in self.simulated if (p := r.pending())]
        if stuck:
            who, what = stuck[0][0], ", ".join(stuck[0][1])
            first = int(self.folding.members[who.color][0])
            raise SimulationError(f"{len(stuck)} kinds of ranks wait for ever; rank {first} for {what}")
        ends = [max(ends) for ends in zip(*(rank.rounds for rank in self.simulated), strict=True)]
        told = tuple(self._told(rank, seconds) for rank in self.simulated)
        return ClusterTrace(seconds, (*ends[:-1], seconds), told)

    def _in_line(self) -> list[tuple[Instruction, Work]] | None:
        """What takes time in one round, where all ranks do one thing after another; None where they wait for more."""
        if len(self.simulated) != 1 or not self.in_line:
            return None
        (rank,) = self.simulated
        found: list[tuple[Instruction, Work]] = []
        for instruction in self._round(rank.color):
            match instruction:
                case Launch() | Call() | Host() | Communicate():
                    task = Task(rank, instruction, getattr(instruction, "stream", COMPUTE))
                    if task.stream != COMPUTE:
                        return None
                    found.append((instruction, self._work(task)))
                case Alloc() | Free() | Keep() | Wait():
                    pass  # on one stream, what an event is set by has ended
                case _:
                    return None
        return found

    def _told(self, rank: SimulatedRank, seconds: float) -> RankTrace:
        members = self.folding.members[rank.color]
        number = int(self.classes[members[0]])
        spent = rank.spent
        kernels = (spent.arithmetic + spent.memory) / self.rounds
        exposed = spent.exposed / self.rounds
        idle = max(0.0, seconds / self.rounds - kernels - exposed)
        peak = peak_bytes(self.program, self.program.classes[number])
        return RankTrace(int(members[0]), len(members), number, kernels, exposed, idle, peak)

    def _instructions(self, color: int) -> Iterator[Instruction]:
        """What a rank does in all rounds; calls that cannot be taken as a whole are written out."""
        for _ in range(self.rounds):
            yield from self._round(color)
            yield END_OF_ROUND

    def _round(self, color: int) -> Iterator[Instruction]:
        body = self.program.classes[int(self.classes[self.folding.members[color][0]])].body
        yield from self._written_out(body, color)

    def _written_out(self, body: tuple[Instruction, ...], color: int) -> Iterator[Instruction]:
        for instruction in flat(body):
            if isinstance(instruction, Call) and self._profile(color, instruction.block) is None:
                for _ in range(instruction.times):
                    yield from self._written_out(self.program.block(instruction.block).body, color)
            else:
                yield instruction

    def _work(self, task: Task) -> Work:
        match task.instruction:
            case Launch(kernel=kernel):
                return self.costs.kernel(kernel)
            case Host(operations=count):
                return self.costs.host(count)
            case Communicate() as collective:
                return self.costs.collective(collective, task.rank.color)
            case Send() as message:
                return self.costs.send(message, task.rank.color)
            case Call(block=block, times=times):
                profile = self._profile(task.rank.color, block)
                assert profile is not None
                return profile.times(times)
            case other:
                raise SimulationError(f"{other} takes no time of its own")

    def _company(self, task: Task) -> tuple[int, ...]:
        """The colours that take part in a collective."""
        assert isinstance(task.instruction, Communicate)
        return self._colors_of_group(task.rank.color, task.instruction.axes)

    def _colors_of_group(self, color: int, axes: tuple[str, ...]) -> tuple[int, ...]:
        if (color, axes) not in self._companies:
            group = group_of(self.program, axes, int(self.folding.members[color][0]))
            self._companies[color, axes] = tuple(sorted({int(c) for c in self.folding.colors[group]}))
        return self._companies[color, axes]

    def _partner(self, task: Task) -> int:
        """The colour at the other end of a message."""
        instruction = task.instruction
        assert isinstance(instruction, Send | Recv)
        key = (task.rank.color, instruction.axis, instruction.steps)
        if key not in self._partners:
            first = self.folding.members[task.rank.color][0]
            other = neighbours(self.program, (instruction.axis, instruction.steps))[first]
            self._partners[key] = int(self.folding.colors[other])
        return self._partners[key]

    def _profile(self, color: int, name: str) -> Work | None:
        """What a block takes on a GPU of its own; None where ranks of other colours take part in it."""
        if (color, name) not in self._profiles:
            block = self.program.block(name)
            whole = all(self._alone(color, instruction) for instruction in once(block.body))
            self._profiles[color, name] = self._measured(color, block) if whole else None
        return self._profiles[color, name]

    def _alone(self, color: int, instruction: Instruction) -> bool:
        if isinstance(instruction, Communicate):
            return self._colors_of_group(color, instruction.axes) == (color,)
        if isinstance(instruction, Call):
            return self._profile(color, instruction.block) is not None
        return True

    def _measured(self, color: int, block: Block) -> Work:
        """Run a block by itself."""
        engine = Engine()
        exchange = Exchange(engine, self._work, self._company, self._partner)
        ports = dict.fromkeys(PORTS, 0.0)

        def start(task: Task) -> None:
            if isinstance(task.instruction, Communicate):
                work = self._work(task)
                ports["nvlink"] += work.nvlink
                ports["nic"] += work.nic
            exchange.start(task)

        rank = SimulatedRank(color, Gpu(), flat(block.body), start)
        rank.walk()
        return _profile_of(engine.run(), rank.spent, ports)


def _profile_of(seconds: float, spent: Spent, ports: Mapping[str, float]) -> Work:
    """The work of a block as one activity: what its kernels took, and the rest of its time as time on its ports."""
    if not seconds:
        return Work()
    rest = max(0.0, seconds - spent.arithmetic - spent.memory)
    nic = rest * ports["nic"] / (sum(ports.values()) or 1.0)
    loads = {name: min(1.0, ports[name] / seconds) for name in PORTS}
    return Work(spent.arithmetic, spent.memory, rest - nic, nic, 0.0, 0.0, 0.0, loads["nvlink"], loads["nic"])
