"""What the programs of two phases hold alike, where it lies in memory before and after, and how it gets there.

A tensor slides: its tiles after lie at the start of a slot, those before at the slot's end, and layer by layer a tile is
written into memory that is free already. A slot is as large as the larger of both, and one tile more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wsc.backends.wafer.algorithms.refine import refine
from wsc.backends.wafer.algorithms.relayout import Step, relayout_steps
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Buffer
from wsc.backends.wafer.serving.shapes import common_shape, in_shape
from wsc.compiler.errors import DoesNotFit
from wsc.compiler.ir.types import TensorType
from wsc.compiler.layout import Layout, Mesh

HELD = ("weight", "state")  # roles of what stays from one program to the next


@dataclass(frozen=True)
class Pair:
    """A tensor, or one of every layer, as two programs hold it; `steps` lead from one layout to the other.

    `type`, `source` and the layouts of the steps are in dimensions and mesh axes that both can be written in. Where
    `shared`, another buffer of the second program takes the place of `before`.
    """

    before: Buffer
    after: Buffer
    type: TensorType
    source: Layout
    steps: tuple[Step, ...] = ()
    shared: bool = False

    @property
    def cycles(self) -> int:
        """Modelled cycles of the movements of all layers."""
        return len(self.after.names) * sum(step.cycles for step in self.steps)


def pairs_of(
    before: tuple[Mesh, Sequence[Buffer]], after: tuple[Mesh, Sequence[Buffer]], machine: Wafer
) -> list[Pair]:
    """What both programs hold, and how it gets from one's place to the other's; raises AlgorithmError or DoesNotFit.

    A weight that only one of them holds has memory of its own and is there all the time.
    """
    left = [b for b in before[1] if b.role in HELD]
    taken: set[str] = set()
    found: list[Pair] = []
    for buffer in (b for b in after[1] if b.role in HELD):
        like = [b for b in left if b.names == buffer.names]
        free = [b for b in like if b.name not in taken]
        options = [_pair(before[0], b, after[0], buffer, machine) for b in free or like[:1]]
        if not options and buffer.role == "state":
            raise DoesNotFit(f"one phase keeps the state '{buffer.names[0]}', and the other does not")
        if not options:
            continue
        best = min(options, key=lambda pair: pair.cycles)
        shared = best.before.name in taken
        taken.add(best.before.name)
        found.append(Pair(best.before, buffer, best.type, best.source, best.steps, shared))
    return found


def _pair(old: Mesh, before: Buffer, new: Mesh, after: Buffer, machine: Wafer) -> Pair:
    finer = refine(old, new)
    shape = common_shape(before.type.shape, after.type.shape)
    type = TensorType(before.type.dtype, shape)
    source = in_shape(finer.translate(before.layout), before.type.shape, shape)
    target = in_shape(finer.translate(after.layout, second=True), after.type.shape, shape)
    return Pair(before, after, type, source, relayout_steps(finer.mesh, type, source, target, machine))


@dataclass(frozen=True)
class Addresses:
    """Addresses by a buffer's name, of both programs, and the first byte that neither holds anything in."""

    before: dict[str, int]
    after: dict[str, int]
    end: int


def addresses(before: Sequence[Buffer], after: Sequence[Buffer], pairs: Sequence[Pair]) -> Addresses:
    """Slots one after another: of what the first program holds, then of what only the second one does."""
    found = Addresses({}, {}, 0)
    own = {p.before.name: p for p in pairs if not p.shared}
    at = 0
    for buffer in (b for b in before if b.role in HELD):
        size = buffer.bytes
        if pair := own.get(buffer.name):
            size = _slot(pair)
            found.after[pair.after.name] = at
        found.before[buffer.name] = at + size - buffer.bytes
        at += size
    for buffer in (b for b in after if b.role in HELD and b.name not in found.after):
        found.after[buffer.name] = at
        at += buffer.bytes
    return Addresses(found.before, found.after, at)


def _slot(pair: Pair) -> int:
    """Bytes that a tensor takes to slide, tile by tile; none more than it has where it stays."""
    old, new = pair.before.bytes, pair.after.bytes
    count = len(pair.after.names)
    if not pair.steps:
        return max(old, new)
    return max(old + new // count, new + old // count)
