"""Gated MLPs: act(x @ g) * (x @ u) @ d, with the gate's matrix and the other apart or in one."""

from __future__ import annotations

from wsc.compiler.ir.graph import Node
from wsc.compiler.ops import Elementwise, Slice
from wsc.compiler.parts.search import VIEWS, Search, both_ways

_LINEAR = frozenset({"add", "sub", "mul", "div", "neg", "copy", "min", "max"})


def find_gated_mlp(search: Search, node: Node) -> set[str] | None:
    """The nodes of a gated MLP whose last product is `node`."""
    inner = search.by_weights(node)
    if inner is None:
        return None
    gated = search.graph[search.past_views(inner)]
    for gate, up in both_ways(gated, "mul"):
        found = _gate_and_up(search, gate, up)
        if found is not None:
            views = search.above(inner, lambda n: isinstance(n.op, VIEWS))
            between = views[0] if views else set()
            return search.closed({node.name, gated.name, *between, *found}, {node.name})
    return None


def _gate_and_up(search: Search, gate: str, up: str) -> set[str] | None:
    """The nodes of both sides of the product, from the matrices on."""
    one = search.above(gate, lambda n: isinstance(n.op, (*VIEWS, Elementwise)), 24)
    other = search.above(up, lambda n: isinstance(n.op, (*VIEWS, Elementwise)), 24)
    if one is None or other is None or len(one[1]) != 1 or len(other[1]) != 1:
        return None
    if not any(_bends(search.graph[name]) for name in one[0]) or not _apart(search, one, other):
        return None
    leaves = [search.graph[name] for name in (*one[1], *other[1])]
    read = [search.by_weights(leaf) for leaf in leaves]
    if None in read or len({search.past_views(name) for name in read if name}) != 1:
        return None
    return one[0] | other[0] | one[1] | other[1]


_Side = tuple[set[str], set[str]]  # nodes, and what they read


def _apart(search: Search, one: _Side, other: _Side) -> bool:
    """Whether the sides read two products, or two pieces of one."""
    if one[1] != other[1]:
        return True
    pieces = [{n for n in side[0] if isinstance(search.graph[n].op, Slice)} for side in (one, other)]
    return all(pieces) and pieces[0].isdisjoint(pieces[1])


def _bends(node: Node) -> bool:
    return isinstance(node.op, Elementwise) and node.op.fn not in _LINEAR
