"""A convolution whose first or last places are cut off again computes only those that are kept.

Causal convolutions are written with padding on both sides, and the places behind the end thrown away; without them
the result has the places of the operand, and both can be cut over the cores alike.
"""

from __future__ import annotations

from dataclasses import replace

from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops import Cast, Contract, Elementwise, Permute, Reshape, Slice


def trimmed(graph: Graph) -> Graph:
    """The graph without slices of what only a convolution's padding made."""
    for node in graph.nodes:
        if isinstance(node.op, Slice) and node.op.step == 1:
            graph = _trimmed_at(graph, node)
    return graph


def _trimmed_at(graph: Graph, end: Node) -> Graph:
    """With one slice moved into the convolution that it is of; as it is where there is none."""
    assert isinstance(end.op, Slice)
    chain: list[tuple[Node, int]] = []  # nodes from the slice up, and their dimension that is sliced
    name, dim = end.inputs[0], end.op.dim
    while True:
        node = graph[name]
        if node.is_source or graph.users[name] != (chain[-1][0] if chain else end,) or name in graph.outputs:
            return graph
        chain.append((node, dim))
        if isinstance(node.op, Contract):
            break
        before = _before(graph, node, dim)
        if before is None:
            return graph
        name, dim = before
    window = _window(node, dim, end.op.start, end.op.stop)
    if window is None:
        return graph
    extent = end.op.stop - end.op.start
    made = {n.name: _shortened(n, d, extent) for n, d in chain}
    made[node.name] = replace(made[node.name], op=window)
    made[end.inputs[0]] = replace(made[end.inputs[0]], name=end.name)
    return replace(graph, nodes=tuple(made.get(n.name, n) for n in graph.nodes if n.name != end.name))


def _before(graph: Graph, node: Node, dim: int) -> tuple[str, int] | None:
    """The one operand that has the places of a dimension of a node, and which dimension of it has them."""
    if isinstance(node.op, Permute):
        return node.inputs[0], node.op.order[dim]
    if isinstance(node.op, Reshape) and not node.op.batch:
        (row,) = node.op.tiling(graph.operand_types(node), node.type).operands
        type = graph[node.inputs[0]].type
        found = [d for d, axis in enumerate(row) if axis == dim and type.shape[d] == node.type.shape[dim]]
        return (node.inputs[0], found[0]) if found else None
    if not isinstance(node.op, (Elementwise, Cast)):
        return None
    types = graph.operand_types(node)
    if any(t.rank != node.type.rank for t in types):
        return None
    having = [name for name, t in zip(node.inputs, types, strict=True) if t.shape[dim] > 1]
    return (having[0], dim) if len(having) == 1 and node.inputs.count(having[0]) == 1 else None


def _window(node: Node, dim: int, start: int, stop: int) -> Contract | None:
    """The convolution of the places from `start` to `stop`; None where more than padding would be left out."""
    assert isinstance(node.op, Contract)
    letter = node.op.letters[2][dim]
    for number, (slid, tap, stride, dilation, lo, hi) in enumerate(node.op.windows):
        least, most = lo - start * stride, hi - (node.type.shape[dim] - stop) * stride
        if slid == letter and least >= 0 and most >= 0:
            windows = list(node.op.windows)
            windows[number] = (slid, tap, stride, dilation, least, most)
            return replace(node.op, windows=tuple(windows))
    return None


def _shortened(node: Node, dim: int, extent: int) -> Node:
    """A node with another extent of a dimension."""
    shape = tuple(extent if d == dim else n for d, n in enumerate(node.type.shape))
    op = replace(node.op, shape=shape) if isinstance(node.op, Reshape) else node.op
    return replace(node, op=op, type=TensorType(node.type.dtype, shape))
