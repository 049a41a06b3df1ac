"""Let attention with grouped queries read each key and value once.

Models write the sharing of keys by several heads as `expand` and `reshape` to as many heads as there are queries.
Attention takes queries in groups that share keys as they are (see `Attention`): what a cache holds is then stored,
moved and read once, not once for every head of a group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from wsc.compiler.ir.graph import Node
from wsc.compiler.ir.model import Model
from wsc.compiler.ops import Attention, Expand, Reshape
from wsc.compiler.passes.dead_code import dead_code
from wsc.compiler.passes.rewrite import apply_op, fresh_name, rewrite


def group_queries(model: Model) -> Model:
    """The model with attention over shared keys and values in place of attention over their copies."""
    taken = {node.name for node in model.graph.nodes}
    masks: dict[tuple[str, tuple[int, ...]], str] = {}  # layers share the mask that they shared before

    def reshaped(wish: str, operand: Node, shape: tuple[int, ...]) -> Node:
        name = fresh_name(wish, taken)
        taken.add(name)
        return apply_op(name, Reshape(shape), [operand], operand.location)

    def rule(node: Node, built: Mapping[str, Node]) -> list[Node]:
        shared = _shared(node, built)
        if shared is None:
            return [node]
        q, mask = built[node.inputs[0]], [built[name] for name in node.inputs[3:]]
        new = [reshaped(f"{node.name}.queries", q, shared.split(q.type.shape))]
        operands = [new[0], built[shared.keys], built[shared.values]]
        for given in mask:
            key = (given.name, shared.split(given.type.shape))
            if key not in masks:
                new.append(reshaped(f"{given.name}.grouped", given, key[1]))
                masks[key] = new[-1].name
            operands.append(built.get(masks[key]) or new[-1])
        name = fresh_name(f"{node.name}.attention", taken)
        taken.add(name)
        whole = apply_op(name, node.op, operands, node.location)
        return [*new, whole, replace(node, op=Reshape(node.type.shape), inputs=(name,))]

    return dead_code(replace(model, graph=rewrite(model.graph, rule)))


@dataclass(frozen=True)
class _Shared:
    """Names of keys and values as they are shared, [..., groups, 1, t, d], and how heads split into groups."""

    keys: str
    values: str
    groups: int
    heads: int  # of a group

    def split(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """A shape with the heads' dimension in two."""
        *lead, own, rows, columns = shape
        return (*lead, *((1, 1) if own == 1 else (self.groups, self.heads)), rows, columns)


def _shared(node: Node, built: Mapping[str, Node]) -> _Shared | None:
    """What the keys and values of an attention are copies of, where both are copied alike."""
    if not isinstance(node.op, Attention) or node.type.rank < 3:
        return None
    keys, values = (_copied(built[name], built) for name in node.inputs[1:3])
    if keys is None or values is None:
        return None
    (k, groups, heads), (v, *alike) = keys, values
    fits = [groups, heads] == alike and groups * heads == node.type.shape[-3]
    return _Shared(k, v, groups, heads) if fits else None


def _copied(node: Node, built: Mapping[str, Node]) -> tuple[str, int, int] | None:
    """What [..., groups * heads, t, d] repeats for every head of a group, groups, and heads of a group."""
    if not isinstance(node.op, Reshape):
        return None
    wide = built[node.inputs[0]]
    if not isinstance(wide.op, Expand) or wide.type.rank != node.type.rank + 1:
        return None
    *lead, groups, heads, rows, columns = wide.type.shape
    narrow = built[wide.inputs[0]]
    if heads == 1 or narrow.type.shape != (*lead, groups, 1, rows, columns):
        return None
    return (narrow.name, groups, heads) if node.type.shape == (*lead, groups * heads, rows, columns) else None
