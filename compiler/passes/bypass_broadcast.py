"""Let an op that broadcasts read the narrow tensor instead of its expansion.

`expand` writes every repetition out; elementwise ops and attention take extents of 1 as they are. Biases, masks and
rotary tables would otherwise be stored, moved and read once for every batch and head.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from wsc.compiler.ir.graph import Node
from wsc.compiler.ir.model import Model
from wsc.compiler.ops import Attention, Elementwise, Expand
from wsc.compiler.passes.dead_code import dead_code
from wsc.compiler.passes.rewrite import rewrite


def bypass_broadcast(model: Model) -> Model:
    """The model without the expansions that only repeat what their reader would repeat by itself."""
    return dead_code(replace(model, graph=rewrite(model.graph, _bypass)))


def _bypass(node: Node, built: Mapping[str, Node]) -> list[Node]:
    if not isinstance(node.op, Elementwise | Attention):
        return [node]
    for place, name in enumerate(node.inputs):
        operand = built[name]
        if not isinstance(operand.op, Expand):
            continue
        inputs = (*node.inputs[:place], operand.inputs[0], *node.inputs[place + 1 :])
        if _fits(node, inputs, built):
            node = replace(node, inputs=inputs)
    return [node]


def _fits(node: Node, inputs: tuple[str, ...], built: Mapping[str, Node]) -> bool:
    """Whether the node's op gives the same type over these inputs."""
    try:
        return node.op.infer([built[name].type for name in inputs]) == node.type
    except ValueError:
        return False
