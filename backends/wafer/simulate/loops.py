"""Cycles of a loop: its steps one after another on the busiest core, in the order of the program.

An instruction starts when the core is free, its operands are there and its result has a free copy. Nothing else holds
it up: there is no barrier between steps. So the way to the farthest core counts only once, after the last step, where
an operand comes from a core that goes on as soon as it has sent (`Cost.flight`). Of a tile that is used piece by piece
(Rotate, MultiplyAdd), every piece is there, and is read, by itself.

What a root alone has to do (`Cost.root`) makes the root late, and those that hear from it. Where tiles rotate, these
are the next step's roots, and every step is as late; elsewhere each core is a root in turn, and late once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from wsc.backends.wafer.instructions import MultiplyAdd, Rotate, Shift
from wsc.backends.wafer.program import RESIDENT, Instruction, Kernel, Loop
from wsc.backends.wafer.simulate.costs import COMPUTE, MOVEMENT, Cost


def loop_cost(kernel: Kernel, instruction: Instruction, costs: Sequence[Cost]) -> Cost:
    """Cost of a loop whose body's instructions cost `costs`."""
    assert isinstance(instruction.op, Loop)
    steps, body = instruction.op.steps, instruction.op.body
    core = _Core()
    states = _States(kernel)
    once = 0
    if not any(isinstance(inner.op, (Rotate, Shift)) for inner in body):
        once = max((cost.root for cost in costs), default=0)
        costs = [_without_root(cost) for cost in costs]
    for step in range(steps):
        for inner, cost in zip(body, costs, strict=True):
            core.run(cost, states.read(inner, step), states.written(inner, step))
    end = max(core.free, core.arrived) + once + max((cost.flight for cost in costs), default=0)
    macs = steps * sum(cost.macs for cost in costs)
    lines = tuple(sorted({line for cost in costs for line in cost.lines}))
    on_lines = max((sum(c.line_cycles for c in costs if line in c.lines) for line in lines), default=0)
    idle = steps * sum(cost.idle for cost in costs)
    return Cost(
        COMPUTE if macs else MOVEMENT, core.free + once, end, lines, steps * on_lines, macs, idle=idle
    )


def _without_root(cost: Cost) -> Cost:
    return replace(cost, occupancy=cost.occupancy - cost.root, latency=cost.latency - cost.root, root=0)


@dataclass
class _Memory:
    """A buffer: when its content is there, and when readers are done with each of its copies."""

    copies: int
    there: int = 0
    read: int = 0  # end of the latest reader of the newest content
    done: list[int] = field(default_factory=list)  # of the contents before it

    def room(self) -> int:
        """When the oldest copy may be written."""
        ends = [*self.done, self.read]
        return ends[-self.copies] if len(ends) >= self.copies else 0

    def write(self, there: int) -> None:
        """Put a content in that is there at some cycle."""
        self.done = [*self.done, self.read][-self.copies :]
        self.there, self.read = there, there


class _States:
    """The state of every buffer that something writes, or of each piece of it."""

    def __init__(self, kernel: Kernel) -> None:
        self._copies = {b.name: b.copies for b in kernel.buffers if b.role not in RESIDENT}
        self._states: dict[tuple[str, int], _Memory] = {}

    def read(self, instruction: Instruction, step: int) -> list[_Memory]:
        """Of what an instruction reads in a step."""
        names = enumerate(instruction.operands)
        return [self._of(name, _piece(instruction, n, step)) for n, name in names if name in self._copies]

    def written(self, instruction: Instruction, step: int) -> _Memory | None:
        """Of what an instruction writes in a step."""
        if instruction.result not in self._copies:
            return None
        piece = _piece(instruction, 0, step) if isinstance(instruction.op, Rotate) else 0
        return self._of(instruction.result, piece)

    def _of(self, name: str, piece: int) -> _Memory:
        return self._states.setdefault((name, piece), _Memory(self._copies[name]))


def _piece(instruction: Instruction, operand: int, step: int) -> int:
    """Which piece of an operand's tile a step takes."""
    match instruction.op:
        case Rotate(pieces=pieces):
            return step % pieces
        case MultiplyAdd(pieces=(_, _) as both):
            return step % both[operand]
    return 0


@dataclass
class _Core:
    """The busiest core: when it is free again, and when the latest content is there."""

    free: int = 0
    arrived: int = 0

    def run(self, cost: Cost, read: Sequence[_Memory], result: _Memory | None) -> None:
        """Run one instruction as soon as it can start."""
        start = max([self.free, *(operand.there for operand in read)])
        in_place = any(operand is result for operand in read)
        if result is not None and not in_place:
            start = max(start, result.room())
        self.free = start + cost.occupancy
        for operand in read:
            operand.read = max(operand.read, self.free)
        if result is not None:
            result.write(start + cost.latency - cost.flight)
            self.arrived = max(self.arrived, result.there)
