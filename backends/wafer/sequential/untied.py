"""A table that is looked up in and also multiplied by is held twice, so that each use has the cuts that suit it."""

from __future__ import annotations

from dataclasses import replace

from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ops import Gather
from wsc.compiler.passes.rewrite import fresh_name


def untied(graph: Graph) -> Graph:
    """The graph with a weight of its own for the lookups in each weight that other nodes read too."""
    taken = {node.name for node in graph.nodes}
    nodes: list[Node] = []
    own: dict[str, str] = {}
    for node in graph.nodes:
        nodes.append(node)
        if node.is_weight and len({isinstance(n.op, Gather) for n in graph.users[node.name]}) == 2:
            own[node.name] = fresh_name(f"{node.name}.table", taken)
            taken.add(own[node.name])
            nodes.append(replace(node, name=own[node.name]))
    if not own:
        return graph
    return replace(graph, nodes=tuple(_reading(node, own) for node in nodes))


def _reading(node: Node, own: dict[str, str]) -> Node:
    """A lookup with the table of its own; other nodes as they are."""
    if not isinstance(node.op, Gather) or node.inputs[0] not in own:
        return node
    return replace(node, inputs=(own[node.inputs[0]], *node.inputs[1:]))
