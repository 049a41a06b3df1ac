"""Masks that only say "no later key", or none too far back, become an attribute again.

A mask of all queries by all keys is as large as what cores together hold of a layer, and no core needs more of it than
the places of its queries and keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ir.types import DType
from wsc.compiler.ops import Attention, Constant, Parameter
from wsc.compiler.ops.base import Array


@dataclass(frozen=True)
class _Near(Attention):
    """Causal attention over the last `window` keys alone; 0 for all that come before."""

    window: int = 0


def window_of(op: Attention) -> int:
    """How many keys up to its own a query sees; 0 where that is all."""
    return op.window if isinstance(op, _Near) else 0


def with_causal(graph: Graph, weights: Mapping[str, Array]) -> Graph:
    """The graph with causal attentions in place of those whose mask is a constant lower triangle, or a band of one."""
    found = {
        node.name: _window(weights[node.op.key])
        for node in graph.nodes
        if isinstance(node.op, (Constant, Parameter))
        and node.type.dtype is DType.BOOL
        and node.op.key in weights  # a buffer on the meta device has no data
    }
    nodes = [_without_mask(node, window) for node in graph.nodes for window in [_of_mask(node, found)]]
    used = {name for node in nodes for name in node.inputs} | set(graph.outputs)
    kept = tuple(n for n in nodes if n.name in used or not n.is_weight)
    return replace(graph, nodes=kept)


def _of_mask(node: Node, found: Mapping[str, int | None]) -> int | None:
    """The window of an attention's mask: 0 for all keys before, None where it has no such mask."""
    return found.get(node.inputs[3]) if isinstance(node.op, Attention) and len(node.inputs) == 4 else None


def _without_mask(node: Node, window: int | None) -> Node:
    if window is None:
        return node
    assert isinstance(node.op, Attention)
    op = _Near(node.op.scale, True, window) if window else replace(node.op, causal=True)
    return replace(node, op=op, inputs=node.inputs[:3])


def _window(mask: Array) -> int | None:
    """How many keys a mask keeps of those up to a query's own: 0 for all, None where it keeps others."""
    if mask.dtype != np.bool_ or mask.ndim < 2 or mask.size != mask.shape[-1] * mask.shape[-2]:
        return None
    rows, columns = mask.shape[-2:]
    table = mask.reshape(rows, columns)
    triangle = np.tri(rows, columns, dtype=np.bool_)
    if np.array_equal(table, triangle):
        return 0
    window = int(table[-1].sum())
    band = triangle & ~np.tri(rows, columns, -window, dtype=np.bool_)
    return window if rows == columns and window and np.array_equal(table, band) else None
