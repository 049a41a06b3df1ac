"""Put back together what models spell out: attention, and norms by the root of the mean square.

Many models write `softmax(q @ k^T * scale + mask) @ v` and `x * rsqrt(mean(x * x) + eps)` themselves. A target spreads
the whole better than its parts, so these are found by their shape in the graph, whatever the module was called. Nothing
is assumed that the graph does not say: every value in between is read by the pattern alone, and types stay.

A query that keeps no key is not a number where attention is spelled out, and zero where it is whole. Attention is
found where both products run over one matrix each and share all other dimensions in order; a norm where the mean is
over dimensions that stay, in the type in which the whole is computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf

from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ir.model import Model
from wsc.compiler.ops import Attention, Contract, Elementwise, Expand, Norm, Op, Permute, Reduce, Softmax
from wsc.compiler.passes.dead_code import dead_code
from wsc.compiler.passes.rewrite import apply_op, fresh_name, rewrite


def recognise(model: Model) -> Model:
    """The model with attentions and norms that were spelled out as one node each."""
    graph = model.graph
    leaving = set(graph.outputs)
    private = frozenset(
        name for name, users in graph.users.items() if len(users) == 1 and name not in leaving
    )
    taken = {node.name for node in graph.nodes}

    def rule(node: Node, built: Mapping[str, Node]) -> list[Node]:
        found = _norm(node, graph, built) or _attention(node, built, private, taken)
        return found or [node]

    return dead_code(replace(model, graph=rewrite(graph, rule)))


def _norm(node: Node, graph: Graph, built: Mapping[str, Node]) -> list[Node] | None:
    """x * rsqrt(mean(x * x) + eps) as a norm."""
    for x, factor in _both_ways(node, "mul"):
        root = built[factor]
        if not _is(root, "rsqrt"):
            continue
        shifted = built[root.inputs[0]]
        eps = _constant(shifted, "add")
        if eps is None:
            continue
        mean = built[shifted.inputs[0]]
        if not isinstance(mean.op, Reduce) or mean.op.fn != "mean" or not mean.op.keep:
            continue
        if not _is_square(built[mean.inputs[0]], x) or built[x].type != node.type:
            continue
        return [replace(node, op=Norm("rms", mean.op.dims, float(eps)), inputs=(x,))]
    return None


def _is_square(node: Node, x: str) -> bool:
    if node.op == Elementwise("pow", (None, 2)):
        return node.inputs == (x,)
    return node.op == Elementwise("mul", (None, None)) and node.inputs == (x, x)


def _both_ways(node: Node, fn: str) -> list[tuple[str, str]]:
    """The operands of a binary function over two tensors, in both orders."""
    if node.op != Elementwise(fn, (None, None)):
        return []
    first, second = node.inputs
    return [(first, second), (second, first)]


def _is(node: Node, fn: str) -> bool:
    return node.op == Elementwise(fn)


def _constant(node: Node, *functions: str) -> float | None:
    """The number that a node adds to, or multiplies, its one operand by; None if it does not."""
    if not isinstance(node.op, Elementwise) or node.op.fn not in functions or len(node.inputs) != 1:
        return None
    numbers = [s for s in node.op.scalars if s is not None]
    if len(numbers) != 1 or (node.op.fn == "div" and node.op.scalars[0] is not None):
        return None
    return float(numbers[0])


def _attention(
    node: Node, built: Mapping[str, Node], private: frozenset[str], taken: set[str]
) -> list[Node] | None:
    """softmax(q @ k^T * scale, masked) @ v."""
    soft = _product(node, built)
    if soft is None or soft not in private or not isinstance(built[soft].op, Softmax):
        return None
    op = built[soft].op
    assert isinstance(op, Softmax)
    if op.log or op.dim != node.type.rank - 1:
        return None
    scores, scale, mask = _scores(built[soft].inputs[0], built, private)
    if scores is None:
        return None
    q, k_turned = (built[name] for name in scores.inputs)
    order = (*range(node.type.rank - 2), node.type.rank - 1, node.type.rank - 2)
    keys = _named(f"{node.name}.keys", Permute(order), k_turned, node, taken)
    masks = _mask(built[mask.name], mask.drops, scores, node, taken) if mask else []
    operands = [q, keys, built[node.inputs[1]], *masks[-1:]]
    try:
        attention = apply_op(node.name, Attention(scale), operands, node.location)
    except ValueError:
        return None
    new = [made for made in masks if made.name not in built]
    return [keys, *new, attention] if attention.type == node.type else None


@dataclass(frozen=True)
class _Mask:
    """A mask's node; `drops` where it is true for what is left out."""

    name: str
    drops: bool = False


def _mask(given: Node, drops: bool, scores: Node, at: Node, taken: set[str]) -> list[Node]:
    """The mask as attention takes it: true for what is kept, with the last two extents of the scores."""
    nodes = [given]
    if drops:
        nodes.append(_named(f"{at.name}.kept", Elementwise("not"), given, at, taken))
    shape = (*given.type.shape[:-2], *scores.type.shape[-2:])
    if given.type.shape != shape:
        nodes.append(_named(f"{at.name}.mask", Expand(shape), nodes[-1], at, taken))
    return nodes


def _named(wish: str, op: Op, operand: Node, at: Node, taken: set[str]) -> Node:
    name = fresh_name(wish, taken)
    taken.add(name)
    return apply_op(name, op, [operand], at.location)


def _product(node: Node, built: Mapping[str, Node]) -> str | None:
    """The left operand of a plain product of matrices, alike in every leading dimension."""
    if not isinstance(node.op, Contract) or node.op.windows or node.type.rank < 2:
        return None
    lhs, rhs, out = node.op.letters
    if len(lhs) < 2:
        return None
    batch, rows, inner = lhs[:-2], lhs[-2], lhs[-1]
    plain = rhs[:-1] == batch + inner and out[:-1] == batch + rows and len(out) == len(rhs)
    return node.inputs[0] if plain and out[-1] == rhs[-1] else None


def _scores(
    name: str, built: Mapping[str, Node], private: frozenset[str]
) -> tuple[Node | None, float, _Mask | None]:
    """The product behind scores, what scales it, and the mask, if there is one."""
    scale = 1.0
    mask: _Mask | None = None
    for _ in range(3):
        node = built[name]
        if name not in private:
            break
        if _product(node, built) is not None:
            return node, scale, mask
        if (factor := _constant(node, "mul", "div")) is not None and factor != 0:
            assert isinstance(node.op, Elementwise)
            scale *= factor if node.op.fn == "mul" else 1 / factor
            name = node.inputs[0]
        elif mask is None and scale == 1.0 and (found := _masked(node, built)):
            name, mask = found
        else:
            break
    return None, scale, mask


def _masked(node: Node, built: Mapping[str, Node]) -> tuple[str, _Mask] | None:
    """Scores and mask, where a node adds a mask or puts minus infinity in the place of what it drops."""
    first, second = node.inputs if len(node.inputs) == 2 else ("", "")
    match node.op:
        case Elementwise("add", (None, None)):  # the mask is the one that broadcasts, or the second
            turned = built[first].type != node.type
            return (second, _Mask(first)) if turned else (first, _Mask(second))
        case Elementwise("select", (None, None, drop)) if drop == -inf:
            return second, _Mask(first)
        case Elementwise("select", (None, drop, None)) if drop == -inf:
            return second, _Mask(first, drops=True)
    return None
