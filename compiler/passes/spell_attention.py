"""Write attention out as its two products and the softmax between, for targets whose products stand by themselves.

    p = softmax(scale * q @ k^T, masked)
    attention = (p / max p) @ v * max p        (the largest of each query's)

Weights that are spread over many keys are all small; taken relative to the largest they keep their digits when the
product is in integers.

A query that keeps no key is zero where attention is whole and not a number where it is spelled out: attention is left
whole unless every query of its mask is known to keep a key.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import replace
from math import inf

import numpy as np

from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops import Attention, Contract, Elementwise, Op, Reduce, Reshape, Softmax
from wsc.compiler.passes.rewrite import apply_op, rewrite, weight_key

_LETTERS = "abcdefghijklmn"


def can_spell(model: Model, node: Node) -> bool:
    """Whether an attention's mask is none, or known and leaves every query a key; causal flags are a pass before."""
    if not isinstance(node.op, Attention) or node.op.causal:
        return False
    if len(node.inputs) < 4:
        return True
    mask = model.graph[node.inputs[3]]
    values = model.weights.get(weight_key(mask)) if mask.is_weight else None
    if values is None:
        return False
    kept = values if values.dtype == np.bool_ else values > -inf
    return bool(kept.any(axis=-1).all())


def product_names(name: str) -> tuple[str, str]:
    """The names that the two products of an attention get."""
    return f"{name}.scores", f"{name}.mixed"


def products(graph: Graph, node: Node) -> tuple[Contract, Contract]:
    """The two products of an attention; leading dimensions of extent 1 in k or v are of the queries alone."""
    q, k, v = (graph[name].type for name in node.inputs[:3])
    lead = _LETTERS[: q.rank - 2]
    shared = {
        operand: "".join(c for c, n, m in zip(lead, type.shape, q.shape, strict=False) if n == m)
        for operand, type in (("k", k), ("v", v))
    }
    return (
        Contract(f"{lead}xz,{shared['k']}yz->{lead}xy"),
        Contract(f"{lead}xy,{shared['v']}yz->{lead}xz"),
    )


def own(operand: TensorType, queries: TensorType) -> TensorType:
    """The type of k or v without the leading dimensions that only queries have."""
    lead = zip(operand.shape[:-2], queries.shape[:-2], strict=True)
    return TensorType(operand.dtype, (*(n for n, m in lead if n == m), *operand.shape[-2:]))


def spell_attention(model: Model, names: Container[str]) -> Model:
    """The model with the attentions of these names as products and softmax; raises KeyError for a name without."""
    graph = model.graph

    def rule(node: Node, built: Mapping[str, Node]) -> list[Node]:
        if node.name not in names or not can_spell(model, graph[node.name]):
            return [node]
        return _spelled(graph, node, built)

    return replace(model, graph=rewrite(graph, rule))


def _spelled(graph: Graph, node: Node, built: Mapping[str, Node]) -> list[Node]:
    assert isinstance(node.op, Attention)
    first, second = products(graph, graph[node.name])
    scores_name, mixed_name = product_names(node.name)
    q, k, v = (built[name] for name in node.inputs[:3])
    nodes: list[Node] = []

    def add(name: str, op: Op, *operands: Node) -> Node:
        nodes.append(apply_op(name, op, operands, node.location))
        return nodes[-1]

    keys, values = (own(operand.type, q.type) for operand in (k, v))
    if keys != k.type:
        k = add(f"{node.name}.keys", Reshape(keys.shape), k)
    if values != v.type:
        v = add(f"{node.name}.values", Reshape(values.shape), v)
    scores = add(scores_name, first, q, k)
    scores = add(f"{node.name}.scaled", Elementwise("mul", (None, node.op.scale)), scores)
    if len(node.inputs) > 3:
        mask = built[node.inputs[3]]
        if mask.type.dtype.is_float:
            scores = add(f"{node.name}.masked", Elementwise("add", (None, None)), scores, mask)
        else:
            scores = add(f"{node.name}.masked", Elementwise("select", (None, None, -inf)), mask, scores)
    soft = add(f"{node.name}.softmax", Softmax(scores.type.rank - 1), scores)
    peak = add(f"{node.name}.peak", Reduce("max", (scores.type.rank - 1,), True), soft)
    relative = add(f"{node.name}.relative", Elementwise("div", (None, None)), soft, peak)
    mixed = add(mixed_name, second, relative, v)
    add(node.name, Elementwise("mul", (None, None)), mixed, peak)
    return nodes
