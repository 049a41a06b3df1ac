"""Take models that were quantised elsewhere as they are: products of what integers stand for become integer products.

    contract((q - a) * s, (p - b) * t)  =  (contract_int(q, p - b) - a * sum(p - b)) * (s * t)

q are 8-bit activations, signed or not, with one zero point a and one step s; p are the integers of a weight with a zero
point and a step for each output channel. Shapes may be moved about in between. What zero points add is known when
compiling: one number for each output channel, or for each place where a window walks over padding. Sums stay integers
until then, so that nothing is rounded but where the model rounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.ops import (
    Cast,
    Contract,
    Elementwise,
    Expand,
    IntegerContract,
    Op,
    Parameter,
    Permute,
    Reshape,
    Slice,
)
from wsc.compiler.ops.base import Array
from wsc.compiler.passes.dead_code import dead_code
from wsc.compiler.passes.rewrite import apply_op, rewrite, weight_key, weight_only, with_weights

_MOVES = (Reshape, Permute, Slice, Expand)
_NARROW = (DType.I8, DType.U8)


@dataclass(frozen=True)
class _Stood:
    """(integers - offset) * scale, moved by `moves` in order; offset and scale are numbers, or nodes over weights."""

    integers: Node
    offset: float | Node
    scale: float | Node
    moves: tuple[Node, ...]


def stored_integers(model: Model) -> Model:
    """The model with products of dequantised activations by dequantised weights in integers."""
    graph = model.graph
    fixed = weight_only(graph)
    known = fixed - _below_missing(model)
    weights = dict(model.weights)
    found: dict[str, tuple[_Stood, _Grid]] = {}
    for node in graph:
        if type(node.op) is Contract and (pair := _pair(graph, node, fixed, known, model)):
            found[node.name] = pair

    def rule(node: Node, built: Mapping[str, Node]) -> list[Node]:
        if node.name not in found:
            return [node]
        return _integer_form(graph[node.name], *found[node.name], built, weights)

    if not found:
        return model
    return dead_code(with_weights(rewrite(graph, rule), weights))


@dataclass(frozen=True)
class _Grid:
    """A weight as its operand's letters see it: `integers` less their zero points, and `steps` that broadcast."""

    source: Node | None  # where the integers are a weight's own
    key: str
    integers: Array
    steps: Array


def _pair(
    graph: Graph, node: Node, fixed: frozenset[str], known: frozenset[str], model: Model
) -> tuple[_Stood, _Grid] | None:
    """What both operands of a contraction stand for; None where it is no product of integers."""
    left, right = node.inputs
    activation = None if left in fixed else _stood(graph, left)
    weight = _stood(graph, right) if right in known else None
    if activation is None or weight is None or activation.integers.type.dtype not in _NARROW:
        return None
    if isinstance(activation.offset, Node) or isinstance(activation.scale, Node):
        return None
    if not float(activation.offset).is_integer():
        return None
    grid = _grid(graph, node, weight, model)
    return None if grid is None else (activation, grid)


def _stood(graph: Graph, name: str) -> _Stood | None:
    moves: list[Node] = []
    node = graph[name]
    while isinstance(node.op, _MOVES):
        moves.append(node)
        node = graph[node.inputs[0]]
    scaled = _by(graph, node, "mul")
    if scaled is None:
        return None
    inner, scale = scaled
    shifted = _by(graph, inner, "sub")
    integers, offset = shifted or (inner, 0.0)
    if not isinstance(integers.op, Cast) or not integers.type.dtype.is_float:
        return None
    source = graph[integers.inputs[0]]
    if not source.type.dtype.is_integer:
        return None
    return _Stood(source, offset, scale, tuple(reversed(moves)))


def _by(graph: Graph, node: Node, fn: str) -> tuple[Node, float | Node] | None:
    """What a node applies `fn` to, and its second operand, a number or a node."""
    if not isinstance(node.op, Elementwise) or node.op.fn != fn or node.op.scalars[0] is not None:
        return None
    number = node.op.scalars[1]
    first = graph[node.inputs[0]]
    return first, graph[node.inputs[1]] if number is None else float(number)


def _grid(graph: Graph, node: Node, weight: _Stood, model: Model) -> _Grid | None:
    """The integers and steps of a weight; None where steps differ along what is summed."""
    assert isinstance(node.op, Contract)
    stored = _value(model, weight.integers)
    integers = stored.astype(np.int64) - np.rint(_value(model, weight.offset)).astype(np.int64)
    steps = np.broadcast_to(np.asarray(_value(model, weight.scale), np.float32), stored.shape)
    for move in weight.moves:
        integers, steps = move.op.reference([integers]), move.op.reference([steps])
    _, right, out = node.op.letters
    summed = tuple(i for i, letter in enumerate(right) if letter not in out)
    least, most = steps.min(axis=summed, keepdims=True), steps.max(axis=summed, keepdims=True)
    largest = int(np.abs(integers).max(initial=0))
    if not np.array_equal(least, most) or largest > 2**15 - 1:
        return None
    narrow = integers.min(initial=0) >= -(2**7) and integers.max(initial=0) < 2**7
    own = weight.integers if _is_itself(weight, stored, integers) else None
    kept = integers.astype(np.int8 if narrow else np.int16)
    key = weight_key(own) if own else f"{node.name}.integers"
    return _Grid(own, key, kept, least)


