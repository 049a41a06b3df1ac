"""Take out what computes nothing: identities, chains of views, and expressions computed twice.

Models are written for readers and captured literally: views of views, casts to the type a tensor already has, the same
mask built in every layer. A target would pay for each in instructions and in memory. What a fused view leaves behind
unread is for `dead_code`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from wsc.compiler.ir.graph import Node
from wsc.compiler.ir.model import Model
from wsc.compiler.ops import Cast, Concat, Elementwise, Expand, Op, Pad, Permute, Reshape, Slice
from wsc.compiler.passes.rewrite import rewrite, with_weights

# Identities as soon as the type stays what it was. Not so a permute, which may swap equal extents.
_VIEWS = (Reshape, Slice, Expand, Cast, Concat, Pad)

# The scalar that changes nothing, for each function and each side it may stand on.
_NEUTRAL: dict[str, tuple[tuple[float | None, float | None], ...]] = {
    "add": ((None, 0), (0, None)),
    "sub": ((None, 0),),
    "mul": ((None, 1), (1, None)),
    "div": ((None, 1),),
    "pow": ((None, 1),),
}


def simplify(model: Model) -> Model:
    """The model with identities bypassed, consecutive views of one kind fused, and equal expressions shared."""
    seen: dict[tuple[object, ...], str] = {}

    def rule(node: Node, built: Mapping[str, Node]) -> list[Node] | str:
        node = _fused(node, built)
        if _is_identity(node, built):
            return node.inputs[0]
        # repr tells 1 from 1.0 and True, and 0.0 from -0.0, which compare equal.
        expression = (repr(node.op), node.inputs, node.type)
        shared = seen.setdefault(expression, node.name)
        return [node] if shared == node.name else shared

    return with_weights(rewrite(model.graph, rule), model.weights)


def _is_identity(node: Node, built: Mapping[str, Node]) -> bool:
    if len(node.inputs) != 1 or built[node.inputs[0]].type != node.type:
        return False
    match node.op:
        case Permute(order):
            return order == tuple(range(len(order)))
        case Elementwise("copy"):
            return True
        case Elementwise(fn, scalars):
            return scalars in _NEUTRAL.get(fn, ())
        case op:
            return isinstance(op, _VIEWS)


def _fused(node: Node, built: Mapping[str, Node]) -> Node:
    """The node reading past every view before it that its own view can take in."""
    while len(node.inputs) == 1:
        before = built[node.inputs[0]]
        op = _fused_op(before.op, node)
        if op is None:
            break
        node = replace(node, op=op, inputs=before.inputs)
    return node


def _fused_op(before: Op, node: Node) -> Op | None:
    """One op that does what `before` and then the node's op do, if there is one."""
    shape = node.type.shape
    match before, node.op:
        case Reshape(_, first), Reshape(_, second):
            return Reshape(shape[min(first, second) :], min(first, second))
        case Expand(_, first), Expand(_, second):
            return Expand(shape[min(first, second) :], min(first, second))
        case Permute(inner), Permute(outer):
            return Permute(tuple(inner[d] for d in outer))
        case Slice() as inner, Slice() as outer if inner.dim == outer.dim:
            return _fused_slice(inner, outer, shape[outer.dim])
    return None


def _fused_slice(first: Slice, second: Slice, extent: int) -> Slice:
    start = first.start + second.start * first.step
    step = first.step * second.step
    return Slice(first.dim, start, start + (extent - 1) * step + 1 if extent else start, step)
