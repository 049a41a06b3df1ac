"""Post-training quantisation: contractions by a weight compute in integers, everything else stays as it is.

A weight gets one scale for each of its output channels, from the largest magnitude in the channel; an activation one
scale, calibrated on example inputs. Both grids are symmetric, so that no correction terms arise:

    x @ w  ~  (quantize(x) @ quantize(w)) * (scale of x * scale of w)

An activation that is quantised for a product is read quantised by everything else too (residual sums among it), so
that it is kept and moved in integers alone. Products of two activations keep their type, but for those that a target
asks for by name: then both operands have a scale of their own. Without example inputs or without bytes of weights the
structure is made all the same, with scales of 1 and weights without bytes: such a model can be planned and simulated,
and not run.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from wsc.compiler.errors import UserError
from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.ops import Cast, Constant, Contract, Elementwise, IntegerContract, Op, Parameter, Quantize
from wsc.compiler.ops.base import Array
from wsc.compiler.ops.quantized import on_grid
from wsc.compiler.passes.dead_code import dead_code
from wsc.compiler.passes.rewrite import apply_op, fresh_name, rewrite, weight_key, with_weights

BITS = {"int8": 8, "int16": 16}
_SAMPLE = 1 << 16  # elements of an activation that a clipping range is sought on
_CLIPS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)  # of the largest magnitude


@dataclass(frozen=True)
class Precision:
    """Bits of weights and of activations; raises UserError outside 2..16."""

    weight_bits: int
    activation_bits: int

    def __post_init__(self) -> None:
        if not all(2 <= bits <= 16 for bits in (self.weight_bits, self.activation_bits)):
            raise UserError(
                f"Weights and activations are quantised to 2 to 16 bits, not {self.weight_bits} and "
                f"{self.activation_bits}."
            )


def precision_named(name: str) -> Precision:
    """The precision of `--dtype`; raises UserError for a name that there is not."""
    if name not in BITS:
        raise UserError(f"There is no element type '{name}' to quantise to. There are {' and '.join(BITS)}.")
    return Precision(BITS[name], BITS[name])


def quantize(
    model: Model,
    precision: Precision,
    samples: Sequence[Sequence[Array]] = (),
    *,
    clip: bool = True,
    activations: Container[str] = (),
) -> Model:
    """The model with every contraction of an activation by a weight in integers.

    `samples` are sets of inputs to calibrate on; `clip` lets a range cut off outliers where that lowers the squared
    error. `activations` names contractions of two activations that are to be in integers too. Doubles are left alone.
    """
    found = [
        node
        for node in model.graph
        if _is_candidate(model.graph, node)
        or (node.name in activations and is_product_of_activations(model.graph, node))
    ]
    ranges = _Ranges.of(model, found, samples, precision.activation_bits, clip)
    return _rewrite(model, {node.name for node in found}, ranges, precision)


def float_contractions(graph: Graph) -> tuple[Node, ...]:
    """The nodes that `quantize` would turn to integers."""
    return tuple(node for node in graph if _is_candidate(graph, node))


def _is_candidate(graph: Graph, node: Node) -> bool:
    if type(node.op) is not Contract or node.type.dtype in (DType.F64,) or not node.type.dtype.is_float:
        return False
    activation, weight = (graph[name] for name in node.inputs)
    return weight.is_weight and not activation.is_weight


def is_product_of_activations(graph: Graph, node: Node) -> bool:
    """Whether a node contracts two activations in floating point that may be quantised."""
    if type(node.op) is not Contract or node.type.dtype is DType.F64 or not node.type.dtype.is_float:
        return False
    return not any(graph[name].is_weight for name in node.inputs)


@dataclass(frozen=True)
class _Ranges:
    """The step of each activation's grid, by name."""

    steps: Mapping[str, float]

    @staticmethod
    def of(
        model: Model, found: list[Node], samples: Sequence[Sequence[Array]], bits: int, clip: bool
    ) -> _Ranges:
        read = (name for node in found for name in node.inputs if not model.graph[name].is_weight)
        names = tuple(dict.fromkeys(read))
        if not names or not samples or model.missing_weights():
            return _Ranges(dict.fromkeys(names, 1.0))
        observed = replace(model.graph, outputs=names, state=())
        steps = dict.fromkeys(names, 0.0)
        for inputs in samples:
            with np.errstate(all="ignore"):  # what overflows is told below
                values = interpret(observed, inputs, model.weights)
            for name, array in zip(names, values, strict=True):
                steps[name] = max(steps[name], _step(array, bits, clip))
        return _Ranges({name: step or 1.0 for name, step in steps.items()})


