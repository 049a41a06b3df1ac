"""Rotary position embedding, as models spell it: x * cos + turned(x) * sin, or both halves one by one."""

from __future__ import annotations

from wsc.compiler.ir.graph import Node
from wsc.compiler.ops import Concat
from wsc.compiler.parts.search import VIEWS, Search, both_ways, is_map


def find_rotary(search: Search, node: Node) -> set[str] | None:
    """The nodes of a rotary embedding whose result is `node`."""
    nodes = _turned(search, node) or _by_halves(search, node)
    return search.closed(nodes, {node.name}) if nodes else None


def _turned(search: Search, node: Node) -> set[str] | None:
    """x * cos + turned(x) * sin, where turned(x) puts one half, negated, beside the other."""
    graph = search.graph
    for one, other in both_ways(node, "add"):
        for x, _cos in both_ways(graph[one], "mul"):
            for turned, _sin in both_ways(graph[other], "mul"):
                between = _turning(search, x, turned)
                if between is not None:
                    return {node.name, one, other, *between}
    return None


def _turning(search: Search, x: str, turned: str) -> set[str] | None:
    """The nodes between x and its pairs turned by a right angle."""
    own = search.above(x, lambda n: isinstance(n.op, VIEWS), 16)
    found = search.above(turned, lambda n: isinstance(n.op, (*VIEWS, Concat)) or is_map(n, "neg"), 16)
    if own is None or found is None or own[1] != found[1] or len(own[1]) != 1:
        return None
    between = found[0] - own[0]
    ops = [search.graph[name] for name in between]
    negated, joined = (sum(is_map(n, "neg") for n in ops), sum(isinstance(n.op, Concat) for n in ops))
    return between if negated == joined == 1 else None


def _by_halves(search: Search, node: Node) -> set[str] | None:
    """concat(a * cos - b * sin, b * cos + a * sin)."""
    if not isinstance(node.op, Concat) or len(node.inputs) != 2:
        return None
    graph = search.graph
    first, second = (graph[search.past_views(name)] for name in node.inputs)
    if not is_map(first, "sub"):
        return None
    for a, cos in both_ways(graph[first.inputs[0]], "mul"):
        for b, sin in both_ways(graph[first.inputs[1]], "mul"):
            for one, other in both_ways(second, "add"):
                if {*graph[one].inputs} == {b, cos} and {*graph[other].inputs} == {a, sin}:
                    if not (is_map(graph[one], "mul") and is_map(graph[other], "mul")):
                        continue
                    if search.past_views(a) != search.past_views(b):
                        continue
                    views = _views_between(search, node, {first.name, second.name})
                    return {node.name, first.name, second.name, *first.inputs, one, other, a, b, *views}
    return None


def _views_between(search: Search, node: Node, ends: set[str]) -> set[str]:
    found = set()
    for name in node.inputs:
        while name not in ends:
            found.add(name)
            name = search.graph[name].inputs[0]
    return found
