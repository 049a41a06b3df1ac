"""Masks that only say "no later key" become an attribute again: a mask of all queries by all keys has no layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ir.types import DType
from wsc.compiler.ops import Attention, Constant, Parameter
from wsc.compiler.ops.base import Array


def with_causal(graph: Graph, weights: Mapping[str, Array]) -> Graph:
    """The graph with `causal` attentions in place of those whose mask is a constant lower triangle, or a buffer's."""
    triangular = {
        node.name: _is_triangle(weights[node.op.key])
        for node in graph.nodes
        if isinstance(node.op, (Constant, Parameter))
        and node.type.dtype is DType.BOOL
        and node.op.key in weights  # a buffer on the meta device has no data
    }
    nodes = [_without_mask(node) if _masked_by(node, triangular) else node for node in graph.nodes]
    used = {name for node in nodes for name in node.inputs} | set(graph.outputs)
    kept = tuple(n for n in nodes if n.name in used or not n.is_weight)
    return replace(graph, nodes=kept)


def _masked_by(node: Node, triangular: Mapping[str, bool]) -> bool:
    return isinstance(node.op, Attention) and len(node.inputs) == 4 and triangular.get(node.inputs[3], False)


def _without_mask(node: Node) -> Node:
    assert isinstance(node.op, Attention)
    return replace(node, op=replace(node.op, causal=True), inputs=node.inputs[:3])


def _is_triangle(mask: Array) -> bool:
    if mask.dtype != np.bool_ or mask.ndim < 2 or mask.size != mask.shape[-1] * mask.shape[-2]:
        return False
    return bool(np.array_equal(mask.reshape(mask.shape[-2:]), np.tri(*mask.shape[-2:], dtype=np.bool_)))
