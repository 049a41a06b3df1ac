"""Spreads a graph over a tensor group: the option of every node for which computing and moving take least."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wsc.backends.gpu_cluster.estimate import collective_estimate, kernel_estimate
from wsc.backends.gpu_cluster.kernels import CollectiveKind
from wsc.backends.gpu_cluster.lowering import VIEWS, kernel_of
from wsc.backends.gpu_cluster.machine import Cluster
from wsc.backends.gpu_cluster.plan.assign import Table, cheapest
from wsc.backends.gpu_cluster.plan.options import PARTIAL, WHOLE, Option, options
from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ir.types import TensorType


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


def spread(graph: Graph, cluster: Cluster, parts: int) -> Spread:
    """The spread of least estimated time; results that leave the graph are no addends."""
    nodes = [node for node in graph.nodes if not node.is_source]
    place = {node.name: i for i, node in enumerate(nodes)}
    tables = _Tables(graph, cluster, parts)
    choices, kernels = [tables.choices(n) for n in nodes], [tables.kernels(n) for n in nodes]
    single = [table.copy() for table in kernels]
    for name in graph.outputs:
        if name in place:
            moved = [
                _moved(graph[name].type, o.result, _final(o.result), cluster, parts)
                for o in choices[place[name]]
            ]
            single[place[name]] += np.array(moved)
    pairs: dict[tuple[int, int], Table] = {}
    for v, node in enumerate(nodes):
        for operand in dict.fromkeys(node.inputs):
            if operand in place:
                u = place[operand]
                pairs[u, v] = tables.pair(operand, node, choices[u], choices[v])
    chosen = cheapest(single, pairs)
    seconds = _told(nodes, kernels, pairs, chosen)
    return Spread(parts, {n.name: choices[v][chosen[v]] for v, n in enumerate(nodes)}, seconds)


def _told(
    nodes: list[Node],
    kernels: list[Table],
    pairs: Mapping[tuple[int, int], Table],
    chosen: list[int],
) -> dict[str, float]:
    seconds = [float(table[chosen[v]]) for v, table in enumerate(kernels)]
    for (u, v), table in pairs.items():
        seconds[v] += float(table[chosen[u], chosen[v]])
    return {node.name: seconds[v] for v, node in enumerate(nodes)}


def _final(share: int) -> int:
    return WHOLE if share == PARTIAL else share


class _Tables:
    """The options of nodes and what they cost; what nodes of equal ops and types share is worked out once."""

    def __init__(self, graph: Graph, cluster: Cluster, parts: int) -> None:
        self._graph, self._cluster, self._parts = graph, cluster, parts
        self._choices: dict[object, tuple[Option, ...]] = {}
        self._kernels: dict[object, Table] = {}
        self._pairs: dict[object, Table] = {}

    def choices(self, node: Node) -> tuple[Option, ...]:
        """Every option of a node."""
        types = self._graph.operand_types(node)
        key = (node.op, types, node.type)
        if key not in self._choices:
            self._choices[key] = options(node.op, types, node.type, self._parts)
        return self._choices[key]

    def kernels(self, node: Node) -> Table:
        """Estimated time of a node's kernel on one rank, for each of its options."""
        types = self._graph.operand_types(node)
        key = (node.op, types, node.type)
        if key not in self._kernels:
            self._kernels[key] = np.array([self._seconds(node, types, o) for o in self.choices(node)])
        return self._kernels[key]

    def _seconds(self, node: Node, types: Sequence[TensorType], option: Option) -> float:
        if isinstance(node.op, VIEWS):
            return 0.0
        operands = [
            tile(type, share, self._parts) for type, share in zip(types, option.operands, strict=True)
        ]
        kernel = kernel_of(node.op, operands, tile(node.type, option.result, self._parts))
        return kernel_estimate(kernel, self._cluster.gpu)

    def pair(self, operand: str, node: Node, given: tuple[Option, ...], taken: tuple[Option, ...]) -> Table:
        """Time of bringing an operand into the share that a node reads, for each option of both."""
        places = tuple(i for i, name in enumerate(node.inputs) if name == operand)
        type = self._graph[operand].type
        key = (type, places, given, taken)
        if key not in self._pairs:
            rows = [[self._brought(type, have.result, want, places) for want in taken] for have in given]
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
