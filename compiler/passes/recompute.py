"""Compute a layer's activations again in the backward pass, instead of keeping them from the forward pass.

Of each layer, a module of a list such as `layers.3`, only what goes into it is kept (Chen et al., Training Deep Nets
with Sublinear Memory Cost, 2016). What its backward pass reads is computed again from there, right before the first
node that reads it. Values outside of layers are kept. The pass comes last: sharing equal expressions would undo it.
"""

from __future__ import annotations

from dataclasses import replace

from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ir.model import Model
from wsc.compiler.memory import backward_nodes
from wsc.compiler.passes.rewrite import fresh_name

AGAIN = "backward.again."  # begins the names of what is computed again


def recompute(model: Model) -> Model:
    """The model with copies of forward nodes for the backward pass; the same if there is no backward pass."""
    graph = model.graph
    backward = backward_nodes(graph)
    copies = _Copies(graph, backward)
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.name in backward and not node.name.startswith(AGAIN):
            inputs = []
            for name in node.inputs:
                needed, stands_in = copies.of(name)
                nodes += needed
                inputs.append(stands_in)
            node = node if tuple(inputs) == node.inputs else replace(node, inputs=tuple(inputs))
        nodes.append(node)
    return model if not copies.names else replace(model, graph=replace(graph, nodes=tuple(nodes)))


class _Copies:
    """What is computed again of a graph, as far as it was asked for."""

    def __init__(self, graph: Graph, backward: frozenset[str]) -> None:
        self.graph, self.backward = graph, backward
        self.names: dict[str, str] = {}  # of a node: of its copy
        self._taken = {node.name for node in graph.nodes}
        self._kept = self._between_layers()

    def of(self, name: str) -> tuple[list[Node], str]:
        """The copies to be made now, in order, and the name to read in the place of a value."""
        new: list[Node] = []
        waiting = [name]
        while waiting:
            at = waiting[-1]
            if self._is_kept(at) or at in self.names:
                waiting.pop()
                continue
            node = self.graph[at]
            missing = [i for i in node.inputs if not self._is_kept(i) and i not in self.names]
            if missing:
                waiting += missing
                continue
            waiting.pop()
            copy = fresh_name(f"{AGAIN}{at}", self._taken)
            self._taken.add(copy)
            self.names[at] = copy
            inputs = tuple(self.names.get(i, i) for i in node.inputs)
            new.append(replace(node, name=copy, inputs=inputs, part=""))
        return new, self.names.get(name, name)

    def _is_kept(self, name: str) -> bool:
        return name in self._kept

    def _between_layers(self) -> frozenset[str]:
        """Sources, the backward pass, what is in no layer, and what goes from one layer to another."""
        kept = set(self.backward)
        for node in self.graph.nodes:
            layer = layer_of(node)
            users = self.graph.users[node.name]
            crosses = any(u.name not in self.backward and layer_of(u) != layer for u in users)
            if node.is_source or not layer or crosses or node.name in self.graph.outputs:
                kept.add(node.name)
        return frozenset(kept)


def layer_of(node: Node) -> str:
    """The path of the outermost numbered module that a node is in; "" where it is in none."""
    parts = node.location.module.split(".")
    number = next((place for place, part in enumerate(parts) if part.isdigit()), None)
    return "" if number is None else ".".join(parts[: number + 1])
