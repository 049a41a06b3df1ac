"""One step of a recurrent network: LSTM and GRU cells, as torch takes them apart and as people write them."""

from __future__ import annotations

from wsc.compiler.ir.graph import Node
from wsc.compiler.ops import Concat, Elementwise
from wsc.compiler.parts.search import VIEWS, Search, both_ways, is_map


def find_lstm_cell(search: Search, node: Node) -> set[str] | None:
    """The nodes of a cell whose hidden state is `node`: o * tanh(c), where c = f * c' + i * g."""
    graph = search.graph
    for out, squashed in both_ways(node, "mul"):
        if not is_map(graph[squashed], "tanh") or not _gate(search, out, "sigmoid"):
            continue
        memory = graph[squashed].inputs[0]
        for kept, new in both_ways(graph[memory], "add"):
            inputs = [(i, g) for i, g in both_ways(graph[new], "mul") if _gate(search, g, "tanh")]
            forgets = [f for f, _ in both_ways(graph[kept], "mul") if _gate(search, f, "sigmoid")]
            if not forgets or not inputs or not _gate(search, inputs[0][0], "sigmoid"):
                continue
            gates = _above_gates(search, (out, forgets[0], *inputs[0]))
            whole = {node.name, squashed, memory, kept, new, *gates}
            return search.closed(whole, {node.name, memory})
    return None


def find_gru_cell(search: Search, node: Node) -> set[str] | None:
    """The nodes of a cell whose hidden state is `node`: z * h + (1 - z) * n, or n + z * (h - n)."""
    found = _mixed(search, node) or _moved(search, node)
    if found is None:
        return None
    update, candidate, between = found
    gates = _above_gates(search, (update, candidate), resets=True)
    resets = [name for name in gates if name != update and _gate(search, name, "sigmoid")]
    return search.closed({node.name, *between, *gates}, {node.name}) if resets else None


_Found = tuple[str, str, set[str]]


def _mixed(search: Search, node: Node) -> _Found | None:
    """z * h + (1 - z) * n."""
    graph = search.graph
    for one, other in both_ways(node, "add"):
        for rest, candidate in both_ways(graph[other], "mul"):
            if graph[rest].op != Elementwise("sub", (1, None)) or not _gate(search, candidate, "tanh"):
                continue
            update = graph[rest].inputs[0]
            if update in graph[one].inputs and is_map(graph[one], "mul") and _gate(search, update, "sigmoid"):
                return update, candidate, {one, other, rest}
    return None


def _moved(search: Search, node: Node) -> _Found | None:
    """n + z * (h - n)."""
    graph = search.graph
    for candidate, move in both_ways(node, "add"):
        if not _gate(search, candidate, "tanh"):
            continue
        for update, way in both_ways(graph[move], "mul"):
            back = is_map(graph[way], "sub") and graph[way].inputs[1] == candidate
            if back and _gate(search, update, "sigmoid"):
                return update, candidate, {move, way}
    return None


def _gate(search: Search, name: str, fn: str) -> bool:
    return is_map(search.graph[search.past_views(name)], fn)


def _above_gates(search: Search, gates: tuple[str, ...], resets: bool = False) -> set[str]:
    """What computes the gates from the products by weights on, and what a reset gate does before a product."""
    found: set[str] = set()
    for gate in gates:
        own = search.above(gate, lambda n: isinstance(n.op, (*VIEWS, Elementwise)))
        if own is None:
            continue
        found |= own[0]
        for leaf in own[1]:
            read = search.by_weights(search.graph[leaf])
            if read is None:
                continue
            found.add(leaf)
            if resets and isinstance(search.graph[read].op, Concat):
                found |= _reset(search, read)
    return found


def _reset(search: Search, joined: str) -> set[str]:
    """What lies before a product that reads r * h: the gate r, and where it is joined with the input."""
    for name in search.graph[joined].inputs:
        for gate, _ in both_ways(search.graph[search.past_views(name)], "mul"):
            if _gate(search, gate, "sigmoid"):
                above = search.above(gate, lambda n: isinstance(n.op, (*VIEWS, Elementwise)))
                inner, leaves = above or (set(), set())
                products = {leaf for leaf in leaves if search.by_weights(search.graph[leaf])}
                return {joined, name, search.past_views(name), *inner, *products}
    return set()
