"""Tasks on engines, started by their data: a task runs again and again, whenever its operands are there.

    Engine   a unit that serves one task at a time, the most urgent of those that are ready
    Store    a memory that holds a few contents side by side, each written once and read by some tasks
    Task     takes contents from stores, occupies its engine, and some cycles later a content is in its result store

Runs of a task are numbered from 0 and start in order, so that a store's state is two counters: contents produced, and
contents that every reader is done with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import inf
from typing import Protocol

from simpy import Environment, Event

from wsc.simulation.events import LAST, Call


class Waiting(Protocol):
    """What is told when something it may wait for has changed."""

    def poke(self) -> None:
        """Look whether to go on."""


class Reader(Waiting, Protocol):
    """What takes contents; `finished` counts the runs that it is done with."""

    finished: int


class Engine:
    """Serves tasks one at a time, of those that are ready the one of the lowest key.

    `watch`, where there is one, is told of every run: the task, when it starts, and for how many cycles it is served.
    """

    def __init__(self, env: Environment) -> None:
        self.env = env
        self.watch: Callable[[Task, int, int], None] | None = None
        self._queue: list[tuple[int, Task]] = []
        self._current: Task | None = None
        self._woken = False

    def push(self, key: int, task: Task) -> None:
        """Queue a run of a task; no two runs have one key."""
        heappush(self._queue, (key, task))
        if self._current is None and not self._woken:
            self._woken = True
            Call(self.env, 0, self._serve, LAST)

    def _serve(self, _: Event | None = None) -> None:
        # Last of what happens now, so that it chooses from all that the arrivals of this cycle have made ready.
        self._woken = False
        _key, task = heappop(self._queue)
        self._current = task
        cycles = task.start()
        if self.watch is not None:
            self.watch(task, int(self.env.now), cycles)
        Call(self.env, cycles, self._done, LAST)

    def _done(self, _: Event) -> None:
        task, self._current, self._woken = self._current, None, True
        if task is not None:
            task.leave()
        if self._queue:
            self._serve()
        else:
            self._woken = False


@dataclass(eq=False)
class Store:
    """Room for `copies` contents; content k may be written when all readers are done with content k - copies."""

    copies: int
    produced: int = 0
    released: int = 0
    readers: list[tuple[Reader, int]] = field(
        default_factory=list
    )  # and how many of its runs read one content
    writers: list[Waiting] = field(default_factory=list)

    def produce(self) -> None:
        """One more content is there."""
        self.produced += 1
        for task, _ in self.readers:
            task.poke()
        if not self.readers:
            self.settle()

    def settle(self) -> None:
        """Some reader is done with a run: see whether a content is free."""
        if self.released == self.produced:
            return
        released = min([task.finished // runs for task, runs in self.readers], default=self.produced)
        if released > self.released:
            self.released = released
            for writer in self.writers:
                writer.poke()


class Line:
    """Links that the messages of some tasks share, word by word in turn, as routers do with messages of many routes."""

    def __init__(self) -> None:
        self._ends: list[int] = []  # of the messages under way

    def share(self, now: int, cycles: int) -> int:
        """Start a message that takes `cycles` on a free line; returns by how many the others under way delay it.

        Two messages that meet delay each other by the shorter one's remaining words. The end that was told for the
        older one stays as it was, but whoever comes later meets it as long as it really takes.
        """
        if not cycles:
            return 0
        left = [end - now for end in self._ends if end > now]
        delays = [min(cycles, rest) for rest in left]
        self._ends = [now + rest + delay for rest, delay in zip(left, delays, strict=True)]
        self._ends.append(now + cycles + sum(delays))
        return sum(delays)


@dataclass(frozen=True)
class Timing:
    """Cycles of one run: on the engine, until the result is there, and of its lines (all whole, occupancy >= 1)."""

    occupancy: int
    latency: int
    line_cycles: int = 0


_URGENT = 1 << 60  # above any key


@dataclass(frozen=True)
class Turn:
    """When a run is due: `runs` an input, from `first` of the input's `slots`, at `position` of `positions`.

    Every `urgent` run that is ready goes before all others.
    """

    runs: int = 1
    first: int = 0
    slots: int = 1
    position: int = 0
    positions: int = 1
    urgent: bool = False

    def key(self, run: int) -> int:
        """Urgency of a run: urgent ones first, then input before slot before position."""
        number, index = divmod(run, self.runs)
        key = (number * self.slots + self.first + index) * self.positions + self.position
        return key - _URGENT if self.urgent else key


class Task:
    """Takes the contents `reads` (store, and how many runs read one content) and writes the content `result`."""

    def __init__(
        self, engine: Engine, turn: Turn, timing: Timing, lines: Sequence[Line] = (), *, inputs: float = inf
    ) -> None:
        self.engine = engine
        self.turn = turn
        self.timing = timing
        self.lines = lines
        self.limit = inputs * turn.runs
        self.reads: list[tuple[Store, int]] = []
        self.result: Store | None = None
        self.started = 0
        self.finished = 0
        self._queued = False
        self._lines_free = 0  # of this task's messages
        self._late = False  # the run on the engine goes on behind it

    def read(self, store: Store, runs: int) -> None:
        """Take an operand from a store, one content for `runs` runs."""
        if all(store is not other for other, _ in self.reads):
            self.reads.append((store, runs))
            store.readers.append((self, runs))

    def write(self, store: Store) -> None:
        """Put the result into a store."""
        self.result = store
        store.writers.append(self)

    def poke(self) -> None:
        """Queue the next run, if all that it needs is there."""
        if not self._queued and self.started < self.limit and self.ready():
            self._queued = True
            self.engine.push(self.turn.key(self.started), self)

    def ready(self) -> bool:
        """Whether the next run's operands are there and its result has room."""
        return self.has_operands() and self.has_room()

    def has_operands(self) -> bool:
        """Whether the next run's operands are there."""
        run = self.started
        for store, runs in self.reads:  # noqa: SIM110 - asked more often than anything else
            if store.produced <= run // runs:
                return False
        return True

    def has_room(self) -> bool:
        """Whether the next run may write its result."""
        return self.result is None or self.started < self.result.released + self.result.copies

    def start(self) -> int:
        """Start a run now; returns for how many cycles it occupies the engine."""
        self._queued = False
        self.started += 1
        self.run(int(self.engine.env.now))
        self.poke()
        return self.timing.occupancy

    def run(self, now: int) -> None:
        """Set the run going: where its lines are busy it takes longer, but the engine is free in time."""
        timing, env = self.timing, self.engine.env
        delay = self._line_delay(now) if self.lines else 0
        self._late = delay > 0
        if delay:
            Call(env, delay + timing.occupancy, self._finish)
        if self.result is not None and delay + timing.latency > timing.occupancy:
            Call(env, delay + timing.latency, self._produce)

    def _line_delay(self, now: int) -> int:
        """Cycles by which other messages delay this run's, which keeps its place behind the task's earlier ones."""
        cycles = self.timing.line_cycles
        delay = max(self._lines_free - now, *(line.share(now, cycles) for line in self.lines))
        self._lines_free = now + delay + cycles
        return delay

    def leave(self) -> None:
        """The engine is free again."""
        if not self._late:
            self.finish()
        if self.result is not None and not self._late and self.timing.latency == self.timing.occupancy:
            self.result.produce()

    def finish(self) -> None:
        """One more run is done with its operands."""
        self.finished += 1
        for store, _ in self.reads:
            store.settle()

    def _finish(self, _: Event) -> None:
        self.finish()

    def _produce(self, _: Event) -> None:
        if self.result is not None:
            self.result.produce()
