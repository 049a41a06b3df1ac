"""The last rewriting before kernels are cut: what streams cannot do is made explicit.

Views of weights become weights of their own (a stream starts at a kernel or at the host, never at a weight), and an
output that is a plain view of an input or a weight gets a kernel that copies it.
"""

from __future__ import annotations

from dataclasses import replace

from wsc.backends.wafer.kernels import resolve
from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.verify import verify
from wsc.compiler.ops import Elementwise, Parameter
from wsc.compiler.ops.base import Array


def prepare(model: Model) -> Model:
    """The model with every weight read directly and every output computed by some kernel."""
    graph = model.graph
    weights = dict(model.weights)
    nodes: list[Node] = []
    for node in graph.nodes:
        source, views = resolve(graph, node.name)
        if views and graph[source].is_weight:
            key = f"{graph[source].op.key}.{node.name}"  # type: ignore[attr-defined]
            _materialise(weights, key, graph[source].op.key, views)  # type: ignore[attr-defined]
            node = replace(node, op=Parameter(key), inputs=())
        nodes.append(node)
    nodes, outputs = _with_copies(Graph(graph.name, tuple(nodes), graph.outputs))
    used = {name for node in nodes for name in node.inputs} | set(outputs)
    kept = tuple(n for n in nodes if n.name in used or not n.is_weight)
    result = Graph(graph.name, kept, outputs)
    verify(result)
    return Model(result, weights)


def _materialise(weights: dict[str, Array], key: str, source: str, views: tuple[object, ...]) -> None:
    if source not in weights:
        return
    value = weights[source]
    for op in views:
        value = op.reference([value])  # type: ignore[attr-defined]
    weights[key] = value


def _with_copies(graph: Graph) -> tuple[list[Node], tuple[str, ...]]:
    nodes, outputs = list(graph.nodes), []
    for number, name in enumerate(graph.outputs):
        if graph[resolve(graph, name)[0]].is_source:
            copy = Node(f"copy_{number}_{name}", Elementwise("copy"), (name,), graph[name].type, graph[name].location)
            nodes.append(copy)
            name = copy.name
        outputs.append(name)
    return nodes, tuple(outputs)

