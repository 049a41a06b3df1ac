"""A whole program's movements: messages of every instruction and stream, as families that get colours together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from wsc.backends.wafer.colors import Colored, Family, allocate
from wsc.backends.wafer.instructions import (
    Filled,
    Insert,
    Load,
    Lookup,
    Move,
    MultiplyAdd,
    Position,
    Positions,
    Recv,
    Send,
    Wait,
)
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.movement import Expansion, Region, expand
from wsc.backends.wafer.movement.loads import expand_load
from wsc.backends.wafer.movement.streams import StreamExpansion, expand_stream
from wsc.backends.wafer.program import Instruction, Kernel, Loop, Program, Repeat
from wsc.backends.wafer.text import print_instruction
from wsc.compiler.ops.base import Op

# no movement within the region
_LOCAL = (Recv, Send, Lookup, MultiplyAdd, Filled, Position, Insert, Positions, Wait, Loop, Repeat, Op)


@dataclass(frozen=True, eq=False)
class Movements:
    """Every movement of a program, expanded, and its colours.

    `within[kernel, i]` is that of the kernel's i-th instruction, those of loops counted after their loop; `streams` are
    by name, and so are the families of `colored`: "kernel/i" and "stream/name". `chains` are the groups of movements
    that come one after another.
    """

    within: dict[tuple[str, int], Expansion]
    streams: dict[str, StreamExpansion]
    colored: Colored
    chains: dict[tuple[str, int], str]


def is_local(instruction: Instruction) -> bool:
    """Whether an instruction moves nothing within its region."""
    return isinstance(instruction.op, _LOCAL)


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
        elif isinstance(instruction.op, Repeat):
            yield from _all(iter(instruction.op.body))


def in_turn(kernel: Kernel) -> Iterator[tuple[Instruction, int]]:
    """Every run of one input, in the order of the program, with its step of the loop around it."""

    def runs(instruction: Instruction, step: int) -> Iterator[tuple[Instruction, int]]:
        if isinstance(instruction.op, (Loop, Repeat)):
            loop = isinstance(instruction.op, Loop)
            for inner_step in range(instruction.op.steps):
                for inner in instruction.op.body:
                    yield from runs(inner, inner_step if loop else 0)
        else:
            yield instruction, step

    for instruction in (*kernel.once, *kernel.body * kernel.chunks):
        yield from runs(instruction, 0)


def expand_program(program: Program, machine: Wafer) -> Movements:
    """All movements with their colours; raises DoesNotFit where the machine has too few."""
    within: dict[tuple[str, int], Expansion] = {}
    families: list[Family] = []
    orders: dict[str, list[tuple[str, int]]] = {}
    chains: dict[tuple[str, int], str] = {}
    for kernel in program.kernels:
        found = list(_expand_kernel(kernel))
        within |= {(kernel.name, number): made for number, made, _ in found}
        for number, made, text in found:
            name, owner = family(kernel.name, number), f"kernel '{kernel.name}'"
            group = _group(kernel, made)
            if group:
                chains[kernel.name, number] = group
            families.append(
                Family(name, owner, tuple(made.messages), f"{owner}, {text}", made.ordered, group)
            )
        if kernel.in_order:
            _add_order(kernel, within, chains, orders)
    streams = {s.name: expand_stream(program, s) for s in program.streams}
    families += [
        Family(family("stream", n), f"stream {n}", tuple(s.messages), f"stream {n}")
        for n, s in streams.items()
    ]
    used = [f for f in families if f.messages]
    return Movements(within, streams, allocate(used, machine.fabric.colors, orders), chains)


def _expand_kernel(kernel: Kernel) -> Iterator[tuple[int, Expansion, str]]:
    """Every movement of a kernel: its instruction's number and text."""
    region, numbers = Region.of(kernel), numbered(kernel)
    seen = set()
    for instruction, steps in _all(kernel.instructions()):
        number = numbers[id(instruction)]
        if isinstance(instruction.op, _LOCAL) or number in seen:
            continue
        seen.add(number)
        result = kernel[instruction.result]
        if isinstance(instruction.op, Load):
            made = expand_load(kernel, region, result)
        else:
            operand = kernel[instruction.operands[0]]
            made = expand(cast(Move, instruction.op), region, operand, result).first(steps)
        yield number, made, print_instruction(instruction)


def _group(kernel: Kernel, made: Expansion) -> str:
    """Movements in order share colours with those that go along the same lines."""
    if not kernel.in_order or not made.messages:
        return ""
    if made.edge:
        return f"{kernel.name}/edge"
    ways = [(m.source, target) for m in made.messages for target in m.targets]
    along_x = any(a[0] != b[0] for a, b in ways)
    along_y = any(a[1] != b[1] for a, b in ways)
    return f"{kernel.name}/{'x' * along_x}{'y' * along_y}"


def _add_order(
    kernel: Kernel,
    within: dict[tuple[str, int], Expansion],
    chains: dict[tuple[str, int], str],
    orders: dict[str, list[tuple[str, int]]],
) -> None:
    """The messages of every group in the order in which a kernel's runs send them."""
    numbers = numbered(kernel)
    loads: dict[str, int] = {}
    for instruction, step in in_turn(kernel):
        key = kernel.name, numbers[id(instruction)]
        if key not in chains:
            continue
        if isinstance(instruction.op, Load):
            buffer = kernel[instruction.result]
            count = loads[buffer.name] = loads.get(buffer.name, 0) + 1
            if buffer.keys and count > len(buffer.keys):  # the repeat ends before
                continue
        sent = within[key].sent(step % len(within[key].works))
        orders.setdefault(chains[key], []).extend((family(*key), message) for message in sent)


def family(owner: str, what: int | str) -> str:
    """The name of the family of an instruction, or with "stream" of a stream."""
    return f"{owner}/{what}"
