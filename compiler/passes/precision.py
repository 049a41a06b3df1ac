"""Another precision than the model's own: for what flows, and apart from it for what is stored.

Activations: wherever the model has its own element type (that of most of its weights' bytes), it gets the one asked
for; what the model computes in another type, such as a norm in 32 bits, stays so. Single operations may compute in a
type of their own: their operands are cast to it, and their readers cast what they give. Sums are accumulated in 32 bits
at least in every case (see `Op.reference` and `sums_in`).

Weights: matrices are stored in the type asked for and widened where they are read. Whole numbers and 8-bit floats have
a scale for each place of the first dimension, so that its largest magnitude is the type's (symmetric quantisation;
Nagel et al., A White Paper on Neural Network Quantization, 2021, section 2.2). Vectors and scalars, which hold few
bytes and much of the accuracy, are kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase

import numpy as np

from wsc.compiler.errors import UserError
from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.ops import Cast, Elementwise, Parameter
from wsc.compiler.ops.base import Array
from wsc.compiler.passes.rewrite import apply_op, fresh_name, rewrite, weight_key, with_weights

NAMES = {"fp32": DType.F32, "fp16": DType.F16, "bf16": DType.BF16, "fp8": DType.F8, "int8": DType.I8}
Pairs = tuple[tuple[str, str], ...]
_SCALED = {DType.F8: 448.0, DType.I8: 127.0}  # the largest magnitude; of e4m3fn by its paper, table 1


@dataclass(frozen=True)
class Precision:
    """Element types by the names of NAMES; None keeps the model's own.

    `overrides` are (pattern, name) pairs for weights whose key matches a shell pattern, `computed` for operations by
    the names that the graph gives them; the last match decides, and the name "keep" leaves a weight as it is stored,
    and an operation in the model's own type. Raises UserError for a name or a combination that there is not.
    """

    activations: str | None = None
    weights: str | None = None
    overrides: Pairs = ()
    computed: Pairs = ()

    def __post_init__(self) -> None:
        flowing = (self.activations, *(name for _, name in self.computed))
        for name in filter(None, (*flowing, self.weights, *(name for _, name in self.overrides))):
            if name not in NAMES and name != "keep":
                raise UserError(f"There is no precision '{name}': there are {', '.join(NAMES)}.")
        if narrow := [name for name in flowing if name in ("int8", "fp8")]:
            raise UserError(
                f"Activations in {narrow[0]} need a scale for each tensor, which only data can give: ask for "
                "weights alone, or for --dtype int8 on a machine that takes integers, which calibrates on the example."
            )

    @staticmethod
    def of(name: str) -> Precision:
        """One name for both; 8 bits are for weights alone."""
        return Precision(None if name in ("int8", "fp8") else name, name)

    def of_weight(self, key: str) -> DType | None:
        """The type that a weight is stored in; None for the one it has."""
        chosen = _last_match(self.overrides, key) or self.weights
        return None if chosen in (None, "keep") else NAMES[chosen]

    def of_node(self, name: str, own: DType) -> DType | None:
        """The type that an operation computes in, in place of the model's own; None where no pattern says."""
        chosen = _last_match(self.computed, name)
        return own if chosen == "keep" else NAMES[chosen] if chosen else None


def _last_match(pairs: Pairs, name: str) -> str | None:
    return next((said for pattern, said in reversed(pairs) if fnmatchcase(name, pattern)), None)


def sums_in(dtype: DType) -> DType:
    """What sums over an element type are accumulated in, by the reference and by every machine's executor."""
    if dtype.is_float:
        return DType.F64 if dtype is DType.F64 else DType.F32
    return dtype


def with_precision(model: Model, precision: Precision) -> Model:
    """The model in another precision; equal to it where nothing is asked for.

    Raises UserError for a pattern of an override that nothing matches.
    """
    _check_patterns(model.graph, precision)
    own = own_type(model.graph)
    if own is None:
        return model
    flow = NAMES[precision.activations] if precision.activations else own
    if flow != own or precision.computed:
        model = _retyped(model, own, flow, precision)
    return _stored(model, flow, precision)


def own_type(graph: Graph) -> DType | None:
    """The floating-point type of most of the weights' bytes, or else of the inputs."""
    for nodes in (graph.weights, graph.inputs):
        count: Counter[DType] = Counter()
        for node in nodes:
            if node.type.dtype.is_float:
                count[node.type.dtype] += node.type.bytes
        if count:
            return count.most_common(1)[0][0]
    return None


def _check_patterns(graph: Graph, precision: Precision) -> None:
    weights = [node.op.key for node in graph.weights if isinstance(node.op, Parameter)]
    nodes = [node.name for node in graph.nodes if not node.is_source]
    for what, pairs, names in (("weight", precision.overrides, weights), ("node", precision.computed, nodes)):
        for pattern, _ in pairs:
            if not any(fnmatchcase(name, pattern) for name in names):
                near = get_close_matches(pattern, names, n=1, cutoff=0)
                raise UserError(
                    f"No {what} has a name like '{pattern}'; one is '{(near or names or ['none'])[0]}'."
                )


