"""A kernel's instructions as they run, one after another, with what each waits for.

Every instruction of a kernel, those of loops included, has a counter of the runs that are done. A run waits until the
content that it reads has been written, and until the copy that it writes has been read by all who read it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from wsc.backends.wafer.instructions import (
    Insert,
    Load,
    MultiplyAdd,
    Recv,
    ReduceInto,
    Rotate,
    Wait,
)
from wsc.backends.wafer.movement.program import numbered
from wsc.backends.wafer.program import RESIDENT, Buffer, Instruction, Kernel, Loop, Repeat

Event = tuple[int, int]  # counter, and the value that it reaches
EMPTY: Mapping[int, str] = MappingProxyType({})


@dataclass(frozen=True)
class Run:
    """One run of an instruction: its number, its queue, what it waits for, and which copies of its buffers it uses.

    `number` counts the instruction's runs, `step` those within the loop around it (if it is `looped`); `fresh` runs
    begin a loop's result. A load brings the buffer's content of number `content`.
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
    looped: bool = False
    content: int = 0
    taking: bool = False  # of an append: an element is taken out of its slots, before one is put in


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
    return {
        b.name: max(b.copies, rooms.get(b.name, 1), len(b.keys) if b.role != "fetched" else 1)
        for b in kernel.buffers
    }


