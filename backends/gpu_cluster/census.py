"""How often a rank launches each kernel and takes part in each collective, counted in the program."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from wsc.backends.gpu_cluster.instructions import Call, Communicate, Instruction, Launch, Repeat, Send
from wsc.backends.gpu_cluster.kernels import Kernel
from wsc.backends.gpu_cluster.program import Program


@dataclass(frozen=True)
class Census:
    """Of one rank, one run: kernels by label, collectives by kind, axes, bytes, messages by axis, steps, bytes."""

    kernels: Counter[tuple[str, Kernel]] = field(default_factory=Counter)
    collectives: Counter[tuple[str, tuple[str, ...], int]] = field(default_factory=Counter)
    sends: Counter[tuple[str, int, int]] = field(default_factory=Counter)

    def add(self, other: Census, times: int) -> None:
        """Count all of another census `times` times."""
        for mine, theirs in (
            (self.kernels, other.kernels),
            (self.collectives, other.collectives),
            (self.sends, other.sends),
        ):
            for key, count in theirs.items():
                mine[key] += count * times  # type: ignore[index]


def take_census(
    program: Program, body: tuple[Instruction, ...], known: dict[str, Census] | None = None
) -> Census:
    """The census of a body; `known` keeps those of blocks between calls."""
    known = {} if known is None else known
    found = Census()
    for instruction in body:
        match instruction:
            case Launch():
                found.kernels[(instruction.label, instruction.kernel)] += 1
            case Communicate():
                found.collectives[(instruction.kind, instruction.axes, instruction.bytes)] += 1
            case Send():
                found.sends[(instruction.axis, instruction.steps, instruction.bytes)] += 1
            case Repeat():
                found.add(take_census(program, instruction.body, known), instruction.times)
            case Call():
                if instruction.block not in known:
                    body_of = program.block(instruction.block).body
                    known[instruction.block] = take_census(program, body_of, known)
                found.add(known[instruction.block], instruction.times)
            case _:
                pass
    return found
