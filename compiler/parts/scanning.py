"""Selective scans: a recurrence, what makes its factors and reads its states; or chunks, with decays between them."""

from __future__ import annotations

from math import inf

from wsc.compiler.ir.graph import Node
from wsc.compiler.ops import Concat, Contract, Elementwise, Pad, Recurrence, Reduce, Scan
from wsc.compiler.parts.search import VIEWS, Search, is_map


def find_scan(search: Search, node: Node) -> set[str] | None:
    """The nodes of a scan, found from its recurrence or from its first running sum."""
    if isinstance(node.op, Recurrence):
        return _by_steps(search, node)
    if isinstance(node.op, Scan) and node.op.fn == "sum":
        return _by_chunks(search, node)
    return None


def _by_steps(search: Search, node: Node) -> set[str]:
    """exp(delta * A) and delta * B * x above the recurrence, and below it the product with C."""
    found = {node.name}
    for name in node.inputs:
        above = search.above(name, lambda n: isinstance(n.op, (*VIEWS, Elementwise)))
        found |= above[0] if above else set()
    end, below = node, {node.name}
    while len(users := search.graph.users[end.name]) == 1 and isinstance(users[0].op, VIEWS):
        end = users[0]
        below.add(end.name)
    if len(users) == 1 and isinstance(users[0].op, Contract) and search.by_weights(users[0]) is None:
        below.add(users[0].name)
    elif len(users) == 1 and is_map(users[0], "mul"):
        summed = search.graph.users[users[0].name]
        if len(summed) == 1 and isinstance(summed[0].op, Reduce):
            below |= {users[0].name, summed[0].name}
    root = max(below, key=search.place.__getitem__)
    return search.closed(found | below, {root})


def _by_chunks(search: Search, node: Node) -> set[str] | None:
    """Running sums of decays, of which some are kept below the diagonal: exp of them weighs products within a chunk."""
    source = _branching(search, node.inputs[0])
    below = search.until_joined({source})
    if below is None or len(below) > 200:
        return None
    decays = [name for name in below if _is_segment_sum(search, search.graph[name])]
    if not decays:
        return None
    below.discard(source)
    return search.closed(_with_producers(search, below), {max(below, key=search.place.__getitem__)})


def _branching(search: Search, name: str) -> str:
    """The first value above that several read, with views in between."""
    while len(search.graph.users[name]) == 1 and isinstance(search.graph[name].op, VIEWS):
        name = search.graph[name].inputs[0]
    return name


def _is_segment_sum(search: Search, node: Node) -> bool:
    """exp(where(below the diagonal, running sum, -inf))."""
    if not is_map(node, "exp"):
        return False
    masked = search.graph[node.inputs[0]]
    dropped = isinstance(masked.op, Elementwise) and masked.op.fn == "select" and -inf in masked.op.scalars
    return dropped and any(isinstance(search.graph[n].op, Scan) for n in masked.inputs)


def _with_producers(search: Search, nodes: set[str]) -> set[str]:
    """The nodes and the views and products, none by weights, that only they read."""
    found = set(nodes)
    for node in reversed(search.graph.nodes):
        if node.name in found or not search.graph.users[node.name]:
            continue
        inside = all(user.name in found for user in search.graph.users[node.name])
        takes = isinstance(node.op, (*VIEWS, Contract, Concat, Pad)) and search.by_weights(node) is None
        windows = isinstance(node.op, Contract) and node.op.windows
        if inside and takes and not windows and node.name not in search.weights:
            found.add(node.name)
    return found
