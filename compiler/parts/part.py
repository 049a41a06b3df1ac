"""Parts as values: which nodes belong together, as what, and the work of all of them done as one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ops import Work

# What a part may be, and what it computes.
KINDS = {
    "rotary": "rotary position embedding: pairs turned by an angle for each position (Su et al., 2021)",
    "gated_mlp": "act(x @ g) * (x @ u) @ d (Shazeer, 2020)",
    "lstm_cell": "one step of a long short-term memory (Hochreiter and Schmidhuber, 1997)",
    "gru_cell": "one step of a gated recurrent unit (Cho et al., 2014)",
    "selective_scan": "a state-space model's scan, by steps or by chunks (Gu and Dao, 2023; Dao and Gu, 2024)",
    "mixture.router": "scores of the experts, the best of them, and their shares",
    "mixture.dispatch": "rows sorted by expert, and how many each gets",
    "mixture.experts": "the products with the experts' matrices, and what lies between them",
    "mixture.combine": "rows back in their order, weighted and summed",
}


@dataclass(frozen=True)
class Part:
    """Nodes that are one thing together. `root` is a node that names it; a mixture's four parts share theirs."""

    kind: str
    root: str
    nodes: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"there is no part '{self.kind}'")

    @property
    def mark(self) -> str:
        """What its nodes carry in `Node.part`."""
        return f"{self.kind}/{self.root}"


def parts_of(graph: Graph) -> tuple[Part, ...]:
    """The parts that the nodes of a graph are marked with, by their first node."""
    found: dict[str, list[str]] = {}
    for node in graph.nodes:
        if node.part:
            found.setdefault(node.part, []).append(node.name)
    marks = ((*mark.partition("/")[::2], tuple(names)) for mark, names in found.items())
    return tuple(Part(kind, root, names) for kind, root, names in marks)


def part_work(graph: Graph, part: Part) -> Work:
    """Work of a part done as one: it reads what comes from outside, each value once, and writes what is used outside.

    Of a node that reads less than all of its operands, such as a gather, that much counts, less what is made inside.
    """
    inside = frozenset(part.nodes)
    nodes = [graph[name] for name in part.nodes]
    works = [graph.node_work(node) for node in nodes]
    whole: Counter[str] = Counter()
    read = 0
    for node, work in zip(nodes, works, strict=True):
        operands = dict.fromkeys(node.inputs)
        if work.bytes_read == sum(graph[name].type.bytes for name in node.inputs):
            whole.update(name for name in operands if name not in inside)
        else:
            read += max(0, work.bytes_read - sum(graph[n].type.bytes for n in operands if n in inside))
    read += sum(graph[name].type.bytes for name in whole)
    written = sum(node.type.bytes for node in nodes if is_read_outside(graph, node, inside))
    weights = sum(graph[name].type.bytes for name in outside_operands(graph, nodes) if graph[name].is_weight)
    return Work(sum(w.macs for w in works), sum(w.vector_ops for w in works), read, written, weights)


def is_read_outside(graph: Graph, node: Node, inside: frozenset[str]) -> bool:
    """Whether something outside reads the node, or the graph returns it."""
    return node.name in graph.outputs or any(user.name not in inside for user in graph.users[node.name])


def outside_operands(graph: Graph, nodes: list[Node]) -> dict[str, None]:
    """What nodes read and are not, in order."""
    inside = {node.name for node in nodes}
    return dict.fromkeys(name for node in nodes for name in node.inputs if name not in inside)
