"""A segment's price by its cuts, for a search that changes one cut after another.

What a node becomes depends on where its operands lie and on the cuts of the dimensions that it walks, and on nothing
else. So that each is lowered once for all cuts that are alike to it, its instructions are kept as their cycles.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from wsc.backends.wafer.program import Buffer, Instruction
from wsc.backends.wafer.sequential.cost import Known, each_cycles
from wsc.backends.wafer.sequential.draft import Axes, Conflict, Draft, Value
from wsc.backends.wafer.sequential.lower import Lowering
from wsc.backends.wafer.sequential.segment import Builder, instructions_in
from wsc.compiler.ir.graph import Node

_GIVEN = "given"  # how the names of operands begin in a piece; no instruction is called so


@dataclass(frozen=True)
class Piece:
    """What a node became: its result, the sources that it read and the cuts they had, and what all of it takes.

    `given` is the place of the operand that the result lies in, `source` that of the source; -1 for none.
    """

    result: Value
    given: int
    source: int
    sources: tuple[tuple[str, Mapping[int, Axes]], ...]
    spent: Known


Pieces = dict[object, Piece | Conflict]


@dataclass
class PricedBuilder(Builder):
    """Drafts a segment with nodes as their cycles; `pieces` are those of the same segment on the same mesh."""

    pieces: Pieces = field(default_factory=dict)

    def _straight(self, names: Iterable[str]) -> None:
        for name in names:
            self._lower(self.graph[name])

    def _lower(self, node: Node) -> None:
        given = {name: self.lowering.values[name] for name in node.inputs if name in self.lowering.values}
        operands = tuple(given.items())
        if any(atom < 0 for value in given.values() for atom in value.atoms):  # known to this draft alone
            self.lowering.lower(node)
            return
        walked = {a for name in (node.name, *node.inputs) for a in self.dims.atoms(name)}
        walked |= {a for value in given.values() for a in value.atoms}
        walked |= {self.dims.apart[node.name]} if node.name in self.dims.apart else set()
        cuts = tuple(sorted((a, self.cuts[a]) for a in walked if a in self.cuts))
        key = (node.name, cuts, tuple((name, _look(value)) for name, value in operands))
        if key not in self.pieces:
            self.pieces[key] = self._piece(node, given, walked)
        piece = self.pieces[key]
        if isinstance(piece, Conflict):
            raise piece
        self.lowering.values[node.name] = self._put(piece, list(given.values()))

    def _piece(self, node: Node, given: Mapping[str, Value], walked: set[int]) -> Piece | Conflict:
        """The node lowered by itself."""
        alone = Builder(
            self.rolled,
            self.dims,
            self.segment,
            self.machine,
            self.mesh,
            self.cuts,
            self.stack_keys,
            self.fetch,
        )
        alone.draft = draft = Draft(self.machine, self.dims, self.mesh, self.cuts)
        sources: list[tuple[str, Mapping[int, Axes]]] = []
        found: list[str] = []

        def source(name: str, other: Mapping[int, Axes]) -> Value:
            value = alone.source(name, other)
            sources.append((name, dict(other)))
            found.append(value.buffer.name)
            return value

        lowering = Lowering(self.graph, draft, source)
        names: dict[str, int] = {}
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
        (body,) = draft.sections
        own = [b for name, b in draft.buffers.items() if name not in names]
        spent = Known(
            tuple(each_cycles(self.machine, self.mesh, draft.buffers, body)),
            instructions_in(body),
            max((b.bytes for b in own if b.role == "local"), default=0),
        )
        at = found.index(result.buffer.name) if result.buffer.name in found else -1
        return Piece(result, names.get(result.buffer.name, -1), at, tuple(sources), spent)

    def _put(self, piece: Piece, given: list[Value]) -> Value:
        """What a piece made, in this draft."""
        read = [self.source(name, other) for name, other in piece.sources]
        if piece.spent.count or piece.spent.cycles:
            self.draft.emit(Instruction(piece.spent))
        if piece.given >= 0:
            return Value(given[piece.given].buffer, piece.result.slots)
        if piece.source >= 0:
            return Value(read[piece.source].buffer, piece.result.slots)
        buffer = replace(piece.result.buffer, name=f"piece{len(self.draft.buffers)}")
        self.draft.buffers[buffer.name] = buffer
        return Value(buffer, piece.result.slots)


def _look(value: Value) -> tuple[object, ...]:
    """What of an operand decides on what a node becomes."""
    buffer: Buffer = value.buffer
    return value.slots, buffer.type, buffer.layout, buffer.role
