"""What patterns are written with: a graph with the facts that they ask of it, walks up and down, and regions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import cached_property

from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ops import Cast, Contract, Elementwise, Expand, Permute, Reshape, Slice

VIEWS = (Reshape, Permute, Slice, Expand, Cast)  # one tensor, seen or stored another way
Test = Callable[[Node], bool]


class Search:
    """A graph to look for parts in."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.leaving = frozenset(graph.outputs)
        self.place = {node.name: place for place, node in enumerate(graph.nodes)}

    @cached_property
    def weights(self) -> frozenset[str]:
        """Weights, and every node over weights alone."""
        found: set[str] = set()
        for node in self.graph.nodes:
            if node.is_weight or (node.inputs and found.issuperset(node.inputs)):
                found.add(node.name)
        return frozenset(found)

    def past_views(self, name: str) -> str:
        """The value that a chain of views is made of."""
        while isinstance(self.graph[name].op, VIEWS):
            name = self.graph[name].inputs[0]
        return name

    def by_weights(self, node: Node) -> str | None:
        """What a product by weights multiplies them with; None for any other node."""
        if not isinstance(node.op, Contract) or node.op.windows:
            return None
        moving = [name for name in node.inputs if name not in self.weights]
        return moving[0] if len(moving) == 1 else None

    def above(self, name: str, through: Test, most: int = 64) -> tuple[set[str], set[str]] | None:
        """What a value is computed by, as far up as `through` says, and what that reads; weights apart.

        None where there are more than `most` nodes.
        """
        inner: set[str] = set()
        leaves: set[str] = set()
        waiting = [name]
        while waiting:
            at = waiting.pop()
            if at in inner or at in leaves or at in self.weights:
                continue
            node = self.graph[at]
            if node.is_source or not through(node):
                leaves.add(at)
                continue
            inner.add(at)
            if len(inner) > most:
                return None
            waiting.extend(node.inputs)
        return inner, leaves

    def closed(self, nodes: Iterable[str], outputs: Collection[str]) -> set[str]:
        """Those of the nodes that are read within alone, or are outputs."""
        kept = set(nodes)
        for name in sorted(kept, key=self.place.__getitem__, reverse=True):
            outside = name in self.leaving or any(u.name not in kept for u in self.graph.users[name])
            if outside and name not in outputs:
                kept.discard(name)
        return kept

    def until_joined(self, starts: Collection[str]) -> set[str] | None:
        """The starts and all that depends on them, up to the first node that all further ones depend on through.

        None where the starts reach an output before.
        """
        found = set(starts)
        last = max(self._last_use(name) for name in starts)
        first = min(self.place[name] for name in starts)
        for node in self.graph.nodes[first:]:
            if node.name not in found and found.isdisjoint(node.inputs):
                continue
            found.add(node.name)
            if self.place[node.name] >= last and node.name not in starts:
                return found
            if node.name in self.leaving:
                return None
            last = max(last, self._last_use(node.name))
        return None

    def _last_use(self, name: str) -> int:
        users = self.graph.users[name]
        return self.place[users[-1].name] if users else -1

    def is_convex(self, nodes: Collection[str]) -> bool:
        """Whether no way leads out of the nodes and back into them."""
        places = [self.place[name] for name in nodes]
        left: set[str] = set()  # outside, and depend on the nodes
        for node in self.graph.nodes[min(places) : max(places) + 1]:
            if node.name in nodes:
                if not left.isdisjoint(node.inputs):
                    return False
            elif any(name in nodes or name in left for name in node.inputs):
                left.add(node.name)
        return True


def is_map(node: Node, fn: str) -> bool:
    """Whether a node applies a function of as many tensors as it has operands, with no number among them."""
    op = node.op
    return isinstance(op, Elementwise) and op.fn == fn and all(s is None for s in op.scalars)


def both_ways(node: Node, fn: str) -> list[tuple[str, str]]:
    """The operands of a function of two tensors, in both orders; none for any other node."""
    if not is_map(node, fn) or len(node.inputs) != 2:
        return []
    first, second = node.inputs
    return [(first, second), (second, first)]
