"""Simulated ranks: each walks through its instructions, hands them to its streams, and meets others in collectives."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

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
from wsc.backends.gpu_cluster.simulate.engine import Engine, Gpu, Work
from wsc.backends.gpu_cluster.text import print_instruction
from wsc.compiler.errors import SimulationError

END_OF_ROUND = Wait(())


@dataclass(eq=False)
class Task:
    """An instruction on its way: it starts when nothing holds it up any more."""

    rank: SimulatedRank
    instruction: Instruction
    stream: str
    waiting: int = 0
    started: bool = False
    done: bool = False
    followers: list[Task] = field(default_factory=list)

    def follow(self, other: Task | None) -> None:
        """Do not start before another task is done."""
        if other is not None and not other.done:
            self.waiting += 1
            other.followers.append(self)


Watch = Callable[[Task, float, float], None]  # is told when a task began and ended, in seconds


@dataclass(eq=False)
class Spent:
    """Seconds of the stream "compute": in kernels, by what bounds them, and in collectives that hold it up."""

    arithmetic: float = 0.0
    memory: float = 0.0
    exposed: float = 0.0

    def add(self, work: Work, elapsed: float) -> None:
        """Something on the stream took so long."""
        if not (whole := work.seconds):
            return
        scale = elapsed / whole
        self.arithmetic += work.arithmetic * scale
        self.memory += work.memory * scale
        self.exposed += (work.nvlink + work.nic + work.latency) * scale


class SimulatedRank:
    """One rank that stands for its colour."""

    def __init__(
        self, color: int, gpu: Gpu, instructions: Iterator[Instruction], start: Callable[[Task], None]
    ) -> None:
        self.color = color
        self.gpu = gpu
        self.spent = Spent()
        self.rounds: list[float] = []  # when each run ended
        self._instructions = instructions
        self._start = start
        self._tails: dict[str, Task] = {}
        self._events: dict[str, Task] = {}
        self._begun: dict[Task, None] = {}
        self._walking = False

    def walk(self) -> None:
        """Hand on instructions until one of the stream "compute" cannot start yet."""
        if self._walking:
            return  # an instruction that takes no time has ended within the walk
        self._walking = True
        while not self._held_up():
            instruction = next(self._instructions, None)
            if instruction is None:
                break
            if not isinstance(instruction, Alloc | Free | Keep):
                self._hand_on(instruction)
        self._walking = False

    def pass_through(
        self, line: Sequence[tuple[Instruction, Work]], rounds: int, watch: Watch | None
    ) -> float:
        """Do what takes time, one after another and alone on the GPU, `rounds` times; returns the time at the end."""
        now = 0.0
        spans = [(instruction, work, work.alone(self.gpu.slowdown)) for instruction, work in line]
        for _ in range(rounds):
            for instruction, work, duration in spans:
                end = now + duration
                if watch:
                    watch(Task(self, instruction, COMPUTE), now, end)
                self.spent.add(work, end - now)
                now = end
            self.rounds.append(now)
        return now

    def _held_up(self) -> bool:
        head = self._tails.get(COMPUTE)
        return head is not None and not head.started

    def _hand_on(self, instruction: Instruction) -> None:
        stream = getattr(instruction, "stream", COMPUTE)
        task = Task(self, instruction, stream)
        task.follow(self._tails.get(stream))
        for event in getattr(instruction, "after", ()):
            task.follow(self._events.get(event))
        self._tails[stream] = task
        if getattr(instruction, "event", ""):
            self._events[instruction.event] = task  # type: ignore[union-attr]
        if not task.waiting:
            self._begin(task)

    def _begin(self, task: Task) -> None:
        task.started = True
        self._begun[task] = None
        self._start(task)

    def finish(self, task: Task) -> None:
        """A task is done: what waited for it may start, and the walk goes on."""
        task.done = True
        del self._begun[task]
        for other in task.followers:
            other.waiting -= 1
            if not other.waiting:
                other.rank._begin(other)
        task.followers.clear()
        self.walk()

    def pending(self) -> tuple[str, ...]:
        """What has begun and not ended, as text."""
        return tuple(print_instruction(task.instruction) for task in self._begun)


@dataclass(eq=False)
class _Meeting:
    """A collective that some colours have come to."""

    instruction: Communicate
    tasks: list[Task] = field(default_factory=list)


class Exchange:
    """Starts tasks: kernels at once, collectives when all have come, receives when the message is there."""

    def __init__(
        self,
        engine: Engine,
        work: Callable[[Task], Work],
        company: Callable[[Task], tuple[int, ...]],
        partner: Callable[[Task], int],
        watch: Watch | None = None,
    ) -> None:
        self.engine = engine
        self._work = work
        self._company = company
        self._partner = partner
        self._watch = watch
        self._meetings: dict[tuple[object, ...], deque[_Meeting]] = {}
        self._arrived: dict[tuple[str, int, int], int] = {}
        self._expecting: dict[tuple[str, int, int], deque[Task]] = {}

    def start(self, task: Task) -> None:
        """A task's turn has come."""
        match task.instruction:
            case Launch() | Call() | Host():
                self._run(task, (task,))
            case Communicate():
                self._meet(task)
            case Send():
                self._run(task, (task,))
            case Recv(channel=channel):
                self._expect(task, (channel, self._partner(task), task.rank.color))
            case Wait():
                if task.instruction is END_OF_ROUND:
                    task.rank.rounds.append(self.engine.now)
                task.rank.finish(task)
            case _:
                raise SimulationError(f"no rank can do {print_instruction(task.instruction)}")

    def _run(self, task: Task, together: tuple[Task, ...]) -> None:
        begun = self.engine.now
        work = self._work(task)

        def done() -> None:
            for one in together:
                _account(one, work, self.engine.now - begun)
                if self._watch:
                    self._watch(one, begun, self.engine.now)
            if isinstance(task.instruction, Send):
                self._deliver(task)
            for one in together:
                one.rank.finish(one)

        self.engine.begin(work, tuple(one.rank.gpu for one in together), done)

    def _meet(self, task: Task) -> None:
        instruction = task.instruction
        assert isinstance(instruction, Communicate)
        company = self._company(task)
        if len(company) == 1:
            self._run(task, (task,))
            return
        waiting = self._meetings.setdefault((instruction.axes, task.stream, company), deque())
        meeting = next((m for m in waiting if all(t.rank is not task.rank for t in m.tasks)), None)
        if meeting is None:
            meeting = _Meeting(instruction)
            waiting.append(meeting)
        if (meeting.instruction.kind, meeting.instruction.bytes) != (instruction.kind, instruction.bytes):
            raise SimulationError(
                f"ranks meet in different collectives: {print_instruction(meeting.instruction)} and "
                f"{print_instruction(instruction)}"
            )
        meeting.tasks.append(task)
        if len(meeting.tasks) == len(company):
            waiting.remove(meeting)
            self._run(meeting.tasks[0], tuple(meeting.tasks))

    def _expect(self, task: Task, key: tuple[str, int, int]) -> None:
        if self._arrived.get(key, 0):
            self._arrived[key] -= 1
            task.rank.finish(task)
        else:
            self._expecting.setdefault(key, deque()).append(task)

    def _deliver(self, task: Task) -> None:
        assert isinstance(task.instruction, Send)
        key = (task.instruction.channel, task.rank.color, self._partner(task))
        if self._expecting.get(key):
            waiting = self._expecting[key].popleft()
            waiting.rank.finish(waiting)
        else:
            self._arrived[key] = self._arrived.get(key, 0) + 1


def _account(task: Task, work: Work, elapsed: float) -> None:
    """Note what a task took of the stream "compute"."""
    if task.stream == COMPUTE:
        task.rank.spent.add(work, elapsed)
