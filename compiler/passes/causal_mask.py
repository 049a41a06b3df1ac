"""Write causal masking out as a mask, so that a target needs one rule of masking only.

A mask is split with the queries it belongs to; a causal flag would need each part to know where it starts. Attentions
of equal shape share one constant, and a mask they already have is combined with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import inf

import numpy as np

from wsc.compiler.ir.graph import Location, Node
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.ops import Attention, Constant, Elementwise
from wsc.compiler.ops.base import Array
from wsc.compiler.passes.rewrite import apply_op, fresh_name, rewrite, weight_key, with_weights


def causal_mask(model: Model) -> Model:
    """The model with every `attention(causal=True)` reading a boolean [1, ..., 1, queries, keys] constant instead."""
    graph = model.graph
    taken = {node.name for node in graph.nodes} | {weight_key(node) for node in graph.weights}
    masks: dict[tuple[int, ...], Node] = {}
    values: dict[str, Array] = {}

    def constant(shape: tuple[int, ...]) -> Node:
        name = fresh_name(f"causal.{'x'.join(map(str, shape))}", taken)
        taken.add(name)
        values[name] = np.tri(*shape[-2:], dtype=np.bool_).reshape(shape)
        return Node(name, Constant(name), (), TensorType(DType.BOOL, shape))

    def rule(node: Node, built: Mapping[str, Node]) -> list[Node]:
        if not isinstance(node.op, Attention) or not node.op.causal:
            return [node]
        shape = _mask_shape(node, built)
        new = []
        if shape not in masks:
            masks[shape] = constant(shape)
            new.append(masks[shape])
        mask = masks[shape]
        if len(node.inputs) > 3:
            mask = _combined(built[node.inputs[3]], mask, node.location, taken)
            new.append(mask)
        op = replace(node.op, causal=False)
        return [*new, replace(node, op=op, inputs=(*node.inputs[:3], mask.name))]

    rewritten = rewrite(graph, rule)
    return with_weights(rewritten, {**model.weights, **values})


def _mask_shape(node: Node, built: Mapping[str, Node]) -> tuple[int, ...]:
    queries, keys = (built[name].type.shape for name in node.inputs[:2])
    return (*(1 for _ in queries[:-2]), queries[-2], keys[-2])


def _combined(given: Node, causal: Node, location: Location, taken: set[str]) -> Node:
    """A boolean mask keeps where both do; a float mask becomes minus infinity where the causal one drops."""
    name = fresh_name(f"{given.name}.causal", taken)
    taken.add(name)
    if given.type.dtype is DType.BOOL:
        return apply_op(name, Elementwise("and", (None, None)), (given, causal), location)
    return apply_op(name, Elementwise("select", (None, None, -inf)), (causal, given), location)
