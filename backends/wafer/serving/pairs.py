"""What the programs of two phases hold alike, where it lies in memory before and after, and how it gets there.

A tensor of every layer slides: its tiles after lie at the start of a slot, those before at the slot's end, and layer by
layer a tile is written into memory that is free already. A slot is as large as the larger of both, and one tile more.
A single tensor that moves goes into scratch memory of the first program, which has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

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


@dataclass
class Pairing:
    """Finds what two programs hold alike; ways from layout to layout are searched once."""

    machine: Wafer
    known: dict[tuple[Mesh, TensorType, Layout, Layout], tuple[Step, ...]] = field(default_factory=dict)

    def pairs(
        self, before: tuple[Mesh, Sequence[Buffer]], after: tuple[Mesh, Sequence[Buffer]]
    ) -> list[Pair]:
        """What both programs hold, and how it gets from one's place to the other's.

        Raises AlgorithmError, or DoesNotFit where they do not keep the same state.
        """
        left = [b for b in before[1] if b.role in HELD]
        taken: set[str] = set()
        found: list[Pair] = []
        for buffer in (b for b in after[1] if b.role in HELD):
            like = [b for b in left if b.names == buffer.names]
            free = [b for b in like if b.name not in taken]
            options = [self._pair(before[0], b, after[0], buffer) for b in free or like[:1]]
            if not options and buffer.role == "state":
                raise DoesNotFit(f"one phase keeps the state '{buffer.names[0]}', and the other does not")
            if not options:
                continue
            best = min(options, key=lambda pair: pair.cycles)
            found.append(replace(best, shared=best.before.name in taken))
            taken.add(best.before.name)
        return found

    def _pair(self, old: Mesh, before: Buffer, new: Mesh, after: Buffer) -> Pair:
        finer = refine(old, new)
        shape = common_shape(before.type.shape, after.type.shape)
        type = TensorType(before.type.dtype, shape)
        source = in_shape(finer.translate(before.layout), before.type.shape, shape)
        target = in_shape(finer.translate(after.layout, second=True), after.type.shape, shape)
        key = (finer.mesh, type, source, target)
        if key not in self.known:
            self.known[key] = relayout_steps(finer.mesh, type, source, target, self.machine)
        return Pair(before, after, type, source, self.known[key])


@dataclass(frozen=True)
class Addresses:
    """Addresses by a buffer's name in each of two programs, and the first byte beyond what each holds.

    `loaded` are buffers of the second program that are brought in between the two, over scratch memory of the first.
    """

    before: dict[str, int]
    after: dict[str, int]
    before_end: int
    after_end: int
    loaded: tuple[Buffer, ...] = ()


def addresses(
    before: Sequence[Buffer], after: Sequence[Buffer], pairs: Sequence[Pair], loads: bool
) -> Addresses:
    """Slots one after another: of what the first program holds, then of what only the second one does.

    Single tensors that move come last, and with `loads` those that only the second program holds: both are written
    when the first one has ended.
    """
    held: dict[str, int] = {}
    places: dict[str, int] = {}
    late = {p.after.name for p in pairs if p.steps and not p.after.keys}
    own = {p.before.name: p for p in pairs if not p.shared and p.after.name not in late}
    at = 0
    for buffer in (b for b in before if b.role in HELD):
        size = buffer.bytes
        if pair := own.get(buffer.name):
            size = _slot(pair)
            places[pair.after.name] = at
        held[buffer.name] = at + size - buffer.bytes
        at += size
    others = [b for b in after if b.role in HELD and b.name not in places]
    paired = {p.after.name for p in pairs}
    loaded = [b for b in others if loads and not b.keys and b.name not in paired]
    for buffer in (b for b in others if b not in loaded and b.name not in late):
        places[buffer.name] = at
        at += buffer.bytes
    end = at
    for buffer in (b for b in others if b in loaded or b.name in late):
        places[buffer.name] = at
        at += buffer.bytes
    return Addresses(held, places, end, at, tuple(loaded))


def _slot(pair: Pair) -> int:
    """Bytes that a tensor takes to slide, tile by tile; none more than it has where it stays."""
    old, new = pair.before.bytes, pair.after.bytes
    count = len(pair.after.names)
    if not pair.steps:
        return max(old, new)
    return max(old + new // count, new + old // count)
