"""What passes are written with: a walk that rebuilds a graph node by node, fresh names, and the keeping of weights."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from itertools import count

from wsc.compiler.ir.graph import Graph, Location, Node
from wsc.compiler.ir.model import Model
from wsc.compiler.ops import Constant, Op, Parameter
from wsc.compiler.ops.base import Array

Rule = Callable[[Node, Mapping[str, Node]], Sequence[Node] | str]


def rewrite(graph: Graph, rule: Rule) -> Graph:
    """The graph rebuilt in order by `rule(node, built)`, where the node already reads the rebuilt nodes in `built`.

    A rule answers with the nodes to put in place, of which the last stands for the old one; with the name of a built
    node that stands for it; or with no nodes, where it also takes care of every reader of the old one. New nodes are
    of the part that the old one was of.
    """
    built: dict[str, Node] = {}
    stands_for: dict[str, str] = {}
    for node in graph.nodes:
        answer = rule(_rename_inputs(node, stands_for), built)
        if isinstance(answer, str):
            stands_for[node.name] = answer
            continue
        if node.part:
            answer = [new if new.part or new.is_source else replace(new, part=node.part) for new in answer]
        built.update((new.name, new) for new in answer)
        if answer:
            stands_for[node.name] = answer[-1].name
    outputs = tuple(stands_for[name] for name in graph.outputs)
    return replace(graph, nodes=tuple(built.values()), outputs=outputs)


def _rename_inputs(node: Node, stands_for: Mapping[str, str]) -> Node:
    inputs = tuple([stands_for.get(name, name) for name in node.inputs])
    return node if inputs == node.inputs else replace(node, inputs=inputs)


def apply_op(name: str, op: Op, operands: Sequence[Node], location: Location) -> Node:
    """A new node that applies an op to others; raises ValueError where they do not fit it."""
    type = op.infer([operand.type for operand in operands])
    return Node(name, op, tuple(operand.name for operand in operands), type, location)


def fresh_name(wish: str, taken: Container[str]) -> str:
    """`wish`, or `wish.1`, `wish.2`, ... where it is taken."""
    if wish not in taken:
        return wish
    return next(name for n in count(1) if (name := f"{wish}.{n}") not in taken)


def weight_key(node: Node) -> str:
    """Key of a weight node in the weights; raises TypeError for a node that is none."""
    if not isinstance(node.op, Parameter | Constant):
        raise TypeError(f"'{node.name}' is no weight")
    return node.op.key


def weight_only(graph: Graph) -> frozenset[str]:
    """Names of the weights, and of every node that depends on nothing else."""
    found: set[str] = set()
    for node in graph.nodes:
        if node.is_weight or (node.inputs and found.issuperset(node.inputs)):
            found.add(node.name)
    return frozenset(found)


def with_weights(graph: Graph, weights: Mapping[str, Array]) -> Model:
    """The graph with those of the weights that it still refers to."""
    keys = {weight_key(node) for node in graph.weights}
    return Model(graph, {key: array for key, array in weights.items() if key in keys})
