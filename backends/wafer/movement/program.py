"""A whole program's movements: messages of every instruction and stream, as families that get colours together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from wsc.backends.wafer.colors import Colored, Family, allocate
from wsc.backends.wafer.instructions import Lookup, Move, MultiplyAdd, Recv, Send, Wait
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.movement import Expansion, Region, expand
from wsc.backends.wafer.movement.streams import StreamExpansion, expand_stream
from wsc.backends.wafer.program import Instruction, Kernel, Loop, Program, Repeat
from wsc.backends.wafer.text import print_instruction
from wsc.compiler.ops.base import Op

_LOCAL = (Recv, Send, Lookup, MultiplyAdd, Wait, Loop, Repeat, Op)  # no movement within the region


@dataclass(frozen=True, eq=False)
class Movements:
    """Every movement of a program, expanded, and its colours.

    `within[kernel, i]` is that of the kernel's i-th instruction, those of loops counted after their loop; `streams` are
    by name, and so are the families of `colored`: "kernel/i" and "stream/name".
    """

    within: dict[tuple[str, int], Expansion]
    streams: dict[str, StreamExpansion]
    colored: Colored


def numbered(kernel: Kernel) -> dict[int, int]:
    """A number for every instruction of a kernel, by identity: a loop's before those of its body."""
    found: dict[int, int] = {}
    for instruction, _ in _all(kernel.instructions()):
        found.setdefault(id(instruction), len(found))
    return found


def _all(instructions: Iterator[Instruction], steps: int = 1) -> Iterator[tuple[Instruction, int]]:
    """Instructions with the steps of the loop around them."""
    for instruction in instructions:
        yield instruction, steps
        if isinstance(instruction.op, Loop):
            yield from _all(iter(instruction.op.body), instruction.op.steps)


def expand_program(program: Program, machine: Wafer) -> Movements:
    """All movements with their colours; raises DoesNotFit where the machine has too few."""
    within, families = {}, []
    for kernel in program.kernels:
        region, numbers = Region.of(kernel), numbered(kernel)
        for instruction, steps in _all(kernel.instructions()):
            key = kernel.name, numbers[id(instruction)]
            if isinstance(instruction.op, _LOCAL) or key in within:
                continue
            operand, result = kernel[instruction.operands[0]], kernel[instruction.result]
            within[key] = expand(cast(Move, instruction.op), region, operand, result).first(steps)
            owner = f"kernel '{kernel.name}'"
            what = f"{owner}, {print_instruction(instruction)}"
            found = within[key]
            families.append(Family(family(*key), owner, tuple(found.messages), what, found.ordered))
    streams = {s.name: expand_stream(program, s) for s in program.streams}
    families += [
        Family(family("stream", n), f"stream {n}", tuple(s.messages), f"stream {n}")
        for n, s in streams.items()
    ]
    used = [f for f in families if f.messages]
    return Movements(within, streams, allocate(used, machine.fabric.colors))


def family(owner: str, what: int | str) -> str:
    """The name of the family of an instruction, or with "stream" of a stream."""
    return f"{owner}/{what}"
