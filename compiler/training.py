"""From a joint graph (loss and gradients) to a training step: the optimiser as nodes, its tensors as state.

A joint graph gives the loss and then one gradient for each trained parameter. `adamw` makes the parameters inputs, adds
the two moments of each and the number of the step, and gives their next values: all of it is state, and so counts in
the memory that a target must find; `sgd` keeps the parameters alone. With `accumulate` the gradients of several inputs
are summed before a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from wsc.compiler.ir.graph import Graph, Location, Node, State
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.ops import Cast, Elementwise, Input, Op, Parameter, Reshape
from wsc.compiler.ops.base import Array
from wsc.compiler.passes.rewrite import apply_op, with_weights


@dataclass(frozen=True)
class AdamW:
    """AdamW (Loshchilov and Hutter, 2019, algorithm 2), moments in 32 bits; torch's defaults."""

    lr: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 1e-2


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent without momentum; the learning rate of torch's own default."""

    lr: float = 1e-3


def accumulate(joint: Model, parameters: Sequence[str]) -> Model:
    """The joint graph with gradients summed into state: outputs are the loss and the sums.

    State are, for each parameter, the sum so far, in 32 bits; it comes back as an input after the graph's own.
    """
    build = _Builder(joint.graph)
    sums = []
    for key, name in zip(parameters, joint.graph.outputs[1:], strict=True):
        gradient = build.wide(build.nodes[name], f"accumulate.{key}")
        before = build.state(f"sum.{key}", gradient.type)
        sums.append((before, build.map(f"accumulate.{key}.add", "add", before, gradient)))
    return build.finish(joint, [joint.graph.outputs[0]], sums)


def adamw(joint: Model, parameters: Sequence[str], rule: AdamW, accumulated: bool = False) -> Model:
    """The joint graph with one step of AdamW: outputs are the loss and the next value of every state.

    State are the number of steps taken (f32[]), then for each parameter its value, its two moments, and, if
    `accumulated`, the sum of earlier gradients, which is added to this one's and starts from zero again.
    """
    build = _Builder(joint.graph)
    step = build.state("adamw.step", TensorType(DType.F32, ()))
    now = build.map("adamw.step.next", "add", step, 1.0)
    # The corrections of the moments' bias, which is large in the first steps.
    corrections = [
        build.map(f"adamw.power{i}", "pow", b, now) for i, b in enumerate((rule.beta1, rule.beta2))
    ]
    corrections = [build.map(f"adamw.correction{i}", "sub", 1.0, c) for i, c in enumerate(corrections)]
    pairs = [(step, now)]
    for key, name in zip(parameters, joint.graph.outputs[1:], strict=True):
        pairs += _updated(build, key, build.nodes[name], rule, corrections, accumulated)
    return build.finish(joint, [joint.graph.outputs[0]], pairs)


def sgd(joint: Model, parameters: Sequence[str], rule: SGD, accumulated: bool = False) -> Model:
    """The joint graph with one step down the gradient: outputs are the loss and the next value of every state.

    State are, for each parameter, its value and, if `accumulated`, the sum of earlier gradients, as in `adamw`.
    """
    build = _Builder(joint.graph)
    pairs: list[tuple[Node, Node]] = []
    for key, name in zip(parameters, joint.graph.outputs[1:], strict=True):
        at = f"sgd.{key}"
        value = build.trained(key)
        gradient, sums = _total(build, key, build.wide(build.nodes[name], f"{at}.gradient"), at, accumulated)
        wide = build.wide(value, f"{at}.value")
        moved = build.map(f"{at}.moved", "sub", wide, build.map(f"{at}.move", "mul", gradient, rule.lr))
        pairs += [(value, build.like(f"{at}.rounded", moved, value)), *sums]
    return build.finish(joint, [joint.graph.outputs[0]], pairs)


def _total(
    build: _Builder, key: str, gradient: Node, at: str, accumulated: bool
) -> tuple[Node, list[tuple[Node, Node]]]:
    """The gradient with the sum of earlier ones, which starts from zero again."""
    if not accumulated:
        return gradient, []
    before = build.state(f"sum.{key}", gradient.type)
    return build.map(f"{at}.total", "add", before, gradient), [
        (before, build.map(f"{at}.zero", "mul", before, 0.0))
    ]


