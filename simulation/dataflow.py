"""Tasks on engines, started by their data: a task runs again and again, whenever its operands are there.

    Engine   a unit that serves one task at a time, the most urgent of those that are ready
    Store    a memory that holds a few contents side by side, each written once and read by some tasks
    Task     takes contents from stores, occupies its engine, and some cycles later a content is in its result store

Runs of a task are numbered from 0 and start in order, so that a store's state is two counters: contents produced, and
contents that every reader is done with.
"""

from __future__ import annotations

from collections.abc import Sequence
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


class Engine:
    """Serves tasks one at a time, of those that are ready the one of the lowest key."""

    def __init__(self, env: Environment) -> None:
        self.env = env
        self._queue: list[tuple[int, Task]] = []
        self._current: Task | None = None
        self._woken = False

    def push(self, key: int, task: Task) -> None:
        """Queue a run of a task; no two runs have one key."""
        heappush(self._queue, (key, task))
        if self._current is None:
            self._wake()

    def _wake(self) -> None:
        # Served last of all that happens now, so that what becomes ready now is seen whatever the order of events.
        if not self._woken:
            self._woken = True
            Call(self.env, 0, self._serve, LAST)

    def _serve(self, _: Event) -> None:
        self._woken = False
        _, self._current = heappop(self._queue)
        Call(self.env, self._current.start(), self._done)

    def _done(self, _: Event) -> None:
        task, self._current = self._current, None
        if task is not None:
            task.leave()
        if self._queue:
            self._wake()


@dataclass(eq=False)
class Store:
    """Room for `copies` contents; content k may be written when all readers are done with content k - copies."""

    copies: int
    produced: int = 0
    released: int = 0
    readers: list[tuple[Task, int]] = field(default_factory=list)  # and how many of its runs read one content
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
        released = min([task.finished // runs for task, runs in self.readers], default=self.produced)
        if released > self.released:
            self.released = released
            for writer in self.writers:
                writer.poke()


@dataclass(eq=False)
class Line:
    """Something the tasks of an engine use one after another, beside the engine; free from cycle `free` on."""

    free: int = 0


@dataclass(frozen=True)
class Timing:
    """Cycles of one run: on the engine, until the result is there, and of its lines (all whole, occupancy >= 1)."""

    occupancy: int
    latency: int
    line_cycles: int = 0


@dataclass(frozen=True)
class Turn:
    """When a run is due: `runs` an input, from `first` of the input's `slots`, at `position` of `positions`."""

    runs: int = 1
    first: int = 0
    slots: int = 1
    position: int = 0
    positions: int = 1

    def key(self, run: int) -> int:
        """Urgency of a run: input before slot before position."""
        number, index = divmod(run, self.runs)
        return (number * self.slots + self.first + index) * self.positions + self.position


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
        self._late = False  # the run on the engine waits for its lines

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
        return all(store.produced > run // runs for store, runs in self.reads)

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
        """Set the run going: where its lines are busy it waits for them, and the engine does not."""
        begin = max([now, *(line.free for line in self.lines)])
        for line in self.lines:
            line.free = begin + self.timing.line_cycles
        delay, env = begin - now, self.engine.env
        self._late = delay > 0
        if delay:
            Call(env, delay + self.timing.occupancy, self._finish)
        if self.result is not None and delay + self.timing.latency > self.timing.occupancy:
            Call(env, delay + self.timing.latency, self._produce)

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