def _is_itself(weight: _Stood, stored: Array, integers: Array) -> bool:
    plain = isinstance(weight.integers.op, Parameter) and not weight.moves and stored.dtype == np.int8
    return plain and np.array_equal(stored, integers)


def _value(model: Model, what: float | Node) -> Array:
    """The value of a number, or of a node over weights whose bytes are there."""
    if not isinstance(what, Node):
        return np.asarray(what)
    needed = weight_only(model.graph)
    nodes = tuple(node for node in model.graph if node.name in needed)
    part = dead_code(Model(Graph("weights", nodes, (what.name,)), model.weights))
    return interpret(part.graph, (), part.weights)[0]


def _below_missing(model: Model) -> frozenset[str]:
    """Nodes that depend on weights without bytes."""
    found = {n.name for n in model.graph.weights if weight_key(n) not in model.weights}
    for node in model.graph:
        if not found.isdisjoint(node.inputs):
            found.add(node.name)
    return frozenset(found)


def _integer_form(
    node: Node, activation: _Stood, grid: _Grid, built: Mapping[str, Node], weights: dict[str, Array]
) -> list[Node]:
    """The nodes that stand for a contraction; the last one has its name and type."""
    assert isinstance(node.op, Contract)
    fresh: list[Node] = []

    def add(name: str, op: Op, *operands: Node) -> Node:
        fresh.append(apply_op(name, op, operands, node.location))
        return fresh[-1]

    def stored(name: str, array: Array) -> Node:
        weights[name] = array
        type = TensorType(DType(_NAMES[array.dtype.name]), array.shape)
        fresh.append(Node(name, Parameter(name), (), type, node.location))
        return fresh[-1]

    vectors = built[activation.integers.name]
    for number, move in enumerate(activation.moves):
        vectors = add(f"{node.name}.vectors.{number}", move.op, vectors)
    matrix = built[grid.source.name] if grid.source else stored(grid.key, grid.integers)
    product = add(f"{node.name}.int", IntegerContract(node.op.equation, node.op.windows), vectors, matrix)
    assert isinstance(activation.offset, float)
    assert isinstance(activation.scale, float)
    if activation.offset:
        shift = _shift(node.op, vectors.type.shape, grid.integers, int(activation.offset))
        stored_shift = stored(f"{node.name}.shift", shift.astype(product.type.dtype.numpy))
        product = add(f"{node.name}.shifted", Elementwise("sub", (None, None)), product, stored_shift)
    floats = add(f"{node.name}.cast", Cast("f32"), product)
    steps = stored(f"{node.name}.steps", _over_result(node.op, grid.steps) * np.float32(activation.scale))
    scaled = add(f"{node.name}.scaled", Elementwise("mul", (None, None)), floats, steps)
    if scaled.type == node.type:
        fresh[-1] = replace(scaled, name=node.name)
    else:
        add(node.name, Cast(node.type.dtype.value), scaled)
    return fresh


_NAMES = {"int8": "i8", "int16": "i16", "int32": "i32", "int64": "i64", "float32": "f32"}


def _shift(op: Contract, shape: tuple[int, ...], integers: Array, offset: int) -> Array:
    """What the zero point adds to each place of the result: 1 where places are alike. Padding adds nothing."""
    left, right, out = op.letters
    windows = {letter: (taps, rest) for letter, taps, *rest in op.windows}
    extents = []
    for letter, extent in zip(left, shape, strict=True):
        if letter in windows:
            taps, (_, dilation, lo, hi) = windows[letter]
            span = dilation * (integers.shape[right.index(taps)] - 1) + 1
            extents.append(extent if lo or hi else span)
        else:
            extents.append(extent if letter in right else 1)
    sums = op.reference([np.full(extents, float(offset)), integers.astype(np.float64)])
    # A letter of the result that windows do not walk has one extent; the others broadcast.
    assert sums.ndim == len(out)
    return np.rint(sums)


def _over_result(op: Contract, steps: Array) -> Array:
    """Steps [1 where summed] in the order and rank of the result."""
    _, right, out = op.letters
    kept = [letter for letter in out if letter in right]
    moved = steps.transpose(
        [*(right.index(c) for c in kept), *(i for i, c in enumerate(right) if c not in out)]
    )
    extents = dict(zip(right, steps.shape, strict=True))
    shape = tuple(extents.get(letter, 1) if letter in right else 1 for letter in out)
    assert prod(shape) == moved.size
    return np.ascontiguousarray(moved.reshape(shape), np.float32)
