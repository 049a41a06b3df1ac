"""The dataflow graph: nodes in topological order, each a pure op over the results of earlier ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import networkx as nx

from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops import Constant, Input, Op, Parameter, Work

_WEIGHTS = (Parameter, Constant)
_SOURCES = (Input, *_WEIGHTS)


@dataclass(frozen=True)
class Location:
    """Where a node comes from: file and line of the model, and the path of the module."""

    file: str = ""
    line: int = 0
    module: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.file else "unknown place"
        return f"{place} (in {self.module})" if self.module else place


@dataclass(frozen=True)
class Node:
    """One value of the graph: what computes it, from which nodes, of which type.

    `part` is of what it is a part, as `kind/name`, where the pass `mark_parts` has found it to be one.
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    type: TensorType
    location: Location = Location()
    part: str = ""

    @property
    def is_source(self) -> bool:
        """Whether the value comes from outside the graph."""
        return type(self.op) in _SOURCES

    @property
    def is_weight(self) -> bool:
        """Whether the value is a parameter or a constant."""
        return type(self.op) in _WEIGHTS


@dataclass(frozen=True)
class State:
    """What the graph remembers between calls: output number `output` is input number `input` of the next call."""

    input: int
    output: int


@dataclass(frozen=True)
class Graph:
    """An immutable graph. Invariants are stated and checked in `verify`.

    `state` says which outputs, such as the keys and values of a decoder, come back as inputs. To whoever runs the
    graph once they are inputs and outputs like any other.
    """

    name: str
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    state: tuple[State, ...] = ()

    @cached_property
    def _by_name(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes}

    @cached_property
    def users(self) -> dict[str, tuple[Node, ...]]:
        """For each node, the nodes that read it, in order."""
        users: dict[str, list[Node]] = {node.name: [] for node in self.nodes}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                users[name].append(node)
        return {name: tuple(found) for name, found in users.items()}

    @cached_property
    def inputs(self) -> tuple[Node, ...]:
        """Input nodes in the order of the program's arguments."""
        found = [(n.op.index, n) for n in self.nodes if n.is_source and isinstance(n.op, Input)]
        return tuple(n for _, n in sorted(found, key=lambda pair: pair[0]))

    @cached_property
    def weights(self) -> tuple[Node, ...]:
        """Parameter and constant nodes."""
        return tuple(n for n in self.nodes if n.is_weight)

    def __getitem__(self, name: str) -> Node:
        return self._by_name[name]

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def operand_types(self, node: Node) -> tuple[TensorType, ...]:
        """Types of a node's inputs."""
        return tuple([self._by_name[name].type for name in node.inputs])

    def node_work(self, node: Node) -> Work:
        """Work of one node; bytes of parameters it reads also count as weight bytes."""
        if node.is_source:
            return Work()
        work = node.op.work(self.operand_types(node), node.type)
        weights = sum(self[name].type.bytes for name in node.inputs if self[name].is_weight)
        return Work(work.macs, work.vector_ops, work.bytes_read, work.bytes_written, weights)

    def work(self) -> Work:
        """Work of the whole graph."""
        total = Work()
        for node in self.nodes:
            total = total + self.node_work(node)
        return total

    def to_networkx(self) -> nx.DiGraph:
        """The graph as networkx: one vertex a node (attributes kind, type, location), one edge an operand."""
        view = nx.DiGraph(name=self.name)
        for node in self.nodes:
            view.add_node(node.name, kind=node.op.kind, type=str(node.type), location=str(node.location))
        for node in self.nodes:
            view.add_edges_from((name, node.name) for name in node.inputs)
        return view
