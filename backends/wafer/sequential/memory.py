"""Addresses of a kernel that runs in order: buffers whose lifetimes do not meet may lie in one place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from wsc.backends.wafer.program import Buffer, Instruction, Loop, Repeat
from wsc.compiler.ops import Reshape


@dataclass
class _Life:
    """First and last place, in the order of the instructions, at which a buffer is needed."""

    start: int
    stop: int


def placed(
    buffers: Sequence[Buffer],
    body: Sequence[Instruction],
    held: Mapping[str, int] | None = None,
    held_end: int = 0,
) -> tuple[Buffer, ...]:
    """The buffers with addresses: what is resident first, then the others by size where there is room.

    `held` are addresses of what is resident, below `held_end`, where they are known beforehand.
    """
    aliases = _aliases(body)
    lives = _lives(body, aliases)
    by_name = {b.name: b for b in buffers}
    resident = [b for b in buffers if b.name not in lives or b.role not in ("local", "stream")]
    address, places = held_end, dict(held or {})
    for buffer in resident:
        if buffer.name not in aliases and buffer.name not in places:
            places[buffer.name] = address
            address += buffer.bytes
    others = [b for b in buffers if b.name not in places and b.name not in aliases]
    taken: list[tuple[_Life, int, int]] = []
    for buffer in sorted(others, key=lambda b: (-b.bytes, b.name)):
        life = lives[buffer.name]
        busy = sorted(
            (a, e) for other, a, e in taken if other.start <= life.stop and life.start <= other.stop
        )
        at = address
        for begin, end in busy:
            if begin - at >= buffer.bytes:
                break
            at = max(at, end)
        places[buffer.name] = at
        taken.append((life, at, at + buffer.bytes))
    return tuple(replace(by_name[b.name], address=places[aliases.get(b.name, b.name)]) for b in buffers)


def _aliases(body: Sequence[Instruction]) -> dict[str, str]:
    """The buffer whose memory the result of a reshape is."""
    found: dict[str, str] = {}
    for _, instruction in _flat(body):
        if isinstance(instruction.op, Reshape):
            (name,) = instruction.operands
            found[instruction.result] = found.get(name, name)
    return found


def _flat(body: Sequence[Instruction]) -> Iterator[tuple[int, Instruction]]:
    """Instructions in order with their places; all of a loop's have the loop's."""
    place = 0
    for instruction in body:
        inner = instruction.op.body if isinstance(instruction.op, Repeat) else (instruction,)
        for one in inner:
            yield place, one
            if isinstance(one.op, Loop):
                yield from ((place, i) for i in one.op.body)
            place += 1


def _repeats(body: Sequence[Instruction]) -> list[tuple[int, int]]:
    """First and last place of every repeat."""
    found, place = [], 0
    for instruction in body:
        count = len(instruction.op.body) if isinstance(instruction.op, Repeat) else 1
        if isinstance(instruction.op, Repeat):
            found.append((place, place + count - 1))
        place += count
    return found


def _lives(body: Sequence[Instruction], aliases: dict[str, str]) -> dict[str, _Life]:
    lives: dict[str, _Life] = {}
    for place, instruction in _flat(body):
        for name in (*instruction.operands, instruction.result):
            if name:
                life = lives.setdefault(aliases.get(name, name), _Life(place, place))
                life.stop = place
    for first, last in _repeats(body):
        for life in lives.values():
            if life.start < first <= life.stop:  # needed in every step
                life.stop = max(life.stop, last)
    return lives
