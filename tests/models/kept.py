"""What a graph keeps whole, counted: kinds of nodes and parts, and of attention its queries and masks."""

from collections import Counter

import numpy as np

from benchmarks.models import kept_whole
from wsc.compiler.ir.graph import Node
from wsc.compiler.ir.model import Model
from wsc.compiler.ops import Attention, Constant, Expand, Parameter, Reshape


def told(model: Model) -> str:
    """As `3 attention, 7 norm; 3 grouped queries, 3 causal`."""
    graph = model.graph
    attentions = [node for node in graph if isinstance(node.op, Attention)]
    found = Counter(kind for node in attentions for kind in _kinds(node, model))
    more = ", ".join(f"{count} {kind}" for kind, count in sorted(found.items()))
    return "; ".join(filter(None, (kept_whole(graph), more)))


def _kinds(node: Node, model: Model) -> list[str]:
    q, k, _, *mask = (model.graph[name] for name in node.inputs)
    kinds = ["grouped queries"] if q.type.shape[:-2] != k.type.shape[:-2] else []
    return [*kinds, _mask(mask[0], model)] if mask else kinds


def _mask(node: Node, model: Model) -> str:
    """What kind of mask it is; "mask" for one that is computed."""
    while isinstance(node.op, Expand | Reshape):
        (name,) = node.inputs
        node = model.graph[name]
    learnt = isinstance(node.op, Parameter) and node.type.dtype.is_float
    if learnt or not isinstance(node.op, Constant | Parameter):
        return "mask"
    values = model.weights[node.op.key].reshape(-1, *node.type.shape[-2:])[0]
    kept = values if values.dtype == np.bool_ else values == 0
    lower = np.tri(*kept.shape, dtype=np.bool_)
    if kept.all():
        return "open"
    if np.array_equal(kept, lower):
        return "causal"
    window = int(kept.sum(1).max())
    return (
        "sliding" if np.array_equal(kept, lower & ~np.tri(*kept.shape, k=-window, dtype=np.bool_)) else "mask"
    )
