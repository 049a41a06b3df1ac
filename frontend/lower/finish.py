"""From values to a graph: drops what nothing reads, orders, names, and collects the bytes of weights."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ir.model import Model
from wsc.compiler.ops import Constant, Input, Op, Parameter
from wsc.compiler.ops.base import Array
from wsc.frontend.lower.value import Value
from wsc.frontend.tensors import has_data, to_numpy


def finish(
    name: str,
    titles: Mapping[Value, str],
    outputs: Sequence[Value],
) -> Model:
    """The model that computes the outputs; parameters on the meta device get no bytes.

    `titles` holds, in order, the names wanted for sources and for results of calls; other values are named after the
    call they come from.
    """
    nodes: dict[Value, Node] = {}
    names = _Names()
    shared = _SharedConstants()
    for value in _in_order(titles, outputs):
        first = shared.first(value)
        if first is not value:
            nodes[value] = nodes[first]
            continue
        title = names.take(_title(value, titles))
        op = Constant(title) if isinstance(value.op, Constant) else value.op
        inputs = tuple(nodes[operand].name for operand in value.operands)
        nodes[value] = Node(title, op, inputs, value.type, value.origin.location)
    graph = Graph(name, tuple(dict.fromkeys(nodes.values())), tuple(nodes[value].name for value in outputs))
    return Model(graph, _weights(nodes))


def _in_order(titles: Iterable[Value], outputs: Sequence[Value]) -> list[Value]:
    """Inputs, then everything the outputs need in the order of the program, weights just before their first use."""
    needed = set(_operands_first(outputs))
    inputs = [value for value in titles if isinstance(value.op, Input)]
    results = [value for value in titles if value in needed and value.operands]
    return _operands_first([*inputs, *results, *outputs])


def _operands_first(roots: Sequence[Value]) -> list[Value]:
    """Everything the roots need, each once, operands first; a depth-first walk without recursion."""
    order: dict[Value, None] = {}
    stack = list(reversed(roots))
    while stack:
        waiting = [operand for operand in stack[-1].operands if operand not in order]
        if waiting:
            stack += reversed(waiting)
        else:
            order.setdefault(stack.pop())
    return list(order)


def _title(value: Value, titles: Mapping[Value, str]) -> str:
    title = titles.get(value, f"{value.origin.title}.{_label(value.op)}")
    return f"constant.{value.origin.title}" if isinstance(value.op, Constant) else title


def _label(op: Op) -> str:
    """The word for an op in a name: its scalar function where it has one, its kind otherwise."""
    return getattr(op, "fn", op.kind)


class _Names:
    """Hands out names without spaces, each once; later comers get a number."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def take(self, title: str) -> str:
        title = re.sub(r"\s", "_", title)
        name = title
        while name in self._taken:
            self._next[title] = self._next.get(title, 0) + 1
            name = f"{title}_{self._next[title]}"
        self._taken.add(name)
        return name


class _SharedConstants:
    """Finds the first of several equal constants, and of several reads of one parameter."""

    def __init__(self) -> None:
        self._first: dict[object, Value] = {}

    def first(self, value: Value) -> Value:
        if isinstance(value.op, Parameter):
            return self._first.setdefault(value.op, value)
        if not isinstance(value.op, Constant) or value.known is None:
            return value
        return self._first.setdefault((value.type, to_numpy(value.known).tobytes()), value)


def _weights(nodes: Mapping[Value, Node]) -> dict[str, Array]:
    weights: dict[str, Array] = {}
    for value, node in nodes.items():
        tensor = value.weight if isinstance(node.op, Parameter) else value.known
        if isinstance(node.op, (Constant, Parameter)) and tensor is not None and has_data(tensor):
            weights.setdefault(node.op.key, to_numpy(tensor))
    return weights
