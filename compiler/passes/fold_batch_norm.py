"""Fold a factor per output channel into the weight of the contraction before it.

At inference a batch norm is `y * factor + shift` with a factor and a shift per channel. `(x @ w + b) * factor` is
`x @ (w * factor) + b * factor`, equal up to the rounding of the element type: one pass over the activations less. The
new products are over weights alone, so `hoist_weights` computes them; the additions stay.

Left alone: a contraction or a sum that something else reads, and a weight that several ops share, which would have to
be stored once for each.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace

from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops import Contract, Elementwise, Permute, Reshape
from wsc.compiler.passes.rewrite import apply_op, fresh_name, rewrite, weight_only, with_weights


def fold_batch_norm(model: Model) -> Model:
    """The model with factors per output channel multiplied into weights."""
    graph = model.graph
    while folds := _find(graph):
        graph = _fold_all(graph, folds)
    return with_weights(graph, model.weights)


@dataclass(frozen=True)
class _Fold:
    """`scale` multiplies (or divides) what `contract` gives, after the sums `shifts` (nearest first), by `factor`."""

    scale: Node
    factor: str
    shifts: tuple[Node, ...]
    contract: Node
    weight: str


def _find(graph: Graph) -> dict[str, _Fold]:
    """Every fold that is possible now, by the name of its scale; no two share a node."""
    weights = weight_only(graph)
    found = (_match(graph, node, weights) for node in graph.nodes)
    return {fold.scale.name: fold for fold in found if fold}


def _match(graph: Graph, scale: Node, weights: Set[str]) -> _Fold | None:
    sides = _sides(scale, ("mul", "div"), weights)
    if sides is None or not scale.type.dtype.is_float:
        return None
    below, factor = graph[sides[0]], sides[1]
    shifts: list[Node] = []
    while _is_private(graph, below, scale.type):
        if isinstance(below.op, Contract):
            weight = _foldable_weight(graph, below, graph[factor].type, weights)
            return _Fold(scale, factor, tuple(reversed(shifts)), below, weight) if weight else None
        sides = _sides(below, ("add", "sub"), weights)
        if sides is None:
            return None
        shifts.append(below)
        below = graph[sides[0]]
    return None


def _sides(node: Node, functions: tuple[str, ...], weights: Set[str]) -> tuple[str, str] | None:
    """The operand computed from inputs and the one over weights, if the node is `moving fn weight`."""
    if not isinstance(node.op, Elementwise) or node.op.fn not in functions or len(node.inputs) != 2:
        return None
    left, right = node.inputs
    if left in weights and node.op.fn in ("add", "mul"):
        left, right = right, left
    return (left, right) if right in weights and left not in weights else None


def _is_private(graph: Graph, node: Node, result: TensorType) -> bool:
    """Whether one node alone reads it, and reads every element once."""
    return node.type == result and _has_one_reader(graph, node.name)


def _foldable_weight(graph: Graph, contract: Node, factor: TensorType, weights: Set[str]) -> str | None:
    """The operand of the contraction that has every dimension along which the factor varies."""
    assert isinstance(contract.op, Contract)
    varying = set(_varying(contract.op, factor))
    slid = {letter for letter, *_ in contract.op.windows}
    for side, name in enumerate(contract.inputs):
        letters = set(contract.op.letters[side]) - (slid if side == 0 else set())
        if name in weights and _is_unshared(graph, name) and varying <= letters:
            return name
    return None


def _is_unshared(graph: Graph, name: str) -> bool:
    """Whether the weight, and what it is a view or a multiple of, has one reader."""
    size = graph[name].type.elements
    below = [operand for operand in graph[name].inputs if graph[operand].type.elements == size]
    return _has_one_reader(graph, name) and all(_is_unshared(graph, operand) for operand in below)


def _has_one_reader(graph: Graph, name: str) -> bool:
    return len(graph.users[name]) == 1 and name not in graph.outputs


def _varying(op: Contract, factor: TensorType) -> str:
    """Letters of the result along which the factor is not constant, in the result's order."""
    return "".join(c for c, extent in zip(op.letters[2], factor.shape, strict=True) if extent != 1)


def _fold_all(graph: Graph, folds: Mapping[str, _Fold]) -> Graph:
    moved = {node.name for fold in folds.values() for node in (fold.contract, *fold.shifts)}
    held: dict[str, Node] = {}
    taken = {node.name for node in graph.nodes}

    def rule(node: Node, built: Mapping[str, Node]) -> list[Node]:
        if node.name in moved:  # rebuilt at its scale, for the factor may come later than the contraction
            held[node.name] = node
            return []
        if node.name not in folds:
            return [node]
        fold = folds[node.name]
        return _folded(replace(fold, contract=held[fold.contract.name]), built, taken)

    return rewrite(graph, rule)


def _folded(fold: _Fold, built: Mapping[str, Node], taken: set[str]) -> list[Node]:
    """The nodes that take the place of the fold's; contraction and sums keep their names."""
    nodes = _aligned(fold, built, taken)
    factor = nodes[-1]
    weight = _scaled(fold, built[fold.weight], factor, f"{fold.contract.name}.weight", taken)
    nodes += [weight, _reading(fold.contract, fold.weight, weight)]
    for shift in fold.shifts:
        old = next(name for name in shift.inputs if name in built)
        new = _scaled(fold, built[old], built[fold.factor], f"{shift.name}.shift", taken)
        nodes += [new, _reading(shift, old, new)]
    return nodes


def _aligned(fold: _Fold, built: Mapping[str, Node], taken: set[str]) -> list[Node]:
    """Views that bring the factor into the layout of the weight, the last one broadcasting against it."""
    op, factor = fold.contract.op, built[fold.factor]
    assert isinstance(op, Contract)
    letters = op.letters[fold.contract.inputs.index(fold.weight)]
    varying = _varying(op, factor.type)
    extents = dict(zip(op.letters[2], factor.type.shape, strict=True))
    order = tuple(varying.index(c) for c in letters if c in varying)
    steps = (
        Reshape(tuple(extents[c] for c in varying)),
        Permute(order),
        Reshape(tuple(extents[c] if c in varying else 1 for c in letters)),
    )
    nodes = [factor]
    for step in steps:
        name = fresh_name(f"{fold.contract.name}.factor", taken)
        taken.add(name)
        nodes.append(apply_op(name, step, nodes[-1:], fold.scale.location))
    return nodes[1:]


def _scaled(fold: _Fold, value: Node, factor: Node, wish: str, taken: set[str]) -> Node:
    name = fresh_name(wish, taken)
    taken.add(name)
    assert isinstance(fold.scale.op, Elementwise)
    op = Elementwise(fold.scale.op.fn, (None, None))
    return apply_op(name, op, (value, factor), fold.scale.location)


def _reading(node: Node, old: str, new: Node) -> Node:
    return replace(node, inputs=tuple(new.name if name == old else name for name in node.inputs))