def _step(array: Array, bits: int, clip: bool) -> float:
    """The step of a grid that suits the array: 0 for nothing but zeros."""
    top: int = 2 ** (bits - 1) - 1
    values = array.ravel().astype(np.float32)
    largest = float(np.abs(values).max(initial=0.0))
    if not np.isfinite(largest):
        raise UserError(
            "The model computes infinities or no numbers for its example inputs: it cannot be calibrated."
        )
    if not clip or bits > 8 or not largest:
        return largest / top
    sample = values[:: max(1, values.size // _SAMPLE)]

    def error(fraction: float) -> float:
        step = np.float32(largest * fraction / top)
        return float(np.square(on_grid(sample, step, bits) * step - sample).sum())

    return largest * min(_CLIPS, key=error) / top


def _rewrite(model: Model, found: set[str], ranges: _Ranges, precision: Precision) -> Model:
    weights = dict(model.weights)
    made: dict[tuple[str, int], Node] = {}

    kept = set(model.graph.outputs)

    def rule(node: Node, built: Mapping[str, Node]) -> list[Node] | str:
        if node.name not in found or not isinstance(node.op, Contract):
            return _reading_integers(node, built, made, precision) if node.name not in kept else [node]
        # The node may read renamed nodes; ranges go by the names of the graph as it was.
        before = model.graph[node.name].inputs
        steps = [ranges.steps[name] for name in before if name in ranges.steps]
        return _integer_form(node, built, steps, precision, weights, made)

    return dead_code(with_weights(rewrite(model.graph, rule), weights))


def _reading_integers(
    node: Node, built: Mapping[str, Node], made: Mapping[tuple[str, int], Node], precision: Precision
) -> list[Node]:
    """The node, its operands taken from the integers that a product before it reads; what follows shares them."""
    if not isinstance(node.op, Elementwise):
        return [node]
    fresh: list[Node] = []
    operands = list(node.inputs)
    for place, name in enumerate(node.inputs):
        integers = made.get((name, precision.activation_bits))
        if integers is None:
            continue
        assert isinstance(integers.op, Quantize)
        floats = apply_op(
            f"{node.name}.{place}.floats", Cast(built[name].type.dtype.value), [integers], node.location
        )
        op = Elementwise("mul", (None, integers.op.scale))
        scaled = apply_op(f"{node.name}.{place}.dequantised", op, [floats], node.location)
        fresh += [floats, scaled]
        operands[place] = scaled.name
    return [*fresh, replace(node, inputs=tuple(operands))]


def _integer_form(
    node: Node,
    built: Mapping[str, Node],
    steps: Sequence[float],
    precision: Precision,
    weights: dict[str, Array],
    made: dict[tuple[str, int], Node],
) -> list[Node]:
    """The nodes that stand for a contraction, `steps` those of its activations; the last has its name and type."""
    assert isinstance(node.op, Contract)
    fresh: list[Node] = []

    def add(name: str, op: Op, *operands: Node) -> Node:
        fresh.append(apply_op(name, op, operands, node.location))
        return fresh[-1]

    bits = precision.activation_bits
    activations = [built[name] for name in node.inputs if not built[name].is_weight]
    for activation, step in zip(activations, steps, strict=True):
        if (activation.name, bits) not in made:
            name = fresh_name(f"{activation.name}.int{bits}", built)
            made[activation.name, bits] = add(name, Quantize(float(np.float32(step)), bits), activation)
    operands = [made[activation.name, bits] for activation in activations]
    scale: Node | float
    if len(operands) == 2:
        scale = float(np.float32(prod(_scale(operand) for operand in operands)))
    else:
        weight = built[node.inputs[1]]
        integers, scale = _weight_nodes(node, weight, operands[0], precision, weights, built)
        if integers.name not in built:
            fresh.append(integers)
        fresh.append(scale)
        operands.append(integers)
    product = add(f"{node.name}.int", IntegerContract(node.op.equation, node.op.windows), *operands)
    floats = add(f"{node.name}.cast", Cast("f32"), product)
    if isinstance(scale, Node):
        scaled = add(f"{node.name}.scaled", Elementwise("mul", (None, None)), floats, scale)
    else:
        scaled = add(f"{node.name}.scaled", Elementwise("mul", (None, scale)), floats)
    if scaled.type == node.type:
        fresh[-1] = replace(scaled, name=node.name)
    else:
        add(node.name, Cast(node.type.dtype.value), scaled)
    return fresh


def _scale(quantised: Node) -> float:
    assert isinstance(quantised.op, Quantize)
    return quantised.op.scale


def _weight_nodes(
    node: Node,
    weight: Node,
    activation: Node,
    precision: Precision,
    weights: dict[str, Array],
    built: Mapping[str, Node],
) -> tuple[Node, Node]:
    """The integer weight, and the factors that take the integer result back, shaped to broadcast over it."""
    assert isinstance(node.op, Contract)
    assert isinstance(activation.op, Quantize)
    _, right, out = node.op.letters
    kept = tuple(i for i, letter in enumerate(right) if letter in out)
    key, bits = weight_key(weight), precision.weight_bits
    name = f"{weight.name}.int{bits}.{''.join(right[i] for i in kept)}"
    int_key, scale_key = f"{key}.int{bits}.{node.name}", f"{key}.scales.{node.name}"
    if name in built:
        int_key = weight_key(built[name])
    carrier = Quantize(1.0, bits).carrier
    shape = tuple(weight.type.shape[right.index(c)] if c in right else 1 for c in out)
    if key in weights:
        summed = tuple(i for i in range(len(right)) if i not in kept)
        values = weights[key].astype(np.float32)
        steps = np.abs(values).max(axis=summed, keepdims=True) / np.float32(2 ** (bits - 1) - 1)
        steps = np.where(steps > 0, steps, np.float32(1.0)).astype(np.float32)
        weights[int_key] = on_grid(values, steps, bits)
        factors = steps * np.float32(activation.op.scale)
        order = [right.index(c) for c in out if c in right]
        dropped = factors.squeeze(axis=summed) if summed else factors
        letters = [right[i] for i in kept]
        weights[scale_key] = dropped.transpose([letters.index(right[i]) for i in order]).reshape(shape)
    kind = Parameter if isinstance(weight.op, Parameter) else Constant
    integers = Node(name, kind(int_key), (), TensorType(carrier, weight.type.shape), weight.location)
    scales = Node(
        f"{node.name}.scales", Parameter(scale_key), (), TensorType(DType.F32, shape), node.location
    )
    return integers, scales
