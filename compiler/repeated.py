"""Blocks of nodes that a graph repeats, and how their copies hang together: layers, their backward pass, their updates.

A copy may read itself and the copy before it, a value that all copies share, and a copy of another repeated block: the
backward pass of layer i reads what the forward pass of layer i has kept, which stands nearer the later the layer. All
that is one rule: what copy c reads stands at place `start + c * step`. Entries that look alike (op, types) are proposed
as repeats; a repeat is kept where every read of every copy follows the rule, and every copy has the same structural
hash.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from wsc.compiler.blocks import Repeat, computed_nodes, find_repeats, structural_hash
from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ir.text import print_op


@dataclass(frozen=True)
class Read:
    """Copy c reads the computed node at place `start + c * step`; the first copy that at `first`."""

    start: int
    step: int
    first: int

    def place(self, copy: int) -> int:
        """The place of what a copy reads."""
        return self.start + copy * self.step if copy else self.first


@dataclass(frozen=True)
class Relation:
    """Copy c of a block reads copy `first + c * direction` of block `block`: mirrored where the direction is -1."""

    block: int
    first: int
    direction: int


@dataclass(frozen=True)
class Block:
    """A block of computed nodes and its copies; places are those of `computed_nodes`.

    `reads[member, operand]` says where an operand that is no source comes from.
    """

    repeat: Repeat
    reads: Mapping[tuple[int, int], Read]
    relations: tuple[Relation, ...] = ()

    def copies(self) -> Iterator[range]:
        """The places of each copy."""
        for start in range(self.repeat.start, self.repeat.stop, self.repeat.length):
            yield range(start, start + self.repeat.length)


def repeated_blocks(graph: Graph) -> tuple[Block, ...]:
    """The repeated blocks of a graph, in order, each related to those before it that its copies read one by one."""
    nodes = computed_nodes(graph)
    places = {node.name: place for place, node in enumerate(nodes)}
    alone: set[int] = set()  # places that look like others and are not
    looks = [_look(graph, node) for node in nodes]
    while True:
        signatures = [(look, place if place in alone else -1) for place, look in enumerate(looks)]
        blocks: list[Block] = []
        wrong: set[int] = set()
        for repeat in find_repeats(signatures):
            reads, strange = _reads(nodes, places, repeat)
            strange |= _other_hashes(graph, nodes, repeat) if not strange else set()
            wrong |= strange
            blocks.append(Block(repeat, reads))
        if not wrong:
            return tuple(Block(b.repeat, b.reads, _relations(b, blocks[:i])) for i, b in enumerate(blocks))
        alone |= wrong


def entries_to_say(graph: Graph, blocks: Sequence[Block]) -> int:
    """Computed nodes with one copy of each repeated block: what is distinct in a graph."""
    return len(computed_nodes(graph)) - sum(b.repeat.length * (b.repeat.count - 1) for b in blocks)


def _look(graph: Graph, node: Node) -> str:
    """A node by its op and types, and by the kinds of the sources it reads."""
    operands = (f"{_kind(graph[name])} {graph[name].type}" for name in node.inputs)
    return f"{print_op(node.op)} ({', '.join(operands)}) -> {node.type}"


def _kind(node: Node) -> str:
    return node.op.kind if node.is_source else "value"


def _reads(
    nodes: Sequence[Node], places: Mapping[str, int], repeat: Repeat
) -> tuple[dict[tuple[int, int], Read], set[int]]:
    """Where each operand of a block comes from, and the places of those nodes of which the rule does not hold."""
    reads: dict[tuple[int, int], Read] = {}
    strange: set[int] = set()
    for member in range(repeat.length):
        copies = [nodes[repeat.start + c * repeat.length + member] for c in range(repeat.count)]
        for operand, name in enumerate(copies[0].inputs):
            if name not in places:
                continue
            found = [places[node.inputs[operand]] for node in copies]
            read = _rule(found, repeat)
            reads[member, operand] = read
            strange |= {places[n.name] for c, n in enumerate(copies) if read.place(c) != found[c]}
    return reads, strange


def _rule(found: Sequence[int], repeat: Repeat) -> Read:
    """The line that most copies are on; what is carried from copy to copy may start anywhere before the first."""
    steps = [after - before for before, after in pairwise(found)]
    step = repeat.length if repeat.length in steps else max(steps, key=steps.count)
    at = steps.index(step)
    start = found[at] - at * step
    carried = step == repeat.length and repeat.start - repeat.length <= start < repeat.start
    return Read(start, step, found[0] if carried and found[0] < repeat.start else start)


def _other_hashes(graph: Graph, nodes: Sequence[Node], repeat: Repeat) -> set[int]:
    """The places of copies that hash differently from most of the others."""
    copies = [
        range(start, start + repeat.length) for start in range(repeat.start, repeat.stop, repeat.length)
    ]
    hashes = [structural_hash(graph, [nodes[place].name for place in copy]) for copy in copies]
    usual = max(hashes, key=hashes.count)
    return {place for copy, found in zip(copies, hashes, strict=True) if found != usual for place in copy}


def _relations(block: Block, others: Sequence[Block]) -> tuple[Relation, ...]:
    found: set[tuple[int, int, int]] = set()
    for read in block.reads.values():
        for number, other in enumerate(others):
            inside = other.repeat.start <= read.start < other.repeat.stop
            if inside and abs(read.step) == other.repeat.length:
                copy = (read.start - other.repeat.start) // other.repeat.length
                found.add((number, copy, 1 if read.step > 0 else -1))
    return tuple(Relation(*relation) for relation in sorted(found))
