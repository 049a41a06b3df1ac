"""How close together the inputs of a kernel can be, and how long one takes to pass it. No simulator uses this."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wsc.backends.wafer.estimate.instructions import instruction_spent
from wsc.backends.wafer.estimate.moves import Spent
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Buffer, Instruction
from wsc.compiler.layout import Mesh


@dataclass(frozen=True)
class Section:
    """Instructions with what each spends, `times` an input."""

    instructions: tuple[Instruction, ...]
    spent: tuple[Spent, ...]
    times: int


@dataclass(frozen=True)
class KernelTime:
    """Cycles an input of a kernel's busiest core, and of the buffer that is full longest; and from in to out."""

    busy: float
    held: float
    latency: float

    @property
    def interval(self) -> float:
        """Least cycles between two inputs."""
        return max(self.busy, self.held)


def kernel_time(
    once: Sequence[Instruction], body: Sequence[Instruction], chunks: int, buffers: Mapping[str, Buffer],
    machine: Wafer, mesh: Mesh,
) -> KernelTime:  # fmt: skip
    """Of a kernel that runs `once`, then `body` for each of its chunks.

    A buffer of n copies takes a new content when the oldest has been read: its writer starts at most n times while one
    content is on its way and is read.
    """
    sections = [_section(i, t, buffers, machine, mesh) for i, t in ((once, 1), (body, chunks))]
    busy = sum(s.times * sum(spent.busy for spent in s.spent) for s in sections)
    held = max((cycles for s in sections for cycles in _held(s, sections, buffers)), default=0.0)
    first = sum(_through(s) for s in sections)
    rest = (chunks - 1) * sum(spent.busy for spent in sections[1].spent)
    return KernelTime(busy, held, first + rest)


def _section(
    instructions: Sequence[Instruction], times: int, buffers: Mapping[str, Buffer], machine: Wafer, mesh: Mesh
) -> Section:
    spent = tuple(instruction_spent(i, buffers, machine, mesh) for i in instructions)
    return Section(tuple(instructions), spent, times)


def _held(section: Section, sections: Sequence[Section], buffers: Mapping[str, Buffer]) -> Iterator[float]:
    """For each buffer that the section writes: cycles an input between contents that its copies allow."""
    for writer, spent in zip(section.instructions, section.spent, strict=True):
        if not writer.result or writer.result not in buffers or not writer.operands:
            continue  # what a stream fills has as much room as its depth was planned for
        readers = (
            other.busy
            for s in sections
            for i, other in zip(s.instructions, s.spent, strict=True)
            if s.times == section.times and writer.result in i.operands
        )
        content = spent.latency + max(readers, default=0.0)
        yield section.times * content / buffers[writer.result].copies


def _through(section: Section) -> float:
    """Cycles until the last result of a section is there: the longest way through what each instruction needs."""
    there: dict[str, float] = {}
    end = 0.0
    for instruction, spent in zip(section.instructions, section.spent, strict=True):
        start = max((there.get(name, 0.0) for name in instruction.operands), default=0.0)
        end = max(end, start + spent.latency)
        if instruction.result:
            there[instruction.result] = start + spent.latency
    return end
