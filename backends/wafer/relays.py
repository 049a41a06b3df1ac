"""Values that many kernels read are passed on from reader to reader, by copies in between.

Each stream of a kernel leaves its region in a colour of its own, so that a value with more readers than there are
colours cannot be sent to all of them by the kernel that makes it: the output of an encoder that every layer of a
decoder reads, or the time step of a diffusion model. A chain of copies sends it on, each to the readers next in
order. That also holds it once where it waits for the readers that come late, instead of once for each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from wsc.backends.wafer.kernels import VIEWS, FusedKernel, cut_kernels, resolve
from wsc.backends.wafer.legalize import copy_of
from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ir.verify import verify
from wsc.compiler.passes.rewrite import fresh_name


def relayed(graph: Graph, most: int) -> Graph:
    """The graph with no value sent to more than `most` kernels and one copy of it; `graph` is legalized."""
    kernels = cut_kernels(graph)
    place = {node.name: i for i, node in enumerate(graph.nodes)}
    chains = _Chains(graph, place)
    for source, readers in _readers(kernels).items():
        readers = sorted(readers, key=lambda kernel: min(place[n.name] for n in kernel.nodes))
        groups = []
        while len(readers) > most + 1:
            groups.append(readers[:most])
            readers = readers[most:]
        chains.add(source, [*groups, readers])
    if not chains.before:
        return graph
    result = replace(graph, nodes=tuple(chains.nodes()))
    verify(result)
    return result


def _readers(kernels: Sequence[FusedKernel]) -> dict[str, list[FusedKernel]]:
    """The kernels that each value is streamed to."""
    found: dict[str, list[FusedKernel]] = {}
    for kernel in kernels:
        for source in dict.fromkeys(feed.source for feed in kernel.streams):
            found.setdefault(source, []).append(kernel)
    return found


@dataclass
class _Chains:
    """Copies of values, where they go in the graph, and which nodes read them."""

    graph: Graph
    place: dict[str, int]
    before: dict[int, list[Node]] = field(default_factory=dict)  # new nodes before the node of a number
    root: dict[tuple[str, str], str] = field(default_factory=dict)  # the copy of a source that a node reads

    def __post_init__(self) -> None:
        self.taken = set(self.place)

    def add(self, source: str, groups: Sequence[Sequence[FusedKernel]]) -> None:
        """A copy for each group of readers but the first, made of the copy before."""
        last = source
        for group in groups[1:]:
            copy = copy_of(self.graph[source], last, fresh_name(f"{source}.relay", self.taken))
            self.taken.add(copy.name)
            at = min(self.place[node.name] for kernel in group for node in kernel.nodes)
            self.before.setdefault(at, []).append(copy)
            last = copy.name
            self.root |= {(node.name, source): last for kernel in group for node in kernel.nodes}

    def nodes(self) -> list[Node]:
        """The nodes of the graph with the copies; views of what is copied are made again of the copy."""
        made: list[Node] = []
        views: dict[tuple[str, str], str] = {}
        for number, node in enumerate(self.graph.nodes):
            made += self.before.get(number, [])
            if not node.is_source and not isinstance(node.op, VIEWS):
                inputs = tuple(self._operand(node, name, views, made) for name in node.inputs)
                node = replace(node, inputs=inputs)
            made.append(node)
        return _without_unread(made, self.graph.outputs)

    def _operand(self, node: Node, name: str, views: dict[tuple[str, str], str], made: list[Node]) -> str:
        """The operand of a node, or the same view of the copy that it reads."""
        source = resolve(self.graph, name)[0]
        copy = self.root.get((node.name, source), source)
        if copy == source:
            return name
        chain = [name]
        while chain[-1] != source:
            chain.append(self.graph[chain[-1]].inputs[0])
        read = copy
        for view in reversed(chain[:-1]):
            if (view, copy) not in views:
                again = fresh_name(f"{view}.relay", self.taken)
                self.taken.add(again)
                views[view, copy] = again
                made.append(replace(self.graph[view], name=again, inputs=(read,)))
            read = views[view, copy]
        return read


def _without_unread(nodes: Sequence[Node], outputs: Sequence[str]) -> list[Node]:
    """Without the views that nothing reads any more."""
    read, kept = set(outputs), []
    for node in reversed(nodes):
        if node.name in read or not isinstance(node.op, VIEWS):
            kept.append(node)
            read.update(node.inputs)
    return kept[::-1]
