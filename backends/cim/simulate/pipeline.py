"""The program runs: stages start chunks when their inputs are there and their outputs have room.

A chunk of a stage takes the bus of its tiles to load inputs, their arrays (and turns to issue products) to multiply,
the links for partial sums, and the lanes for additions and steps. Tiles' buses, turns and lanes are shared by all
stages that have pieces there, and links by all transfers, first come, first served. The next chunk loads while one
multiplies; lanes work on a third. A product needs what it multiplies; what only the steps after it read may come while
it is made, and until then one chunk's sums wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

import numpy as np
from numpy.typing import NDArray
from simpy import Environment

from wsc.backends.cim.program import HOST, Stream
from wsc.backends.cim.simulate.prepare import Prepared, StageCosts, StreamCosts
from wsc.compiler.errors import SimulationError
from wsc.simulation.events import Call
from wsc.simulation.links import Links

Watch = Callable[[str, str, int, int], None]


@dataclass(eq=False)
class Flow:
    """A stream under way; counts chunks over all inputs."""

    costs: StreamCosts
    sent: int = 0
    arrived: int = 0
    released: int = 0
    blocked_cycles: int = 0

    def __post_init__(self) -> None:
        # Asked for at every event: read once.
        self.stream: Stream = self.costs.stream
        self.chunks = self.stream.source_chunks
        self.capacity = inf if self.stream.target == HOST else self.stream.capacity
        told = range(self.stream.target_chunks if self.stream.target != HOST else 0)
        self.needed = [self.stream.needed(chunk) for chunk in told]
        self.freed = [self.stream.freed(chunk) for chunk in told]

    def has_room(self) -> bool:
        """Whether the target could take the next chunk."""
        return self.sent < self.released + self.capacity

    def is_there(self, number: int, chunk: int) -> bool:
        """Whether what a chunk of the target reads of an input has come."""
        return self.arrived >= number * self.chunks + self.needed[chunk]


@dataclass(eq=False)
class Runner:
    """A stage under way."""

    costs: StageCosts
    inputs: list[Flow] = field(default_factory=list)  # what a chunk needs to begin
    late: list[Flow] = field(default_factory=list)  # what only the steps after the product need
    waiting: deque[int] = field(default_factory=deque)  # chunks whose sums are there, and late inputs are not
    outputs: list[Flow] = field(default_factory=list)
    fired: int = 0
    loading: bool = False
    booked: list[int] = field(default_factory=list)  # room taken in each output before it is sent
    blocked_since: int | None = None

    def __post_init__(self) -> None:
        self.arrays_free = np.zeros(len(self.costs.tiles), np.int64)
        self.last_end = 0
        self.chunks = self.costs.stage.chunks
        self.issues = bool(self.costs.issue.any())
        self.longest_issue = int(self.costs.issue.max()) if self.issues else 0

    @property
    def position(self) -> tuple[int, int]:
        """(input, chunk) that is next."""
        return divmod(self.fired, self.chunks)

    def gives(self, flow: Flow, number: int) -> bool:
        """Whether a chunk of the stage gives a chunk of a stream: each does, or the last of an input."""
        return flow.chunks > 1 or self.chunks == 1 or number % self.chunks == self.chunks - 1

    def may_book(self, flow: Flow) -> bool:
        """Whether a stream has room for what the next chunk gives."""
        if not self.gives(flow, self.fired):
            return True
        number, chunk = self.position
        index = number * flow.chunks + (chunk if flow.chunks > 1 else 0)
        return index < flow.released + flow.capacity


class Pipeline:
    """A program on its way through `inputs` inputs; stops as soon as the outputs' times are `enough`.

    `watch` is told what a stage or a stream does as it is planned: its name, what, the first cycle and how many.
    """

    def __init__(
        self,
        prepared: Prepared,
        enough: Callable[[list[int]], bool],
        inputs: float = inf,
        watch: Watch | None = None,
    ) -> None:
        self.watch = watch
        self.prepared = prepared
        self.env = Environment()
        self.enough = enough
        self.inputs = inputs
        self.links = Links(prepared.links)
        tiles = len(prepared.program.places)
        self.bus, self.turns, self.lanes = (np.zeros(tiles, np.int64) for _ in range(3))
        self.runners = {costs.stage.name: Runner(costs) for costs in prepared.stages}
        self.flows = [Flow(costs) for costs in prepared.streams]
        self.sinks = [flow for flow in self.flows if flow.stream.target == HOST]
        self.times: list[int] = []
        self.lacking = len(self.sinks)  # outputs that the next input still lacks
        self.done = self.env.event()
        self.round = 0
        for flow in self.flows:
            if flow.stream.source != HOST:
                self.runners[flow.stream.source].outputs.append(flow)
            if flow.stream.target != HOST:
                runner = self.runners[flow.stream.target]
                product = runner.costs.stage.product
                begins = product is None or flow.stream.tensor in product.read
                (runner.inputs if begins else runner.late).append(flow)

    def run(self) -> list[int]:
        """Cycles at which the outputs are complete; raises SimulationError where nothing moves any more."""
        self._begin_round(0)
        for flow in self.flows:
            if flow.stream.source == HOST:
                self._feed(flow)
        for runner in self.runners.values():
            self._look(runner)
        try:
            self.env.run(self.done)
        except RuntimeError as error:
            if self.done.triggered:
                raise
            raise SimulationError(f"at cycle {self.env.now} nothing can go on: {self._stuck()}") from error
        return self.times

    # --- streams

    def _feed(self, flow: Flow) -> None:
        """The host sends while there is room."""
        while flow.sent < self.inputs * flow.chunks and flow.has_room():
            self._send(flow)

    def _send(self, flow: Flow) -> None:
        flow.sent += 1
        now = int(self.env.now)
        start = self.links.reserve(now, flow.costs.path)
        if self.watch is not None:
            self.watch(flow.stream.name, "stream", start, flow.costs.path.arrival)
        Call(self.env, start - now + flow.costs.path.arrival, lambda _: self._arrive(flow))

    def _arrive(self, flow: Flow) -> None:
        flow.arrived += 1
        if flow.stream.target != HOST:
            runner = self.runners[flow.stream.target]
            self._go_on(runner)
            self._look(runner)
        elif flow.arrived == (len(self.times) + 1) * flow.chunks:
            self.lacking -= 1
            if not self.lacking:
                self._complete()

    def _complete(self) -> None:
        """The last output of an input has come; others may have come for the next one."""
        self.times.append(int(self.env.now))
        wanted = len(self.times) + 1
        self.lacking = sum(sink.arrived < wanted * sink.chunks for sink in self.sinks)
        if self.enough(self.times) and not self.done.triggered:
            self.done.succeed()

    # --- stages

    def _look(self, runner: Runner) -> None:
        """Start the next chunk of a stage if it can."""
        if runner.loading or runner.waiting or runner.fired >= self.inputs * runner.chunks:
            return
        if runner.costs.stage.round != self.round or not _are_there(runner.inputs, *runner.position):
            return
        for flow in runner.outputs:
            if not runner.may_book(flow):
                if runner.blocked_since is None:
                    runner.blocked_since = int(self.env.now)
                return
        self._fire(runner)

    def _fire(self, runner: Runner) -> None:
        costs, now = runner.costs, int(self.env.now)
        if runner.blocked_since is not None:
            for flow in runner.outputs:
                flow.blocked_cycles += now - runner.blocked_since
            runner.blocked_since = None
        number = runner.fired
        runner.fired += 1
        runner.loading = True
        tiles = costs.tiles
        begun = np.maximum(self.bus[tiles], now)
        loaded, free = begun + costs.load, runner.arrays_free
        if costs.rewrite and number % runner.chunks == 0:
            # The matrix comes over the bus first; rows are written as they come, once the last input is done.
            loaded = loaded + costs.rewrite_load
            free = np.maximum(begun, free) + costs.rewrite
        self.bus[tiles] = loaded
        start = np.maximum(loaded, free)
        runner.arrays_free = start + costs.product
        end = runner.arrays_free + costs.tail
        if self.watch is not None:
            self._tell(runner, begun, start, number)
        next_load = int(start.max())
        if runner.issues:
            turns = np.maximum(self.turns[tiles], loaded) + costs.issue
            self.turns[tiles] = turns
            end = np.maximum(end, turns)
            next_load = max(next_load, int(turns.max()) - runner.longest_issue)
        # The next chunk loads from when the slowest tile begins to multiply this one, and has its turns.
        Call(self.env, max(0, next_load - now), lambda _: self._loaded(runner))
        Call(self.env, max(0, int(end.max()) - now), lambda _: self._multiplied(runner, number))

    def _tell(self, runner: Runner, begun: NDArray[np.int64], start: NDArray[np.int64], number: int) -> None:
        """Tell what the tile that begins to multiply last does with a chunk."""
        assert self.watch is not None
        costs, slowest = runner.costs, int(start.argmax())
        name, first = costs.stage.name, int(begun[slowest])
        if loads := int(costs.load[slowest]):
            self.watch(name, "load", first, loads)
        if costs.rewrite and number % runner.chunks == 0:
            self.watch(name, "write", int(start[slowest]) - costs.rewrite, costs.rewrite)
        if costs.product:
            self.watch(name, "product", int(start[slowest]), costs.product + costs.tail)

    def _loaded(self, runner: Runner) -> None:
        runner.loading = False
        self._look(runner)

    def _multiplied(self, runner: Runner, number: int) -> None:
        """Inputs are done with; partial sums travel, then the lanes take over."""
        costs, now = runner.costs, int(self.env.now)
        self._release(runner, runner.inputs, number)
        arrived = now
        if costs.partial.resources.size:
            leaves = self.links.reserve(now, costs.partial)
            arrived = leaves + costs.partial.arrival
            if self.watch is not None:
                self.watch(costs.stage.name, "partial sums", leaves, costs.partial.arrival)
        Call(self.env, arrived - now, lambda _: self._reduced(runner, number))

    def _release(self, runner: Runner, flows: list[Flow], number: int) -> None:
        """Give back the room of what no later chunk reads."""
        input_number, chunk = divmod(number, runner.chunks)
        for flow in flows:
            flow.released = input_number * flow.chunks + flow.freed[chunk]
            if flow.stream.source == HOST:
                self._feed(flow)
            else:
                self._look(self.runners[flow.stream.source])

    def _reduced(self, runner: Runner, number: int) -> None:
        """The sums of a chunk are there."""
        runner.waiting.append(number)
        self._go_on(runner)

    def _go_on(self, runner: Runner) -> None:
        """Lanes take the chunks whose sums wait, as soon as what the steps read besides is there."""
        while runner.waiting:
            if runner.late and not _are_there(runner.late, *divmod(runner.waiting[0], runner.chunks)):
                return
            self._steps(runner, runner.waiting.popleft())
            self._look(runner)

    def _steps(self, runner: Runner, number: int) -> None:
        costs, now = runner.costs, int(self.env.now)
        tiles = costs.tiles
        begun = np.maximum(self.lanes[tiles], now)
        end = begun + costs.digital
        if self.watch is not None and costs.digital.any():
            slowest = int(end.argmax())
            self.watch(costs.stage.name, "lanes", int(begun[slowest]), int(costs.digital[slowest]))
        self.lanes[tiles] = end
        done = int(end.max())
        Call(self.env, max(0, done - now), lambda _: self._release(runner, runner.late, number))
        # Chunks leave in order.
        runner.last_end = max(runner.last_end, done)
        Call(self.env, runner.last_end - now, lambda _: self._finished(runner, number))

    def _finished(self, runner: Runner, number: int) -> None:
        for flow in runner.outputs:
            if runner.gives(flow, number):
                self._send(flow)
        if self.prepared.reloads and (number + 1) % runner.chunks == 0:
            self._end_of_round(number // runner.chunks)

    # --- rounds of a program that is larger than its arrays

    def _begin_round(self, number: int) -> None:
        """Fill the arrays; nothing of the round runs before that."""
        if not self.prepared.reloads:
            return
        self.round = -1
        Call(self.env, self.prepared.fills[number], lambda _: self._start_round(number))

    def _start_round(self, number: int) -> None:
        self.round = number
        for runner in self.runners.values():
            self._look(runner)

    def _end_of_round(self, input_number: int) -> None:
        members = [r for r in self.runners.values() if r.costs.stage.round == self.round]
        if all(r.fired >= (input_number + 1) * r.chunks for r in members):
            self._begin_round((self.round + 1) % self.prepared.program.rounds)

    def _stuck(self) -> str:
        """Who waits, and which streams have no room for what is next."""
        waiting = [name for name, r in self.runners.items() if r.fired < r.chunks]
        told = f"stages {', '.join(waiting[:4]) or 'of the second input'} wait for each other"
        full = [
            f"{flow.stream.name} to '{flow.stream.target}' (capacity {flow.stream.capacity})"
            for runner in self.runners.values()
            for flow in runner.outputs
            if runner.fired < self.inputs * runner.chunks and not runner.may_book(flow)
        ]
        return f"{told}; full: {', '.join(full[:4])}" if full else told


def _are_there(flows: list[Flow], number: int, chunk: int) -> bool:
    return all(flow.is_there(number, chunk) for flow in flows)
