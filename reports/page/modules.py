"""The graph as a tree of the model's modules, equal siblings in a row said once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

from wsc.compiler.blocks import find_repeats
from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ir.text import print_op


@dataclass(eq=False)
class Module:
    """A module of the model: its own nodes, and the modules inside it, in order of first appearance."""

    name: str
    nodes: list[Node] = field(default_factory=list)
    children: dict[str, Module] = field(default_factory=dict)

    def signature(self) -> Hashable:
        """Equal for modules that do the same on tensors of the same types."""
        own = tuple(
            (print_op(node.op) if not node.is_source else node.op.kind, str(node.type)) for node in self.nodes
        )
        return own, tuple(child.signature() for child in self.children.values())

    def count(self) -> int:
        """Nodes in it and in all that is inside."""
        return len(self.nodes) + sum(child.count() for child in self.children.values())


def module_tree(graph: Graph) -> dict[str, Any]:
    """Modules with their nodes as plain data: `copies` equal modules in a row are one entry, called "first … last"."""
    root = Module(graph.name)
    for node in graph:
        module = root
        for part in filter(None, _path(graph, node).split(".")):
            module = module.children.setdefault(part, Module(part))
        module.nodes.append(node)
    return _plain(root, root.name, 1)


def _path(graph: Graph, node: Node) -> str:
    """The module of a node; of a weight or an input, that of the first node that reads it."""
    if node.location.module or not node.is_weight:
        return node.location.module
    return next((user.location.module for user in graph.users[node.name]), "")


def _plain(module: Module, name: str, copies: int) -> dict[str, Any]:
    return {
        "name": name,
        "copies": copies,
        "count": module.count(),
        "nodes": [_node(node) for node in module.nodes],
        "children": list(_children(module)),
    }


def _node(node: Node) -> list[str]:
    place = f"{node.location.file}:{node.location.line}" if node.location.file else ""
    return [node.name, print_op(node.op), str(node.type), place]


def _children(module: Module) -> Iterable[dict[str, Any]]:
    children = list(module.children.values())
    repeats = {r.start: r for r in find_repeats([child.signature() for child in children])}
    at = 0
    while at < len(children):
        repeat = repeats.get(at)
        copies = repeat.count if repeat is not None and repeat.length == 1 else 1
        last = children[at + copies - 1].name
        name = children[at].name if copies == 1 else f"{children[at].name} … {last}"
        yield _plain(children[at], name, copies)
        at += copies