class Unrolled:
    """The runs of a kernel for some inputs, in the order of the program.

    `chains` names, by counter, the movements of kernels in order that come one after another. There all instructions
    have one queue, but loads, which go on by themselves, another.
    """

    def __init__(
        self, kernel: Kernel, rooms: Mapping[str, int], inputs: int, chains: Mapping[int, str] = EMPTY
    ) -> None:
        self.kernel, self.chains = kernel, chains
        self.copies = copies(kernel, rooms)
        self.counters = numbered(kernel)
        self.runs: list[Run] = []
        self.starts: list[int] = []  # the first run of every input
        self._contents: dict[tuple[str, int], list[_Content]] = defaultdict(list)
        self._count = dict.fromkeys(self.counters.values(), 0)
        self._latest: dict[str, Event] = {}  # of a chain
        self._chunk, self._turn, self._input = 0, 0, 0
        slots = kernel.chunks + 1
        for self._input in range(inputs):
            self.starts.append(len(self.runs))
            self._section(kernel.once, self._input * slots, 0)
            for self._chunk in range(kernel.chunks):
                self._section(kernel.body, self._input * slots + 1 + self._chunk, len(kernel.once))

    @property
    def queues(self) -> int:
        """Queues of instructions that every core has."""
        return 2 if self.kernel.in_order else len(self.kernel.once) + len(self.kernel.body)

    def _section(self, instructions: tuple[Instruction, ...], slot: int, first: int) -> None:
        positions = len(self.kernel.once) + len(self.kernel.body)
        for position, instruction in enumerate(instructions, first):
            self._any(instruction, slot * positions + position, position)

    def _any(self, instruction: Instruction, age: int, queue: int) -> None:
        if isinstance(instruction.op, Repeat):
            for self._turn in range(instruction.op.steps):
                for inner in instruction.op.body:
                    self._any(inner, age, queue)
            self._turn = 0
        elif isinstance(instruction.op, Loop):
            self._loop(instruction, age, queue)
        else:
            self._add(instruction, age, queue)

    def _loop(self, loop: Instruction, age: int, queue: int) -> None:
        """A loop's runs stay in order. Its result has a new content, which the first that adds to it makes."""
        assert isinstance(loop.op, Loop)
        fresh = {loop.result}
        for step in range(loop.op.steps):
            for inner in loop.op.body:
                begins = inner.result in fresh
                self._add(inner, age, queue, step, begins, looped=True)
                fresh.discard(inner.result)

    def _add(
        self, instruction: Instruction, age: int, queue: int, step: int = 0, fresh: bool = False,
        looped: bool = False,
    ) -> None:  # fmt: skip
        counter, op = self.counters[id(instruction)], instruction.op
        if isinstance(op, Load) and self._is_past(instruction):
            return
        number = self._count[counter]
        event = counter, number + 1
        waits: dict[int, int] = {}
        if not isinstance(op, Wait):
            waits[counter] = number
        if counter in self.chains:
            _wait(waits, self._latest.get(self.chains[counter]), event)
            self._latest[self.chains[counter]] = event
        operands = tuple(
            self._read(name, event, waits, _piece(instruction, n, step))
            for n, name in enumerate(instruction.operands)
        )
        result = self._write(instruction, event, waits, step, fresh) if instruction.result else -1
        self._count[counter] += 1
        if self.kernel.in_order:
            queue = 1 if isinstance(op, Load) else 0
        needed = tuple((c, least) for c, least in sorted(waits.items()) if least > 0)
        made = Run(
            instruction, counter, number, queue, age, step, needed, operands, result, fresh, looped,
            self._loaded(instruction) if isinstance(op, Load) else 0,
        )  # fmt: skip
        self.runs.append(made)

    def _loaded(self, load: Instruction) -> int:
        """Which content a load has just brought."""
        return (len(self._contents[load.result, 0]) - 1) % len(self.kernel[load.result].names)

    def _is_past(self, load: Instruction) -> bool:
        """Whether a load has no content left to bring before the repeat ends."""
        names = self.kernel[load.result].keys
        return bool(names) and len(self._contents[load.result, 0]) >= len(names) * (self._input + 1)

    def _slot(self, buffer: Buffer) -> int:
        """Of a buffer with a content for every step of a repeat, which one is seen."""
        return self._turn if buffer.keys and buffer.role != "fetched" else 0

    def _read(self, name: str, event: Event, waits: dict[int, int], piece: int | None) -> int:
        """The copy that holds the newest content."""
        buffer = self.kernel[name]
        if buffer.role in RESIDENT and buffer.role != "state":
            return self._chunk if buffer.chunk_dim >= 0 else self._slot(buffer)
        content, copy = self._seen(buffer)
        if piece is None:
            content.wait_to_read(waits, event)
            content.read.append(event)
        else:
            _wait(waits, content.written, event)
            part = content.pieces.setdefault(piece, _Content())
            _wait(waits, part.written, event)
            part.read.append(event)
        return copy

    def _seen(self, buffer: Buffer) -> tuple[_Content, int]:
        """The content that an instruction sees, and the copy that it lies in."""
        slot = self._slot(buffer)
        contents = self._contents[buffer.name, slot]
        if not contents:  # memory that nothing has written yet
            contents.append(_Content())
        if buffer.role == "state":
            return contents[-1], slot
        number = len(contents) - 1
        if buffer.role == "fetched" and buffer.keys:
            number = self._input * len(buffer.keys) + self._turn
        return contents[number], number % self.copies[buffer.name]

    def _write(
        self, instruction: Instruction, event: Event, waits: dict[int, int], step: int, fresh: bool
    ) -> int:
        buffer, op = self.kernel[instruction.result], instruction.op
        if isinstance(op, Rotate):
            return self._rotate(buffer, event, waits, step % op.pieces)
        if isinstance(op, Insert) or buffer.role == "state":
            content, copy = self._seen(buffer)
            content.wait_to_write(waits, event)
            content.written, content.read, content.pieces = event, [], {}
            return copy
        contents, room = self._contents[buffer.name, 0], self.copies[buffer.name]
        if isinstance(op, (MultiplyAdd, ReduceInto)) and not fresh and contents:
            _wait(waits, contents[-1].written, event)
            contents[-1].written = event
            return (len(contents) - 1) % room
        if len(contents) >= room:
            old = contents[-room]
            old.wait_to_write(waits, event)
            old.read, old.pieces = [], {}
        contents.append(_Content(event))
        return (len(contents) - 1) % room

    def _rotate(self, buffer: Buffer, event: Event, waits: dict[int, int], piece: int) -> int:
        """A piece is written again, in the same content."""
        content, copy = self._seen(buffer)
        _wait(waits, content.written, event)
        for reader in (*content.read, *content.pieces[piece].read):
            _wait(waits, reader, event)
        content.pieces[piece] = _Content(event)
        return copy


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


def rooms(kernel: Kernel, capacity: Mapping[str, int]) -> dict[str, int]:
    """How many chunks the buffers hold that streams fill, by name; `capacity` is that of the streams."""
    received = (i for i in kernel.flat_instructions() if isinstance(i.op, Recv))
    return {i.result: capacity[i.op.stream] for i in received if isinstance(i.op, Recv)}


def stride(buffer: Buffer) -> int:
    """Bytes from one copy of a buffer to the next."""
    return -(-buffer.tile_type.bytes // 4) * 4
