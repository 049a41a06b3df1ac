"""Drop the nodes that no output needs.

Capture leaves values that nothing reads, and other passes leave behind what they bypass. Inputs stay, read or not: they
are the program's signature.
"""

from __future__ import annotations

from dataclasses import replace

from wsc.compiler.ir.model import Model
from wsc.compiler.ops import Input
from wsc.compiler.passes.rewrite import with_weights


def dead_code(model: Model) -> Model:
    """The model without the nodes, and the bytes of weights, that no output needs."""
    graph = model.graph
    needed = set(graph.outputs)
    for node in reversed(graph.nodes):
        if node.name in needed:
            needed.update(node.inputs)
    needed.update(node.name for node in graph.nodes if node.is_source and isinstance(node.op, Input))
    nodes = tuple(node for node in graph.nodes if node.name in needed)
    return with_weights(replace(graph, nodes=nodes), model.weights)
