"""Every part of a graph, by patterns over its nodes alone: no name of a module or class decides anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.parts.cells import find_gru_cell, find_lstm_cell
from wsc.compiler.parts.gated import find_gated_mlp
from wsc.compiler.parts.part import Part
from wsc.compiler.parts.rotary import find_rotary
from wsc.compiler.parts.routing import find_mixtures
from wsc.compiler.parts.scanning import find_scan
from wsc.compiler.parts.search import Search

# In this order: what is found first keeps its nodes. A cell's gates would not pass for a gated MLP, but are one.
_PATTERNS: tuple[tuple[str, Callable[[Search, Node], set[str] | None]], ...] = (
    ("selective_scan", find_scan),
    ("lstm_cell", find_lstm_cell),
    ("gru_cell", find_gru_cell),
    ("gated_mlp", find_gated_mlp),
    ("rotary", find_rotary),
)


def find_parts(graph: Graph) -> tuple[Part, ...]:
    """Disjoint parts, each with no way that leads out of it and back, by their first node."""
    search = Search(graph)
    taken: set[str] = set()
    found: list[Part] = []
    for kind, root, nodes in _candidates(search):
        if len(nodes) > 1 and taken.isdisjoint(nodes) and search.is_convex(nodes):
            taken |= nodes
            found.append(Part(kind, root, tuple(sorted(nodes, key=search.place.__getitem__))))
    return tuple(sorted(found, key=lambda part: search.place[part.nodes[0]]))


def _candidates(search: Search) -> Iterator[tuple[str, str, set[str]]]:
    for root, stages in find_mixtures(search):
        yield from ((kind, root, nodes) for kind, nodes in stages.items())
    for kind, find in _PATTERNS:
        for node in search.graph.nodes:
            if nodes := find(search, node):
                yield kind, node.name, nodes
