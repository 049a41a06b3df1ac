"""Mixtures of experts: the router, the rows' way to the experts, the experts, and the way back."""

from __future__ import annotations

from collections.abc import Collection

from wsc.compiler.ir.graph import Node
from wsc.compiler.ops import Contract, Grouped, TopK
from wsc.compiler.parts.search import Search

Stages = dict[str, set[str]]  # kind of part: its nodes


def find_mixtures(search: Search) -> list[tuple[str, Stages]]:
    """For each choice of experts that leads to grouped products: the last of these, and the nodes of each part."""
    graph = search.graph
    by_choice: dict[str, list[Node]] = {}
    for node in graph.nodes:
        if isinstance(node.op, Grouped) and (choice := _choice(search, node.inputs[2])):
            by_choice.setdefault(choice, []).append(node)
    found = []
    for choice, experts in by_choice.items():
        chosen = [n.name for n in graph.users[graph[choice].inputs[0]] if isinstance(n.op, TopK)]
        starts = [name for name in chosen if graph[name].op.k == graph[choice].op.k]  # type: ignore[attr-defined]
        region = search.until_joined(starts)
        if region is not None and all(node.name in region for node in experts):
            found.append((experts[-1].name, _stages(search, choice, region, experts)))
    return found


def _choice(search: Search, group: str) -> str | None:
    """The last top-k, which is no sort, that the groups of rows depend on."""
    above = search.above(group, lambda n: not _is_choice(search, n), 200)
    if above is None:
        return None
    choices = [name for name in above[1] if _is_choice(search, search.graph[name])]
    return max(choices, key=search.place.__getitem__, default=None)


def _is_choice(search: Search, node: Node) -> bool:
    if not isinstance(node.op, TopK) or node.op.part != "indices":
        return False
    return node.op.k < search.graph[node.inputs[0]].type.shape[node.op.dim]


def _stages(search: Search, choice: str, region: set[str], experts: list[Node]) -> Stages:
    routed = _below({choice}, region, search)
    products = {node.name for node in experts}
    after = _below(products, region, search)
    before = _above(products, region, search)
    router = (region - routed) | {choice} | _scores(search, choice)
    between = products | (after & before)
    dispatch = ((routed & before) - between) - router
    combine = region - router - between - dispatch
    kinds = {"router": router, "dispatch": dispatch, "experts": between, "combine": combine}
    return {f"mixture.{kind}": nodes for kind, nodes in kinds.items() if nodes}


def _scores(search: Search, choice: str) -> set[str]:
    """From the router's product by weights to the choice."""
    above = search.above(choice, lambda n: search.by_weights(n) is None and not _stops(n), 100)
    inner, leaves = above or ({choice}, set())
    return inner | {leaf for leaf in leaves if search.by_weights(search.graph[leaf])}


def _stops(node: Node) -> bool:
    return isinstance(node.op, Contract | Grouped)


def _below(starts: Collection[str], region: set[str], search: Search) -> set[str]:
    """What of a region depends on the starts, and they."""
    found = set(starts)
    for name in sorted(region, key=search.place.__getitem__):
        if not found.isdisjoint(search.graph[name].inputs):
            found.add(name)
    return found


def _above(ends: Collection[str], region: set[str], search: Search) -> set[str]:
    """What of a region the ends depend on, and they."""
    found = set(ends)
    for name in sorted(region, key=search.place.__getitem__, reverse=True):
        if any(user.name in found for user in search.graph.users[name]):
            found.add(name)
    return found
