"""The work of a core as an instruction of a fabric's core: colours for messages, addresses for tiles, cycles for tasks.

A core that begins by itself starts its tasks first. One that begins with a word that comes has its task there already:
the start-up lies before the word's arrival. Outside loops a micro-thread then takes the words beside whatever the core
does; the steps of a loop are in order, and the core waits for the word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.movement.parts import OPERAND, Elements, Leg, Span, Work
from wsc.backends.wafer.program import Buffer
from wsc.backends.wafer.simulate.cycle.unroll import stride
from wsc.compiler.errors import SimulationError
from wsc.compiler.ir.types import DType
from wsc.simulation.fabric import Access, Instruction, Lanes, Transfer
from wsc.simulation.fabric.parts import PACE

_LANES = {
    DType.F32: Lanes.F32,
    DType.F16: Lanes.F16,
    DType.BF16: Lanes.BF16,
    DType.I32: Lanes.I32,
    DType.I16: Lanes.I16,
}


@dataclass(frozen=True)
class Memory:
    """Where a buffer's copies lie in a core."""

    buffer: Buffer
    address: int

    def at(self, copy: int) -> int:
        """Address of a copy, in bytes."""
        return self.address + copy * stride(self.buffer)


@dataclass(eq=False)
class Tables:
    """Tables of elements as units of memory, made once for every set of elements."""

    _made: dict[tuple[int, int], tuple[Elements, NDArray[np.int32] | None, int]] = field(default_factory=dict)

    def access(self, span: Span, base: int, bytes: int) -> Access:
        """How a transfer walks over a span of a tile of elements of so many bytes."""
        if span.elements is None:
            return Access(base)
        key = id(span.elements), bytes
        if key not in self._made:
            self._made[key] = span.elements, *_walked(span.elements, bytes)
        _, table, first = self._made[key]
        return Access(base + first) if table is None else Access(base, table, min(bytes, 4))


def _walked(elements: Elements, bytes: int) -> tuple[NDArray[np.int32] | None, int]:
    """A table of units; or none where the elements are whole words one after another, and their first byte."""
    first = int(elements[0]) * bytes
    whole = first % 4 == 0 and elements.size * bytes % 4 == 0
    if whole and (elements.size == 1 or bool((np.diff(elements) == 1).all())):
        return None, first
    if bytes <= 4:
        return elements.astype(np.int32), 0
    halves = bytes // 4
    return (elements[:, None] * halves + np.arange(halves)).ravel().astype(np.int32), 0


@dataclass(frozen=True, eq=False)
class Wiring:
    """What works need to become instructions: the machine, the colours of messages, the tables made so far."""

    machine: Wafer
    tables: Tables

    def instruction(
        self, work: Work, colors: Sequence[int], operand: Memory | None, result: Memory | None,
        copies: tuple[int, int], name: str, counter: int, waits: tuple[tuple[int, int], ...], age: int,
        in_loop: bool,
    ) -> Instruction:  # fmt: skip
        """One run of a work; `copies` are those of the operand and the result that it uses."""
        start = 0 if work.triggered else self._start(work)
        later = sum(leg.tasks for leg in work.legs) * self.machine.core.task_startup_cycles
        before = _same_color(work.legs, colors)
        legs = zip(work.legs, before, strict=True)
        transfers = tuple(self._transfer(leg, b, colors, operand, result, copies, start) for leg, b in legs)
        background = work.triggered and not in_loop
        triggers = {colors[leg.receives] for leg in work.legs if leg.after < 0} if work.triggered else set()
        return Instruction(
            name,
            counter,
            self._start(work) + later if background else start + later + work.busy_words,
            waits,
            () if background else tuple(sorted(triggers)),
            transfers,
            urgent=True,
            background=background,
            age=age,
        )

    def _start(self, work: Work) -> int:
        core = self.machine.core
        return work.tasks * core.task_startup_cycles + (core.root_move_cycles if work.control else 0)

    def _transfer(
        self, leg: Leg, before: int, colors: Sequence[int], operand: Memory | None, result: Memory | None,
        copies: tuple[int, int], start: int,
    ) -> Transfer:  # fmt: skip
        after = leg.after if leg.after >= 0 else before
        core = self.machine.core
        moved = operand or result
        assert moved is not None
        kind = moved.buffer.type.dtype
        return Transfer(
            leg.words,
            colors[leg.receives] if leg.receives >= 0 else -1,
            colors[leg.sends] if leg.sends >= 0 else -1,
            self._access(leg.reads, operand, result, copies),
            self._access(leg.writes, operand, result, copies),
            leg.combine,
            _lanes(kind) if leg.combine else Lanes.F32,
            round(core.exchange_cycles_per_word * PACE) if leg.paced else _pace(leg),
            leg.tasks * core.task_startup_cycles if after >= 0 else start,
            after,
            leg.behind,
            leg.whole,
        )

    def _access(
        self, span: Span | None, operand: Memory | None, result: Memory | None, copies: tuple[int, int]
    ) -> Access | None:
        if span is None:
            return None
        memory = operand if span.memory == OPERAND else result
        assert memory is not None
        copy = copies[0] if span.memory == OPERAND else copies[1]
        return self.tables.access(span, memory.at(copy), memory.buffer.type.dtype.bytes)


def _pace(leg: Leg) -> int:
    """A copy within memory goes as fast as the ports let it, two words a cycle at most here."""
    return PACE if leg.receives >= 0 or leg.sends >= 0 else PACE // 2


def _lanes(kind: DType) -> Lanes:
    if kind not in _LANES:
        raise SimulationError(f"the cycle-level simulator combines no wavelets of {kind.value}")
    return _LANES[kind]


def _same_color(legs: Sequence[Leg], colors: Sequence[int]) -> list[int]:
    """For each leg the one before it that receives on the same colour, or -1: words of one come before the other's."""
    latest: dict[int, int] = {}
    found = []
    for number, leg in enumerate(legs):
        found.append(-1)
        if leg.receives >= 0:
            found[-1] = latest.get(colors[leg.receives], -1)
            latest[colors[leg.receives]] = number
    return found