def _updated(
    build: _Builder, key: str, gradient: Node, rule: AdamW, corrections: Sequence[Node], accumulated: bool
) -> list[tuple[Node, Node]]:
    """The states of one parameter, with their next values."""
    at = f"adamw.{key}"
    value = build.trained(key)
    gradient = build.wide(gradient, f"{at}.gradient")
    gradient, sums = _total(build, key, gradient, at, accumulated)
    first, second = (build.state(f"{at}.moment{i}", gradient.type) for i in (1, 2))
    square = build.map(f"{at}.square", "mul", gradient, gradient)
    new_first = build.mixed(f"{at}.moment1.next", first, gradient, rule.beta1)
    new_second = build.mixed(f"{at}.moment2.next", second, square, rule.beta2)
    ones = (1,) * gradient.type.rank
    c1, c2 = (
        build.apply(f"{at}.correction{i}", Reshape(ones), c) if ones else c for i, c in enumerate(corrections)
    )
    root = build.map(f"{at}.root", "sqrt", build.map(f"{at}.second", "div", new_second, c2))
    direction = build.map(
        f"{at}.direction",
        "div",
        build.map(f"{at}.first", "div", new_first, c1),
        build.map(f"{at}.size", "add", root, rule.eps),
    )
    wide = build.wide(value, f"{at}.value")
    decayed = build.map(f"{at}.decayed", "mul", wide, 1 - rule.lr * rule.weight_decay)
    moved = build.map(f"{at}.moved", "sub", decayed, build.map(f"{at}.move", "mul", direction, rule.lr))
    moved = build.like(f"{at}.rounded", moved, value)
    return [(value, moved), (first, new_first), (second, new_second), *sums]


class _Builder:
    """A graph that grows: new inputs, new nodes after the old ones."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes = {node.name: node for node in graph.nodes}
        self._next = len(graph.inputs)

    def state(self, name: str, type_: TensorType) -> Node:
        return self._add(Node(name, self._input(), (), type_))

    def trained(self, key: str) -> Node:
        """The parameter of a key as an input, in the place of the weight."""
        for node in self.nodes.values():
            if node.op == Parameter(key):
                return self._add(replace(node, op=self._input()))
        raise ValueError(f"the graph reads no parameter '{key}'")

    def _input(self) -> Input:
        self._next += 1
        return Input(self._next - 1)

    def apply(self, name: str, op: Op, *operands: Node) -> Node:
        return self._add(apply_op(name, op, operands, Location()))

    def map(self, name: str, fn: str, *arguments: Node | float) -> Node:
        scalars = tuple(None if isinstance(a, Node) else a for a in arguments)
        return self.apply(name, Elementwise(fn, scalars), *(a for a in arguments if isinstance(a, Node)))

    def mixed(self, name: str, old: Node, new: Node, share: float) -> Node:
        kept = self.map(f"{name}.old", "mul", old, share)
        return self.map(name, "add", kept, self.map(f"{name}.new", "mul", new, 1 - share))

    def wide(self, node: Node, name: str) -> Node:
        """The node in 32 bits."""
        return node if node.type.dtype is DType.F32 else self.apply(f"{name}.wide", Cast("f32"), node)

    def like(self, name: str, node: Node, other: Node) -> Node:
        """The node in the element type of another."""
        dtype = other.type.dtype
        return node if node.type.dtype is dtype else self.apply(name, Cast(dtype.value), node)

    def _add(self, node: Node) -> Node:
        self.nodes[node.name] = node
        return node

    def finish(self, joint: Model, outputs: Sequence[str], pairs: Sequence[tuple[Node, Node]]) -> Model:
        names = (*outputs, *(after.name for _, after in pairs))
        state = []
        for number, (before, _) in enumerate(pairs, start=len(outputs)):
            assert isinstance(before.op, Input)
            state.append(State(before.op.index, number))
        ordered = sorted(self.nodes.values(), key=lambda node: not isinstance(node.op, Input))
        graph = replace(self.graph, nodes=tuple(ordered), outputs=names, state=tuple(state))
        return with_weights(graph, joint.weights)


def initial_state(step: Model, joint: Model) -> tuple[Array, ...]:
    """The states of a training step before the first one: parameters as they are, zeros for everything else."""
    first = len(joint.graph.inputs)
    weights = {node.name: node.op.key for node in joint.graph.weights if isinstance(node.op, Parameter)}
    return tuple(
        joint.weights[weights[node.name]]
        if node.name in weights
        else np.zeros(node.type.shape, node.type.dtype.numpy)
        for node in step.graph.inputs[first:]
    )