def _retyped(model: Model, own: DType, flow: DType, precision: Precision) -> Model:
    graph = model.graph
    weights = {
        key: array.astype(flow.numpy) if array.dtype == own.numpy else array
        for key, array in model.weights.items()
    }

    def rule(node: Node, built: Mapping[str, Node]) -> list[Node]:
        if node.is_source:
            changed = TensorType(flow, node.type.shape) if node.type.dtype is own else node.type
            return [replace(node, type=changed)]
        kind = precision.of_node(node.name, own) or flow
        if node.op == Cast(own.value):
            node = replace(node, op=Cast(kind.value))
        if precision.computed:
            return _computed(node, built, graph, (own, flow, kind))
        return _agreeing(node, built, flow)

    return with_weights(rewrite(graph, rule), weights)


def _computed(
    node: Node, built: Mapping[str, Node], graph: Graph, kinds: tuple[DType, DType, DType]
) -> list[Node]:
    """The node over operands in its `kind` wherever they were in the model's own; the model's results are in `flow`."""
    own, flow, kind = kinds
    operands, new = [built[name] for name in node.inputs], []
    for place, operand in enumerate(operands):
        if graph[node.inputs[place]].type.dtype is own and operand.type.dtype is not kind:
            name = fresh_name(f"{node.name}.cast{place}", built)
            operands[place] = apply_op(name, Cast(kind.value), [operand], node.location)
            new.append(operands[place])
    if node.name not in graph.outputs or node.type.dtype is not own or kind is flow:
        return [*new, apply_op(node.name, node.op, operands, node.location)]
    made = apply_op(fresh_name(f"{node.name}.computed", built), node.op, operands, node.location)
    return [*new, made, apply_op(node.name, Cast(flow.value), [made], node.location)]


def _agreeing(node: Node, built: Mapping[str, Node], flow: DType) -> list[Node]:
    """The node with its type inferred anew; operands that now differ from each other are cast to the new type."""
    operands = [built[name] for name in node.inputs]
    try:
        return [replace(node, type=node.op.infer([operand.type for operand in operands]))]
    except ValueError:
        new = []
        for place, operand in enumerate(operands):
            if operand.type.dtype.is_float and operand.type.dtype is not flow:
                name = fresh_name(f"{node.name}.cast{place}", built)
                operands[place] = apply_op(name, Cast(flow.value), [operand], node.location)
                new.append(operands[place])
        return [*new, apply_op(node.name, node.op, operands, node.location)]


def _stored(model: Model, flow: DType, precision: Precision) -> Model:
    """Matrices in the type they are to be stored in, and widened where they are read."""
    weights = dict(model.weights)
    taken = {node.name for node in model.graph.nodes} | set(weights)

    def rule(node: Node, built: Mapping[str, Node]) -> list[Node]:
        if not isinstance(node.op, Parameter) or node.type.rank < 2 or not node.type.dtype.is_float:
            return [node]
        kind = precision.of_weight(node.op.key)
        if kind is None or kind is node.type.dtype:
            return [node]
        return _narrowed(node, kind, weights, taken)

    return with_weights(rewrite(model.graph, rule), weights)


def _narrowed(node: Node, kind: DType, weights: dict[str, Array], taken: set[str]) -> list[Node]:
    key, wide = weight_key(node), node.type.dtype
    array = weights.get(key)
    shape = (node.type.shape[0], *(1,) * (node.type.rank - 1))
    stored = replace(node, type=TensorType(kind, node.type.shape))
    name = fresh_name(f"{node.name}.widened", taken)
    taken.add(name)
    widened = apply_op(name, Cast(wide.value), [stored], node.location)
    if kind not in _SCALED:
        if array is not None:
            weights[key] = array.astype(kind.numpy)
        return [stored, widened]
    scale_key = fresh_name(f"{key}.scale", taken)
    taken.add(scale_key)
    scale = Node(scale_key, Parameter(scale_key), (), TensorType(wide, shape), node.location)
    if array is not None:
        weights[key], weights[scale_key] = quantised(array, kind)
    scaled = fresh_name(f"{node.name}.scaled", taken)
    taken.add(scaled)
    multiply = Elementwise("mul", (None, None))
    return [stored, scale, widened, apply_op(scaled, multiply, [widened, scale], node.location)]


def quantised(array: Array, kind: DType) -> tuple[Array, Array]:
    """A weight in 8 bits and its scale, one for each place of the first dimension."""
    values = array.astype(np.float32)
    axes = tuple(range(1, values.ndim))
    scale = np.abs(values).max(axis=axes, keepdims=True, initial=0.0) / _SCALED[kind]
    scale = np.where(scale == 0, 1, scale).astype(array.dtype)
    places = values / scale.astype(np.float32)
    if kind is DType.I8:
        places = np.clip(np.round(places), -127, 127)
    return places.astype(kind.numpy), scale
