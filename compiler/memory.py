"""What a graph holds when its nodes run one after another: weights, state, and values while they are needed."""

from __future__ import annotations

from dataclasses import dataclass

from wsc.compiler.ir.graph import Graph
from wsc.compiler.ops import Expand, Permute, Reshape, Slice

_VIEWS = (Reshape, Permute, Slice, Expand)  # share the memory of what they view
BACKWARD = "backward."  # begins the names of a backward pass


@dataclass(frozen=True)
class Memory:
    """Bytes. `values` is the most that computed values take at one time, `saved` what the backward pass reads of them.

    A state's next value takes the place of the last one where nothing reads that later, and is no value.
    """

    weights: int
    state: int
    values: int
    saved: int


def memory_of(graph: Graph) -> Memory:
    """The memory of one run in the order of the nodes, each value freed after its last reader."""
    base = _bases(graph)
    last: dict[str, int] = {}
    for place, node in enumerate(graph.nodes):
        for name in node.inputs:
            last[base[name]] = place
    last |= dict.fromkeys((base[name] for name in graph.outputs), len(graph.nodes))
    freed: dict[int, int] = {}
    held = most = 0
    in_place = _in_place(graph, last)
    for place, node in enumerate(graph.nodes):
        if not node.is_source and base[node.name] == node.name and node.name not in in_place:
            held += node.type.bytes
            end = last.get(node.name, place)
            freed[end] = freed.get(end, 0) + node.type.bytes
        most = max(most, held)
        held -= freed.pop(place, 0)
    weights = sum(node.type.bytes for node in graph.weights)
    state = sum(graph.inputs[state.input].type.bytes for state in graph.state)
    return Memory(weights, state, most, sum(graph[name].type.bytes for name in saved(graph, base)))


def backward_nodes(graph: Graph) -> frozenset[str]:
    """The nodes of the backward pass, and what depends on them."""
    found: set[str] = set()
    for node in graph.nodes:
        if node.name.startswith(BACKWARD) or not found.isdisjoint(node.inputs):
            found.add(node.name)
    return frozenset(found)


def saved(graph: Graph, base: dict[str, str] | None = None) -> dict[str, None]:
    """Computed values of the forward pass, no views, that the backward pass reads, in the order in which it does."""
    base = base or _bases(graph)
    backward = backward_nodes(graph)
    read = (base[name] for node in graph.nodes if node.name.startswith(BACKWARD) for name in node.inputs)
    return dict.fromkeys(name for name in read if name not in backward and not graph[name].is_source)


def _in_place(graph: Graph, last: dict[str, int]) -> frozenset[str]:
    """Next values of states whose last value nothing reads after they are computed."""
    place = {node.name: number for number, node in enumerate(graph.nodes)}
    pairs = ((graph.inputs[state.input].name, graph.outputs[state.output]) for state in graph.state)
    return frozenset(after for before, after in pairs if last.get(before, -1) <= place[after])


def _bases(graph: Graph) -> dict[str, str]:
    """For each value the one whose memory it views: itself, if it is no view."""
    base: dict[str, str] = {}
    for node in graph.nodes:
        base[node.name] = base[node.inputs[0]] if isinstance(node.op, _VIEWS) else node.name
    return base
