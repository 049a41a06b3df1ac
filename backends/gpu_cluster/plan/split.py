"""Matrices whose product is taken apart are taken apart themselves: queries, keys and values of one matrix.

A cut of the whole product's columns would not be a cut of its parts; a cut of each part is.
"""

from __future__ import annotations

from dataclasses import replace

from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ops import Contract, Elementwise, Slice


def split_products(graph: Graph) -> Graph:
    """Slices of a product along columns that come from its weight become products by slices of the weight.

    Elementwise nodes between the two, such as a bias, are sliced as well. The weights' slices are nodes of their own,
    which a program reads as views of the weight.
    """
    nodes: list[Node] = []
    replaced: dict[str, list[Node]] = {}
    for node in graph.nodes:
        if isinstance(node.op, Slice) and _can_split(graph, node):
            replaced[node.name] = _pushed(graph, node, node.name)
    for node in graph.nodes:
        nodes += replaced.get(node.name, [node])
    return _without_unread(Graph(graph.name, tuple(nodes), graph.outputs))


def _can_split(graph: Graph, node: Node) -> bool:
    """Whether a slice is of a product, through elementwise nodes, of which nothing but such slices is read."""
    op = node.op
    assert isinstance(op, Slice)
    source = graph[node.inputs[0]]
    while isinstance(source.op, Elementwise):
        full = [
            n for n in source.inputs if graph[n].type.shape == source.type.shape and not graph[n].is_weight
        ]
        if len(full) != 1 or not _only_sliced(graph, source, op.dim):
            return False
        source = graph[full[0]]
        if len(graph.users[source.name]) != 1 and isinstance(source.op, Elementwise):
            return False
    if not isinstance(source.op, Contract) or source.op.windows:
        return False
    letter = source.op.letters[2][op.dim]
    lhs, rhs, _ = source.op.letters
    users = graph.users[source.name]
    read_once = source.name not in graph.outputs and (len(users) == 1 or _only_sliced(graph, source, op.dim))
    return letter in rhs and letter not in lhs and graph[source.inputs[1]].is_weight and read_once


def _only_sliced(graph: Graph, node: Node, dim: int) -> bool:
    users = graph.users[node.name]
    if node.name in graph.outputs:
        return False
    sliced = all(isinstance(u.op, Slice) and u.op.dim == dim for u in users)
    return sliced or (len(users) == 1 and isinstance(users[0].op, Elementwise))


def _pushed(graph: Graph, node: Node, name: str) -> list[Node]:
    """The nodes that compute a slice by slicing what it is computed from; the last has its name."""
    op = node.op
    assert isinstance(op, Slice)
    source = graph[node.inputs[0]]
    before: list[Node] = []
    inputs = list(source.inputs)
    for place, operand in enumerate(source.inputs):
        inner = _inner_slice(graph, source, place, op)
        if inner is None:
            continue
        inputs[place] = f"{name}.{operand}"
        sliced = Node(inputs[place], inner, (operand,), inner.infer([graph[operand].type]), source.location)
        deeper = isinstance(graph[operand].op, Contract | Elementwise)
        before += _pushed(graph, sliced, inputs[place]) if deeper else [sliced]
    return [*before, replace(source, name=name, inputs=tuple(inputs), type=node.type)]


def _inner_slice(graph: Graph, source: Node, place: int, op: Slice) -> Slice | None:
    """The slice of an operand that gives a slice of the result; None where the whole operand is needed."""
    operand = graph[source.inputs[place]]
    if isinstance(source.op, Contract):
        letters = source.op.letters
        letter = letters[2][op.dim]
        return replace(op, dim=letters[place].index(letter)) if letter in letters[place] else None
    return op if operand.type.shape[op.dim] > 1 else None


def _without_unread(graph: Graph) -> Graph:
    """The graph without nodes that nothing reads; inputs stay."""
    read = set(graph.outputs)
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if node.name in read or node in graph.inputs:
            kept.append(node)
            read.update(node.inputs)
    return Graph(graph.name, tuple(reversed(kept)), graph.outputs)
