"""Compute at compile time what depends on weights alone.

Transposed weights, masks, position tables, folded factors: each largest expression over parameters and constants
becomes one new source. Its value is computed here where the bytes are known (views stay views and share the memory of
the weight), and stays absent like its parameters' where they were captured without bytes.

What only repeats a weight, or widens a matrix that is stored in fewer bytes, is left in the graph: the result would
multiply the memory that holds it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set
from dataclasses import replace

from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.types import DType
from wsc.compiler.ops import Cast, Constant, Elementwise, Expand, Parameter, Permute, Reshape, Slice
from wsc.compiler.ops.base import Array
from wsc.compiler.passes.dead_code import dead_code
from wsc.compiler.passes.rewrite import fresh_name, weight_key, weight_only


def hoist_weights(model: Model) -> Model:
    """The model with one source, `folded.<name>`, in place of every largest expression over weights.

    It is a Constant where everything below it is constant, else a Parameter.
    """
    graph = model.graph
    roots = _roots(graph)
    if not roots:
        return model
    parameters = _below(graph, {node.name for node in graph.nodes if isinstance(node.op, Parameter)})
    sources = _sources(graph, roots, parameters)
    values = _values(model, roots)
    nodes = tuple(sources.get(node.name, node) for node in graph.nodes)
    computed = {weight_key(sources[name]): array for name, array in values.items()}
    return dead_code(Model(replace(graph, nodes=nodes), {**model.weights, **computed}))


def _roots(graph: Graph) -> tuple[str, ...]:
    """Nodes over weights alone that something else reads, in order."""
    weights = weight_only(graph)
    computed = weights - _spread(graph, weights)
    folded = {node.name for node in graph.nodes if node.name in computed and not node.is_source}
    kept = set(graph.outputs).union(*(node.inputs for node in graph.nodes if node.name not in folded))
    roots = folded & kept
    return tuple(node.name for node in graph.nodes if node.name in roots)


def _spread(graph: Graph, weights: Set[str]) -> set[str]:
    """Nodes over weights alone whose value is a smaller tensor repeated or widened."""
    found: set[str] = set()
    widened: set[str] = set()
    for node in graph.nodes:
        if node.is_source or node.name not in weights:
            continue
        if _widens(node, graph) or not widened.isdisjoint(node.inputs):
            found.add(node.name)
            widened.add(node.name)
            continue
        if isinstance(node.op, Expand):
            repeats = node.type.elements > graph[node.inputs[0]].type.elements
        else:
            keeps = isinstance(node.op, Reshape | Permute | Slice | Cast | Elementwise)
            repeats = keeps and found.issuperset(node.inputs)
        if repeats:
            found.add(node.name)
    return found


def _widens(node: Node, graph: Graph) -> bool:
    """Whether a node makes a stored matrix of floats or 8-bit numbers larger."""
    if not isinstance(node.op, Cast) or node.type.rank < 2:
        return False
    below = graph[node.inputs[0]]
    numbers = below.type.dtype.is_float or below.type.dtype is DType.I8
    return isinstance(below.op, Parameter) and numbers and node.type.bytes > below.type.bytes


def _below(graph: Graph, sources: Collection[str]) -> set[str]:
    """The sources and every node that depends on any of them."""
    found = set(sources)
    for node in graph.nodes:
        if not found.isdisjoint(node.inputs):
            found.add(node.name)
    return found


def _sources(graph: Graph, roots: tuple[str, ...], parameters: Set[str]) -> dict[str, Node]:
    """The source that takes the place of each root."""
    taken = {weight_key(node) for node in graph.weights}
    sources: dict[str, Node] = {}
    for name in roots:
        key = fresh_name(f"folded.{name}", taken)
        taken.add(key)
        op = Parameter(key) if name in parameters else Constant(key)
        sources[name] = replace(graph[name], op=op, inputs=())
    return sources


def _values(model: Model, roots: tuple[str, ...]) -> Mapping[str, Array]:
    """Values of the roots whose weights all have bytes."""
    graph = model.graph
    absent = {node.name for node in graph.weights if weight_key(node) not in model.weights}
    unknown = _below(graph, absent)
    known = tuple(name for name in roots if name not in unknown)
    weights = weight_only(graph) - unknown
    nodes = tuple(node for node in graph.nodes if node.name in weights)
    part = dead_code(Model(Graph(graph.name, nodes, known), model.weights))
    return dict(zip(known, interpret(part.graph, (), part.weights), strict=True))
