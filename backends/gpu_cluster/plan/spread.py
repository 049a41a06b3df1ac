"""Spreads a graph over a tensor group: the option of every node for which computing and moving take least."""

from __future__ import annotations

from collections.abc import Mapping
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
    choices = [options(n.op, graph.operand_types(n), n.type, parts) for n in nodes]
    kernels = [
        np.array([_seconds(graph, n, o, cluster, parts) for o in c])
        for n, c in zip(nodes, choices, strict=True)
    ]
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
                pairs[u, v] = _pair(graph, operand, node, choices[u], choices[v], cluster, parts)
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


def _seconds(graph: Graph, node: Node, option: Option, cluster: Cluster, parts: int) -> float:
    """Estimated time of a node's kernel on one rank."""
    if isinstance(node.op, VIEWS):
        return 0.0
    operands = [
        tile(type, share, parts)
        for type, share in zip(graph.operand_types(node), option.operands, strict=True)
    ]
    kernel = kernel_of(node.op, operands, tile(node.type, option.result, parts))
    return kernel_estimate(kernel, cluster.gpu)


def _pair(
    graph: Graph,
    operand: str,
    node: Node,
    given: tuple[Option, ...],
    taken: tuple[Option, ...],
    cluster: Cluster,
    parts: int,
) -> Table:
    """Time of bringing an operand into the share that a node reads, for each option of both."""
    places = [i for i, name in enumerate(node.inputs) if name == operand]
    type = graph[operand].type
    rows = [
        [
            sum(_moved(type, have.result, want, cluster, parts) for want in {t.operands[i] for i in places})
            for t in taken
        ]
        for have in given
    ]
    return np.array(rows, dtype=np.float64)


def _moved(type: TensorType, have: int, want: int, cluster: Cluster, parts: int) -> float:
    if want == PARTIAL:
        return float("inf") if have != PARTIAL else 0.0
    kind = conversion(have, want)
    if kind is None:
        return 0.0
    size = type.bytes // parts if kind == "all_to_all" else type.bytes
    return collective_estimate(kind, size, parts, cluster, min(parts, cluster.system.domain_gpus))
