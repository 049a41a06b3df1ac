"""A kernel's instructions as they run, one after another, with what each waits for.

Every instruction of a kernel, those of loops included, has a counter of the runs that are done. A run waits until the
content that it reads has been written, and until the copy that it writes has been read by all who read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from wsc.backends.wafer.instructions import Lookup, MultiplyAdd, Recv, ReduceInto, Rotate, Wait
from wsc.backends.wafer.movement.program import numbered
from wsc.backends.wafer.program import RESIDENT, Buffer, Instruction, Kernel, Loop
from wsc.compiler.ops.base import Op

Event = tuple[int, int]  # counter, and the value that it reaches


@dataclass(frozen=True)
class Run:
    """One run of an instruction: its number, its queue, what it waits for, and which copies of its buffers it uses.

    `number` counts the instruction's runs, `step` those within the loop around it; `fresh` runs begin a loop's result.
    """

    instruction: Instruction
    counter: int
    number: int
    queue: int
    age: int
    step: int
    waits: tuple[Event, ...]
    operands: tuple[int, ...]
    result: int
    fresh: bool = False


@dataclass(eq=False)
class _Content:
    """One content of a buffer: who writes it, and who reads it; some do so piece by piece."""

    written: Event | None = None
    read: list[Event] = field(default_factory=list)
    pieces: dict[int, _Content] = field(default_factory=dict)

    def wait_to_read(self, waits: dict[int, int], event: Event) -> None:
        """Until all of it has been written."""
        for part in (self, *self.pieces.values()):
            _wait(waits, part.written, event)

    def wait_to_write(self, waits: dict[int, int], event: Event) -> None:
        """Until all of it has been written and read."""
        self.wait_to_read(waits, event)
        for part in (self, *self.pieces.values()):
            for reader in part.read:
                _wait(waits, reader, event)


def copies(kernel: Kernel, rooms: Mapping[str, int]) -> dict[str, int]:
    """How many contents of each buffer there is memory for; `rooms` are those that streams need."""
    return {b.name: max(b.copies, rooms.get(b.name, 1)) for b in kernel.buffers}


class Unrolled:
    """The runs of a kernel for some inputs, in the order of the program."""

    def __init__(self, kernel: Kernel, rooms: Mapping[str, int], inputs: int) -> None:
        self.kernel = kernel
        self.rooms = dict(rooms)
        self.copies = copies(kernel, rooms)
        self.counters = numbered(kernel)
        self.runs: list[Run] = []
        self._contents: dict[str, list[_Content]] = {b.name: [] for b in kernel.buffers}
        self._count = dict.fromkeys(self.counters.values(), 0)
        self._chunk = 0
        slots = kernel.chunks + 1
        for number in range(inputs):
            self._section(kernel.once, number * slots, 0)
            for chunk in range(kernel.chunks):
                self._chunk = chunk
                self._section(kernel.body, number * slots + 1 + chunk, len(kernel.once))

    def _section(self, instructions: tuple[Instruction, ...], slot: int, first: int) -> None:
        positions = len(self.kernel.once) + len(self.kernel.body)
        for position, instruction in enumerate(instructions, first):
            age = slot * positions + position
            if isinstance(instruction.op, Loop):
                self._loop(instruction, age, position)
            else:
                self._add(instruction, age, position)

    def _loop(self, loop: Instruction, age: int, queue: int) -> None:
        """A loop's runs stay in order. Its result has a new content, which the first that adds to it makes."""
        assert isinstance(loop.op, Loop)
        fresh = {loop.result}
        for step in range(loop.op.steps):
            for inner in loop.op.body:
                if isinstance(inner.op, Loop):
                    self._loop(inner, age, queue)
                    continue
                begins = inner.result in fresh
                self._add(inner, age, queue, step, begins)
                fresh.discard(inner.result)

    def _add(
        self, instruction: Instruction, age: int, queue: int, step: int = 0, fresh: bool = False
    ) -> None:
        counter = self.counters[id(instruction)]
        number = self._count[counter]
        event = counter, number + 1
        waits: dict[int, int] = {}
        if not isinstance(instruction.op, Wait):
            self._count[counter] += 1
            waits[counter] = number
        operands = tuple(
            self._read(name, event, waits, _piece(instruction, n, step))
            for n, name in enumerate(instruction.operands)
        )
        result = -1
        if isinstance(instruction.op, Rotate):
            result = self._rotate(instruction.result, event, waits, step % instruction.op.pieces)
        elif instruction.result:
            adds = isinstance(instruction.op, (MultiplyAdd, ReduceInto)) and not fresh
            result = self._write(instruction.result, event, waits, adds)
        if isinstance(instruction.op, Wait):
            self._count[counter] += 1
        needed = tuple((c, least) for c, least in sorted(waits.items()) if least > 0)
        self.runs.append(Run(instruction, counter, number, queue, age, step, needed, operands, result, fresh))

    def _read(self, name: str, event: Event, waits: dict[int, int], piece: int | None) -> int:
        """The copy that holds the newest content."""
        buffer = self.kernel[name]
        if buffer.role in RESIDENT:
            return self._chunk if buffer.chunk_dim >= 0 else 0
        content = self._newest(name)
        if piece is None:
            content.wait_to_read(waits, event)
            content.read.append(event)
        else:
            _wait(waits, content.written, event)
            part = content.pieces.setdefault(piece, _Content())
            _wait(waits, part.written, event)
            part.read.append(event)
        return (len(self._contents[name]) - 1) % self.copies[name]

    def _newest(self, name: str) -> _Content:
        contents = self._contents[name]
        if not contents:  # a loop's memory that nothing has written yet
            contents.append(_Content())
        return contents[-1]

    def _write(self, name: str, event: Event, waits: dict[int, int], adds: bool) -> int:
        contents, room = self._contents[name], self.copies[name]
        if adds and contents:
            _wait(waits, contents[-1].written, event)
            contents[-1].written = event
            return (len(contents) - 1) % room
        if len(contents) >= room:
            old = contents[-room]
            old.wait_to_write(waits, event)
            old.read, old.pieces = [], {}
        contents.append(_Content(event))
        return (len(contents) - 1) % room

    def _rotate(self, name: str, event: Event, waits: dict[int, int], piece: int) -> int:
        """A piece is written again, in the same content."""
        content = self._newest(name)
        _wait(waits, content.written, event)
        for reader in (*content.read, *content.pieces[piece].read):
            _wait(waits, reader, event)
        content.pieces[piece] = _Content(event)
        return (len(self._contents[name]) - 1) % self.copies[name]


def _piece(instruction: Instruction, operand: int, step: int) -> int | None:
    """Which piece of an operand a step of a loop takes; None for all of it."""
    match instruction.op:
        case Rotate(pieces=pieces):
            return step % pieces
        case MultiplyAdd(pieces=(_, _) as both):
            return step % both[operand]
    return None


def _wait(waits: dict[int, int], event: Event | None, own: Event) -> None:
    if event is not None and event != own:
        waits[event[0]] = max(waits.get(event[0], 0), event[1])


def is_compute(run: Run) -> bool:
    """Whether a core computes for itself, rather than moves something."""
    return isinstance(run.instruction.op, (Op, MultiplyAdd, Lookup))


def rooms(kernel: Kernel, capacity: Mapping[str, int]) -> dict[str, int]:
    """How many chunks the buffers hold that streams fill, by name; `capacity` is that of the streams."""
    received = (i for i in kernel.instructions() if isinstance(i.op, Recv))
    return {i.result: capacity[i.op.stream] for i in received if isinstance(i.op, Recv)}


def stride(buffer: Buffer) -> int:
    """Bytes from one copy of a buffer to the next."""
    return -(-buffer.tile_type.bytes // 4) * 4
