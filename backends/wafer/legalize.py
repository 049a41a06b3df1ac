"""What the wafer takes, and the last rewriting before kernels are cut: what streams cannot do is made explicit.

A core has no 64-bit arithmetic on floats; everything else of the graph's vocabulary it can do. Views of weights
become weights of their own (a stream starts at a kernel or at the host, never at a weight), and an output that is a
plain view of an input or a weight gets a kernel that copies it.
"""

from __future__ import annotations

from dataclasses import replace

from wsc.backends.wafer.kernels import resolve
from wsc.backends.wafer.machine import Wafer
from wsc.compiler.errors import UnsupportedModel
from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.types import DType
from wsc.compiler.ir.verify import verify
from wsc.compiler.ops import Elementwise, Op, Parameter
from wsc.compiler.ops.base import Array
from wsc.compiler.passes.rewrite import fresh_name, weight_key


def legalize(model: Model, machine: Wafer) -> Model:
    """The model with every weight read directly and every output computed by some kernel; raises UnsupportedModel."""
    graph = model.graph
    _refuse(graph, machine)
    weights = dict(model.weights)
    taken = {weight_key(node) for node in graph.weights}
    nodes: list[Node] = []
    for node in graph.nodes:
        source, views = resolve(graph, node.name)
        if views and graph[source].is_weight:
            key = fresh_name(f"{weight_key(graph[source])}.{node.name}", taken)
            taken.add(key)
            _materialise(weights, key, weight_key(graph[source]), views)
            node = replace(node, op=Parameter(key), inputs=())
        nodes.append(node)
    nodes, outputs = _with_copies(Graph(graph.name, tuple(nodes), graph.outputs))
    used = {name for node in nodes for name in node.inputs} | set(outputs)
    kept = tuple(n for n in nodes if n.name in used or not n.is_weight)
    result = replace(graph, nodes=kept, outputs=outputs)
    verify(result)
    return Model(result, weights)


def _refuse(graph: Graph, machine: Wafer) -> None:
    """List every node the cores cannot compute."""
    wide = [n for n in graph.nodes if n.type.dtype is DType.F64 and not n.is_source]
    empty = [n for n in graph.nodes if n.type.elements == 0]
    if not wide and not empty:
        return
    faults = [f"  {n.op.kind} of {n.type} at {n.location}" for n in [*wide, *empty]]
    raise UnsupportedModel(
        f"{machine.name} cannot run {len(faults)} nodes of '{graph.name}':\n" + "\n".join(faults) + "\n"
        "Cores have no 64-bit floating point and no empty tensors: use model.float(), or give inputs of another shape."
    )


def _materialise(weights: dict[str, Array], key: str, source: str, views: tuple[Op, ...]) -> None:
    if source not in weights:
        return
    value = weights[source]
    for op in views:
        value = op.reference([value])
    weights[key] = value


def _with_copies(graph: Graph) -> tuple[list[Node], tuple[str, ...]]:
    nodes, outputs = list(graph.nodes), []
    taken = {node.name for node in nodes}
    for number, name in enumerate(graph.outputs):
        if graph[resolve(graph, name)[0]].is_source:
            copy = copy_of(graph[name], name, fresh_name(f"copy_{number}_{name}", taken))
            taken.add(copy.name)
            nodes.append(copy)
            name = copy.name
        outputs.append(name)
    return nodes, tuple(outputs)


def copy_of(node: Node, operand: str, name: str) -> Node:
    """A node that copies a value like `node`'s."""
    # numpy, which copy is made of, has none of truth values
    op = Elementwise("or", (None, False)) if node.type.dtype is DType.BOOL else Elementwise("copy")
    return Node(name, op, (operand,), node.type, node.location)
