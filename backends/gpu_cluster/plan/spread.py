"""Spreads a graph over a tensor group: the option of every node for which computing and moving take least."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wsc.backends.gpu_cluster.estimate import collective_estimate, kernel_estimate
from wsc.backends.gpu_cluster.kernels import CollectiveKind
from wsc.backends.gpu_cluster.lowering import VIEWS, kernel_of
from wsc.backends.gpu_cluster.machine import Cluster
from wsc.backends.gpu_cluster.plan.assign import Step, Table, cheapest, elimination
from wsc.backends.gpu_cluster.plan.options import PARTIAL, WHOLE, Option, options
from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops import Op


@dataclass(frozen=True)
class Spread:
    """The option of every computed node, and an estimate of its seconds; collectives before a node count as its own."""

    parts: int
    options: Mapping[str, Option]
    seconds: Mapping[str, float]

    def share(self, name: str) -> int:
        """How a computed node's result lies over the group."""
        return self.options[name].result


def tile(type: TensorType, share: int, parts: int) -> TensorType:
    """Type of what one rank holds."""
    if share < 0:
        return type
    shape = tuple(n // parts if d == share else n for d, n in enumerate(type.shape))
    return TensorType(type.dtype, shape)


def conversion(have: int, want: int) -> CollectiveKind | None:
    """The collective that turns one share into another; None where each rank has what it needs."""
    if have in (want, WHOLE):
        return None
    if have == PARTIAL:
        return "all_reduce" if want == WHOLE else "reduce_scatter"
    return "all_gather" if want == WHOLE else "all_to_all"


@dataclass(frozen=True)
class Kinds:
    """The computed nodes of a graph by kind: op, types of operands and type. What is of one kind costs the same.

    `reads` are (node, reader, places among its operands), by place; `steps` the order in which to choose.
    """

    nodes: tuple[Node, ...]
    place: Mapping[str, int]
    of: tuple[int, ...]  # the kind of each computed node
    operands: tuple[tuple[TensorType, ...], ...]  # types of the operands, by kind
    examples: tuple[Node, ...]  # the first node of each kind
    reads: tuple[tuple[int, int, tuple[int, ...]], ...]
    steps: tuple[Step, ...]


def find_kinds(graph: Graph) -> Kinds:
    """Number the kinds of a graph's computed nodes in the order in which they come."""
    nodes = tuple(node for node in graph.nodes if not node.is_source)
    numbers: dict[tuple[Op, tuple[TensorType, ...], TensorType], int] = {}
    first: list[Node] = []
    of = []
    for node in nodes:
        key = (node.op, graph.operand_types(node), node.type)
        number = numbers.setdefault(key, len(numbers))
        if number == len(first):
            first.append(node)
        of.append(number)
    place = {node.name: i for i, node in enumerate(nodes)}
    reads = tuple(_reads(nodes, place))
    steps = elimination(len(nodes), [(u, v) for u, v, _ in reads])
    operands = tuple(types for _, types, _ in numbers)
    return Kinds(nodes, place, tuple(of), operands, tuple(first), reads, steps)


def _reads(nodes: Sequence[Node], place: Mapping[str, int]) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    for v, node in enumerate(nodes):
        for operand in dict.fromkeys(node.inputs):
            if operand in place:
                places = tuple([i for i, name in enumerate(node.inputs) if name == operand])
                yield place[operand], v, places


def spread(graph: Graph, cluster: Cluster, parts: int, kinds: Kinds | None = None) -> Spread:
    """The spread of least estimated time; results that leave the graph are no addends."""
    kinds = kinds or find_kinds(graph)
    nodes, place, of = kinds.nodes, kinds.place, kinds.of
    tables = _Tables(kinds, cluster, parts)
    kernels = [tables.kernels[kind] for kind in of]
    single = list(kernels)
    for v in {place[name]: None for name in graph.outputs if name in place}:
        single[v] = tables.leaving(of[v], graph.outputs.count(nodes[v].name))
    pairs = {(u, v): tables.pair(of[u], of[v], places) for u, v, places in kinds.reads}
    chosen = cheapest(single, pairs, kinds.steps)
    seconds = _told(nodes, kernels, pairs, chosen)
    return Spread(parts, {n.name: tables.choices[of[v]][chosen[v]] for v, n in enumerate(nodes)}, seconds)


def _told(
    nodes: Sequence[Node],
    kernels: Sequence[Table],
    pairs: Mapping[tuple[int, int], Table],
    chosen: Sequence[int],
) -> dict[str, float]:
    seconds = [float(table[chosen[v]]) for v, table in enumerate(kernels)]
    for (u, v), table in pairs.items():
        seconds[v] += float(table[chosen[u], chosen[v]])
    return {node.name: seconds[v] for v, node in enumerate(nodes)}


def _final(share: int) -> int:
    return WHOLE if share == PARTIAL else share


class _Tables:
    """The options of each kind and what they cost; equal costs are one table, so that layers alike bring the same."""

    def __init__(self, kinds: Kinds, cluster: Cluster, parts: int) -> None:
        self._cluster, self._parts = cluster, parts
        self._types = [node.type for node in kinds.examples]
        told = list(zip(kinds.examples, kinds.operands, strict=True))
        self.choices = [options(node.op, types, node.type, parts) for node, types in told]
        self.kernels = [
            np.array([self._seconds(node, types, o) for o in choices])
            for (node, types), choices in zip(told, self.choices, strict=True)
        ]
        self._leaving: dict[tuple[int, int], Table] = {}
        self._pairs: dict[tuple[int, int, tuple[int, ...]], Table] = {}

    def _seconds(self, node: Node, types: Sequence[TensorType], option: Option) -> float:
        """Estimated time of a node's kernel on one rank."""
        if isinstance(node.op, VIEWS):
            return 0.0
        operands = [
            tile(type, share, self._parts) for type, share in zip(types, option.operands, strict=True)
        ]
        kernel = kernel_of(node.op, operands, tile(node.type, option.result, self._parts))
        return kernel_estimate(kernel, self._cluster.gpu)

    def leaving(self, kind: int, times: int) -> Table:
        """Time of a kernel whose result leaves the graph as so many outputs, for each option."""
        if (kind, times) not in self._leaving:
            results = [option.result for option in self.choices[kind]]
            type, parts = self._types[kind], self._parts
            moved = np.array([_moved(type, have, _final(have), self._cluster, parts) for have in results])
            total = self.kernels[kind]
            for _ in range(times):
                total = total + moved
            self._leaving[kind, times] = total
        return self._leaving[kind, times]

    def pair(self, given: int, taken: int, places: tuple[int, ...]) -> Table:
        """Time of bringing an operand into the share that a node reads, for each option of both."""
        key = (given, taken, places)
        if key not in self._pairs:
            type, wants = self._types[given], self.choices[taken]
            rows = [
                [self._brought(type, have.result, want, places) for want in wants]
                for have in self.choices[given]
            ]
            self._pairs[key] = np.array(rows, dtype=np.float64)
        return self._pairs[key]

    def _brought(self, type: TensorType, have: int, option: Option, places: Sequence[int]) -> float:
        wanted = {option.operands[i] for i in places}
        return sum(_moved(type, have, want, self._cluster, self._parts) for want in wanted)


def _moved(type: TensorType, have: int, want: int, cluster: Cluster, parts: int) -> float:
    if want == PARTIAL:
        return float("inf") if have != PARTIAL else 0.0
    kind = conversion(have, want)
    if kind is None:
        return 0.0
    size = type.bytes // parts if kind == "all_to_all" else type.bytes
    return collective_estimate(kind, size, parts, cluster, min(parts, cluster.system.domain_gpus))
