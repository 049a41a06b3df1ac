"""Repeated layers of a graph told once: the graph of one layer, and what differs from layer to layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from wsc.compiler.blocks import find_repeats
from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ir.text import print_op
from wsc.compiler.ops import Attention, Contract, Norm, Softmax

_HEAVY = (Attention, Contract, Norm, Softmax)


@dataclass(frozen=True)
class Rolled:
    """`graph` has one layer of the `count` that the model has; `body` names its nodes, in order.

    `stacks[name]` are the sources that stand for the source `name` in each layer. `carried[first]` is the node of the
    body whose value the next layer reads where the first one reads `first`. `states` gives, for an input that is state,
    the node that is its next value, both by their names in the first layer; `outputs` the other outputs, in order, with
    their numbers.
    """

    graph: Graph
    count: int = 1
    body: tuple[str, ...] = ()
    stacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    carried: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, tuple[int, ...]] = field(
        default_factory=dict
    )  # numbers of a state's outputs, by layer
    outputs: tuple[tuple[int, str], ...] = ()


def roll(graph: Graph) -> Rolled:
    """The graph with its longest run of equal layers told once; as it is where there is none."""
    graph = _light_first(graph)
    nodes = [n for n in graph.nodes if not n.is_source]
    signatures = [(print_op(n.op), n.type, tuple(str(t) for t in graph.operand_types(n))) for n in nodes]
    repeats = [r for r in find_repeats(signatures) if r.count > 1]
    for repeat in sorted(repeats, key=lambda r: -r.length * r.count):
        start = repeat.start
        while start and signatures[start - 1] == signatures[start + repeat.length - 1]:
            start -= 1
        found = _Roller(graph, nodes, start, repeat.length, repeat.count).rolled()
        if found is not None:
            return found
    return unrolled(graph)


def _light_first(graph: Graph) -> Graph:
    """What depends on no product or norm goes before everything else: tables and masks that all layers share."""
    heavy: set[str] = set()
    for node in graph.nodes:
        if isinstance(node.op, _HEAVY) or heavy.intersection(node.inputs):
            heavy.add(node.name)
    sources = [n for n in graph.nodes if n.is_source]
    light = [n for n in graph.nodes if not n.is_source and n.name not in heavy]
    return replace(graph, nodes=(*sources, *light, *(n for n in graph.nodes if n.name in heavy)))


def unrolled(graph: Graph) -> Rolled:
    """The graph as it is, every layer told."""
    states = {name: value for name, _, value in _states(graph)}
    after = {name: (output,) for name, output, _ in _states(graph)}
    taken = {s.output for s in graph.state}
    outputs = tuple((i, name) for i, name in enumerate(graph.outputs) if i not in taken)
    return Rolled(graph, states=states, after=after, outputs=outputs)


class _Roller:
    """Tries to tell a run of layers once; every operand must come from where the first layer's comes from."""

    def __init__(self, graph: Graph, nodes: Sequence[Node], start: int, length: int, count: int) -> None:
        self.graph, self.nodes, self.count = graph, nodes, count
        self.layers = [nodes[start + i * length : start + (i + 1) * length] for i in range(count)]
        self.first = {n.name for n in self.layers[0]}
        self.place = {n.name: (i, j) for i, layer in enumerate(self.layers) for j, n in enumerate(layer)}
        self.stacks: dict[str, list[str]] = {}
        self.carried: dict[str, str] = {}

    def rolled(self) -> Rolled | None:
        """The rolled graph, or None where the layers differ."""
        for number in range(1, self.count):
            for node, model in zip(self.layers[number], self.layers[0], strict=True):
                pairs = zip(node.inputs, model.inputs, strict=True)
                if not all(self._matches(number, name, first) for name, first in pairs):
                    return None
        body = tuple(n.name for n in self.layers[0])
        if any(len(names) != self.count for names in self.stacks.values()):
            return None
        if not self._is_read_at_the_end_only():
            return None
        return self._with_states(body)

    def _matches(self, number: int, name: str, first: str) -> bool:
        if first in self.first:
            return self.place.get(name) == (number, self.place[first][1])
        if self.place.get(name, (-1, 0))[0] == number - 1:
            before = self.layers[0][self.place[name][1]].name
            return self.carried.setdefault(first, before) == before
        if self.graph[first].is_source and first != name:
            stack = self.stacks.setdefault(first, [first])
            if len(stack) == number:
                stack.append(name)
            return len(stack) > number and stack[number] == name and self.graph[name].is_source
        return name == first and first not in self.carried

    def _is_read_at_the_end_only(self) -> bool:
        """Whether what is read after the layers is of the last one, but for states."""
        states = {self.graph.outputs[s.output] for s in self.graph.state}
        inside = set(self.place)
        for node in self.nodes:
            if node.name not in inside and any(
                self.place.get(n, (self.count - 1, 0))[0] < self.count - 1 for n in node.inputs
            ):
                return False
        others = [name for name in self.graph.outputs if name not in states]
        return all(self.place.get(n, (self.count - 1, 0))[0] == self.count - 1 for n in others)

    def _with_states(self, body: tuple[str, ...]) -> Rolled | None:
        stacks = {k: tuple(v) for k, v in (self.stacks | self._unread()).items()}
        layer_of = {name: (first, i) for first, names in stacks.items() for i, name in enumerate(names)}
        states: dict[str, str] = {}
        after: dict[str, dict[int, int]] = {}
        for name, output, value in _states(self.graph):
            first, number = layer_of.get(name, (name, 0))
            place = self.place.get(value)
            if place is not None and (place[0] != number or first not in stacks):
                return None
            told = self.layers[0][place[1]].name if place else value
            if states.setdefault(first, told) != told:
                return None
            after.setdefault(first, {})[number] = output
        told_after = {first: tuple(found[i] for i in sorted(found)) for first, found in after.items()}
        return self._told(body, stacks, states, told_after)

    def _unread(self) -> dict[str, list[str]]:
        """State that a layer writes and nobody reads: its inputs by layer, under the first one."""
        found: dict[int, list[str]] = {}
        for name, _, value in _states(self.graph):
            if not self.graph.users[name] and value in self.place:
                found.setdefault(self.place[value][1], []).append(name)
        return {names[0]: names for names in found.values() if len(names) == self.count}

    def _told(
        self,
        body: tuple[str, ...],
        stacks: dict[str, tuple[str, ...]],
        states: dict[str, str],
        after: dict[str, tuple[int, ...]],
    ) -> Rolled:
        graph = self.graph
        dropped = {n.name for layer in self.layers[1:] for n in layer}
        dropped |= {name for names in stacks.values() for name in names[1:]}
        again = {n.name: self.layers[0][j].name for j, n in enumerate(self.layers[-1])}
        kept = tuple(
            n
            if n.name in self.first
            else replace(n, inputs=tuple(again.get(name, name) for name in n.inputs))
            for n in graph.nodes
            if n.name not in dropped
        )
        numbers = {n for found in after.values() for n in found}
        outputs = tuple((i, again.get(n, n)) for i, n in enumerate(graph.outputs) if i not in numbers)
        small = Graph(graph.name, kept, tuple(name for _, name in outputs) + tuple(states.values()))
        return Rolled(small, self.count, body, stacks, self.carried, states, after, outputs)


def _states(graph: Graph) -> list[tuple[str, int, str]]:
    """Of every state the input's name, the output's number and its node."""
    inputs = {n.op.index: n.name for n in graph.inputs}  # type: ignore[attr-defined]
    return [(inputs[s.input], s.output, graph.outputs[s.output]) for s in graph.state]
