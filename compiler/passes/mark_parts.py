"""Mark the nodes that are one thing together, such as a rotary embedding or the experts of a mixture (see `parts`).

Nothing is rewritten: a target that has no kernel for a part compiles its nodes, and one that has finds them together.
Passes that come later put what they make in the part of what it stands for (see `rewrite`).
"""

from __future__ import annotations

from dataclasses import replace

from wsc.compiler.ir.model import Model
from wsc.compiler.parts.find import find_parts


def mark_parts(model: Model) -> Model:
    """The model with `Node.part` of every node set anew; "" for those that are no part of anything."""
    marks = {name: part.mark for part in find_parts(model.graph) for name in part.nodes}
    nodes = tuple(
        node if node.part == marks.get(node.name, "") else replace(node, part=marks.get(node.name, ""))
        for node in model.graph.nodes
    )
    return model if nodes == model.graph.nodes else replace(model, graph=replace(model.graph, nodes=nodes))
