"""Where the buffers of a program lie in a core's memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from wsc.backends.wafer.program import Buffer, Instruction, Loop
from wsc.compiler.errors import AlgorithmError


def place(
    buffers: Sequence[Buffer], instructions: Sequence[Instruction], in_place: Mapping[str, str]
) -> tuple[Buffer, ...]:
    """The buffers with their addresses: the lowest that is free, those in `in_place` over the one they overwrite.

    Memory of a local buffer is free for another one whose writer needs, directly or not, what every reader of the first
    has made: no order that the data allows can then mix the two up. The result of a loop starts from cleared memory, so
    that nothing lies there before it. Raises AlgorithmError where a buffer is read after it is overwritten.
    """
    uses = _Uses(instructions)
    for new, old in in_place.items():
        uses.check_overwrite(new, old)
    placed: dict[str, Buffer] = {}
    for buffer in buffers:
        if buffer.name in in_place:
            placed[buffer.name] = replace(buffer, address=placed[in_place[buffer.name]].address)
            continue
        busy = [b for b in placed.values() if not uses.may_follow(buffer, b)]
        placed[buffer.name] = replace(buffer, address=_lowest(buffer.bytes, busy))
    return tuple(placed.values())


def _lowest(size: int, busy: Sequence[Buffer]) -> int:
    """The lowest address where so many bytes touch none of the buffers."""
    address = 0
    for buffer in sorted(busy, key=lambda b: b.address):
        if address + size <= buffer.address:
            break
        address = max(address, buffer.address + buffer.bytes)
    return address


class _Uses:
    """Who writes and who reads each buffer, and which instructions each one needs, as bits of a number."""

    def __init__(self, instructions: Sequence[Instruction]) -> None:
        self.writers: dict[str, int] = {}
        self.readers: dict[str, list[int]] = {}
        self.cleared: set[str] = set()
        self.needs: list[int] = []
        for number, instruction in enumerate(instructions):
            inside = instruction.op.body if isinstance(instruction.op, Loop) else ()
            read = {name for i in (instruction, *inside) for name in i.operands}
            written = {i.result for i in (instruction, *inside)} - {""}
            needed = 0
            for name in sorted(read & self.writers.keys()):
                needed |= self.needs[self.writers[name]] | 1 << self.writers[name]
            self.needs.append(needed)
            for name in sorted(read):
                self.readers.setdefault(name, []).append(number)
            for name in written:
                self.writers[name] = number
            if inside:
                self.cleared.add(instruction.result)

    def may_follow(self, new: Buffer, old: Buffer) -> bool:
        """Whether a buffer may take the memory of one that was placed before it."""
        if new.role == "weight" or new.role == "input" or old.role != "local" or new.name in self.cleared:
            return False
        writer = self.writers.get(new.name)
        used = [*self.readers.get(old.name, []), self.writers.get(old.name, -1)]
        if writer is None or writer in used:
            return False
        return all(number >= 0 and self.needs[writer] >> number & 1 for number in used)

    def check_overwrite(self, new: str, old: str) -> None:
        """Raise AlgorithmError unless every other reader of `old` comes before its memory changes."""
        writer = self.writers[new]
        late = [n for n in self.readers.get(old, []) if n != writer and not self.needs[writer] >> n & 1]
        if late:
            raise AlgorithmError(f"'{new}' overwrites '{old}', which is still read after or beside it")
