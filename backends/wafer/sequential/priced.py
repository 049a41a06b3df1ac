"""A segment's price by its cuts, for a search that changes one cut after another.

What a node becomes depends on where its operands lie and on the cuts of the dimensions that it walks, and on nothing
else. So that each is lowered once for all cuts that are alike to it, its instructions are kept as their cycles. A draft
that has become dearer than what is known already is left.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf
from typing import cast

from wsc.backends.wafer.program import Instruction
from wsc.backends.wafer.sequential.cost import Known, each_cycles, too_large
from wsc.backends.wafer.sequential.draft import Axes, Conflict, Draft, Value
from wsc.backends.wafer.sequential.lower import Lowering
from wsc.backends.wafer.sequential.segment import Builder, SourceKey, instructions_in
from wsc.compiler.ir.graph import Node
from wsc.compiler.ops import Op

_GIVEN = "given"  # how the names of operands begin in a piece; no instruction is called so
_ROUNDING = 1 + 1e-9


class Dearer(Exception):
    """A draft costs more than it may."""


@dataclass(frozen=True)
class Piece:
    """What a node became: its result, the sources that it read, and what all of it takes.

    `given` is the place of the operand that the result lies in, `source` that of the source; -1 for none.
    """

    result: Value
    given: int
    source: int
    sources: tuple[SourceKey, ...]
    spent: Known
    cycles: float


@dataclass
class Pieces:
    """What has become of nodes of a segment on a mesh, by all that decides on it."""

    known: dict[Hashable, Piece | Conflict] = field(default_factory=dict)
    walked: dict[str, frozenset[int]] = field(default_factory=dict)  # atoms of a node and its operands
    looks: dict[Hashable, int] = field(default_factory=dict)  # a number for each way an operand may lie


@dataclass
class PricedBuilder(Builder):
    """Drafts a segment with nodes as their cycles; raises Conflict, and Dearer where its price is above `limit`."""

    pieces: Pieces = field(default_factory=Pieces)
    limit: float = inf
    cycles: float = 0.0  # so far; the draft takes at least these, and this memory
    held: int = 0
    largest: int = 0
    looks: dict[str, tuple[Value, int]] = field(default_factory=dict)

    def _straight(self, names: Iterable[str]) -> None:
        for name in names:
            self._lower(self.graph[name])

    def _lower(self, node: Node) -> None:
        values = self.lowering.values
        given = {name: values[name] for name in node.inputs if name in values}
        if any(atom < 0 for value in given.values() for atom in value.atoms):  # known to this draft alone
            self.lowering.lower(node)
            return
        walked = self._walked(node)
        if not all(walked.issuperset(value.atoms) for value in given.values()):
            walked = walked.union(*(value.atoms for value in given.values()))
        cuts = tuple([(a, axes) for a, axes in self.cuts.items() if a in walked])
        key = (node.name, cuts, tuple([(name, self._look(name, value)) for name, value in given.items()]))
        if key not in self.pieces.known:
            self.pieces.known[key] = self._piece(node, given, walked)
        piece = self.pieces.known[key]
        if isinstance(piece, Conflict):
            raise piece
        values[node.name] = self._put(piece, list(given.values()))
        self.cycles += piece.cycles * (self.segment.layers if len(self.draft.sections) > 1 else 1)
        self.largest = max(self.largest, piece.spent.largest)
        bytes = self.held + 2 * self.largest + self.machine.core.runtime_code_bytes
        if self.cycles + too_large(bytes, self.machine) > self.limit * _ROUNDING:
            raise Dearer

    def source_at(self, key: SourceKey) -> Value:
        """As a builder's; counts what is held."""
        known = len(self.known)
        value = super().source_at(key)
        self.held += value.buffer.bytes if len(self.known) > known else 0
        return value

    def _walked(self, node: Node) -> frozenset[int]:
        if node.name not in self.pieces.walked:
            names = (node.name, *node.inputs)
            apart = [self.dims.apart[node.name]] if node.name in self.dims.apart else []
            self.pieces.walked[node.name] = frozenset(apart).union(*map(self.dims.atoms, names))
        return self.pieces.walked[node.name]

    def _look(self, name: str, value: Value) -> int:
        """A number for what of an operand decides on what a node becomes."""
        found = self.looks.get(name)
        if found is None or found[0] is not value:
            buffer, looks = value.buffer, self.pieces.looks
            look = (value.slots, buffer.type, buffer.layout, buffer.role)
            self.looks[name] = found = (value, looks.setdefault(look, len(looks)))
        return found[1]

    def _piece(self, node: Node, given: Mapping[str, Value], walked: frozenset[int]) -> Piece | Conflict:
        """The node lowered by itself."""
        draft = Draft(self.machine, self.dims, self.mesh, self.cuts)
        sources: list[SourceKey] = []
        names: dict[str, int] = {}
        lowering = Lowering(self.graph, draft, partial(self._source_of, draft, sources))
        for place, (name, value) in enumerate(given.items()):
            stand_in = replace(value.buffer, name=f"{_GIVEN}{place}")
            draft.buffers[stand_in.name] = stand_in
            names[stand_in.name] = place
            lowering.values[name] = Value(stand_in, value.slots)
        try:
            lowering.lower(node)
        except Conflict as conflict:
            return conflict
        assert draft.read <= walked, f"'{node.name}' depends on cuts that are not its own"
        result = lowering.values[node.name]
        assert all(atom >= 0 for atom in result.atoms), (
            f"'{node.name}' has a dimension that no other draft knows"
        )
        (body,) = draft.sections
        cycles = tuple(each_cycles(self.machine, self.mesh, draft.buffers, body))
        own = [b.bytes for name, b in draft.buffers.items() if name not in names and b.role == "local"]
        spent = Known(cycles, instructions_in(body), max(own, default=0))
        read = [self.source_at(key).buffer.name for key in sources]
        at = read.index(result.buffer.name) if result.buffer.name in read else -1
        return Piece(result, names.get(result.buffer.name, -1), at, tuple(sources), spent, sum(cycles))

    def _source_of(
        self, draft: Draft, sources: list[SourceKey], name: str, other: Mapping[int, Axes]
    ) -> Value:
        """A source of this draft for a node that is lowered by itself."""
        key = SourceKey.of(name, draft.layout(self.dims.atoms(name), other))
        sources.append(key)
        value = self.source_at(key)
        draft.buffers[value.buffer.name] = value.buffer
        return value

    def _put(self, piece: Piece, given: list[Value]) -> Value:
        """What a piece made, in this draft."""
        read = [self.source_at(key) for key in piece.sources]
        if piece.spent.cycles:
            self.draft.emit(Instruction(cast("Op", piece.spent)))  # a draft to be priced is never a program
        if piece.given >= 0:
            return Value(given[piece.given].buffer, piece.result.slots)
        if piece.source >= 0:
            return Value(read[piece.source].buffer, piece.result.slots)
        buffer = replace(piece.result.buffer, name=f"piece{len(self.draft.buffers)}")
        self.draft.buffers[buffer.name] = buffer
        return Value(buffer, piece.result.slots)
