"""Cuts a graph into kernels: an anchor op with what can be computed in place on its result.

A kernel has one result. Movement that only renames elements (views) belongs to no kernel: it is done by the streams
between them. Each dimension of each tensor of a kernel is walked by one of the kernel's axes, found by unifying the
tilings of its ops; a region of cores may later be cut along those axes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops import (
    Attention,
    AxisKind,
    Cast,
    Concat,
    Contract,
    Elementwise,
    Expand,
    Gather,
    Norm,
    Op,
    Permute,
    Pool,
    Reduce,
    Reshape,
    Slice,
    Softmax,
    Window,
)

VIEWS = (Reshape, Permute, Slice, Expand)
_GROUPS: tuple[tuple[type[Op], str], ...] = (
    (Attention, "attention"),
    (Norm, "norm"),
    (Softmax, "softmax"),
    (Gather, "embedding"),
    (Pool, "pool"),
    (Reduce, "reduce"),
    (Elementwise, "elementwise"),
    (Cast, "elementwise"),
    (Concat, "movement"),
)


@dataclass(frozen=True)
class Feed:
    """One tensor that enters a kernel: from a kernel's result or a graph input through views, or a weight.

    `source` is a node of the graph; `axes[d]` the kernel's axis that walks dimension d (None: needed whole).
    """

    name: str
    source: str
    views: tuple[Op, ...]
    type: TensorType
    is_weight: bool
    axes: tuple[int | None, ...]
    windows: tuple[Window | None, ...]


@dataclass(frozen=True)
class KernelAxis:
    """An axis that a kernel's region may be cut along, and how."""

    extent: int
    kind: AxisKind


@dataclass(frozen=True)
class FusedKernel:
    """Nodes computed in one region. `operands[i]` names, for node i, a feed or an earlier node of the kernel."""

    name: str
    nodes: tuple[Node, ...]
    operands: tuple[tuple[str, ...], ...]
    feeds: tuple[Feed, ...]
    axes: tuple[KernelAxis, ...]
    result_axes: tuple[tuple[int | None, ...], ...]

    @property
    def anchor(self) -> Node:
        """The node that decides how the kernel is spread."""
        return self.nodes[0]

    @property
    def result(self) -> Node:
        """The node whose value leaves the kernel."""
        return self.nodes[-1]

    @property
    def group(self) -> str:
        """The class of the kernel, for people."""
        anchor = self.anchor.op
        if isinstance(anchor, Contract):
            return "convolution" if anchor.windows else "linear"
        return next((name for kind, name in _GROUPS if isinstance(anchor, kind)), anchor.kind)

    @cached_property
    def streams(self) -> tuple[Feed, ...]:
        """Feeds that arrive with every input."""
        return tuple(f for f in self.feeds if not f.is_weight)

    def feed(self, name: str) -> Feed | None:
        """The feed of a name, if it is one."""
        return next((f for f in self.feeds if f.name == name), None)

    @cached_property
    def signature(self) -> tuple[object, ...]:
        """Equal for kernels that differ in names, weights and neighbours only: they are planned once."""
        index = {f.name: i for i, f in enumerate(self.feeds)}
        index |= {n.name: len(index) + i for i, n in enumerate(self.nodes)}
        ops = tuple((n.op, n.type, tuple(index[o] for o in names)) for n, names in zip(self.nodes, self.operands, strict=True))
        feeds = tuple((f.type, f.is_weight, f.axes, f.windows) for f in self.feeds)
        return (ops, feeds, self.axes, self.result_axes)


def cut_kernels(graph: Graph) -> tuple[FusedKernel, ...]:
    """The kernels of a graph, in topological order. The graph has passed the wafer's legalize."""
    groups = _group_nodes(graph)
    return tuple(_Builder(graph, nodes).build() for nodes in groups)


def resolve(graph: Graph, name: str) -> tuple[str, tuple[Op, ...]]:
    """The node that a value comes from when views are looked through, and the views, first applied first."""
    views: list[Op] = []
    while isinstance(graph[name].op, VIEWS):
        views.append(graph[name].op)
        (name,) = graph[name].inputs
    return name, tuple(reversed(views))


def _group_nodes(graph: Graph) -> list[list[Node]]:
    """Nodes by kernel: each elementwise node joins the kernel whose result it alone reads, the latest one first."""
    groups: list[list[Node]] = []
    place: dict[str, int] = {}
    for node in graph.nodes:
        if node.is_source or isinstance(node.op, VIEWS):
            continue
        joined = max((place[n] for n in node.inputs if _may_join(graph, node, n, groups, place)), default=-1)
        if joined < 0:
            groups.append([])
            joined = len(groups) - 1
        groups[joined].append(node)
        place[node.name] = joined
    order = {n.name: i for i, n in enumerate(graph.nodes)}
    return sorted(groups, key=lambda nodes: order[nodes[-1].name])


def _may_join(graph: Graph, node: Node, operand: str, groups: list[list[Node]], place: dict[str, int]) -> bool:
    if operand not in place or not isinstance(node.op, (Elementwise, Cast)):
        return False
    if groups[place[operand]][-1].name != operand or operand in graph.outputs:
        return False
    only_reader = graph.users[operand] == (node,) and node.inputs.count(operand) == 1
    return only_reader and graph[operand].type.shape == node.type.shape


class _Builder:
    """Builds one kernel: names its feeds and unifies its axes."""

    def __init__(self, graph: Graph, nodes: list[Node]) -> None:
        self.graph = graph
        self.nodes = nodes
        self.inside = {n.name for n in nodes}
        self.feeds: dict[tuple[str, tuple[Op, ...], int], str] = {}
        self.links = _UnionFind()

    def build(self) -> FusedKernel:
        operands = tuple(self._operands(i, node) for i, node in enumerate(self.nodes))
        windows: dict[tuple[str, int], Window] = {}
        for node, names in zip(self.nodes, operands, strict=True):
            self._unify(node, names, windows)
        feeds = {name: key for key, name in self.feeds.items()}
        numbers, axes = self._number(operands)

        def row(name: str, type: TensorType) -> tuple[int | None, ...]:
            return tuple(numbers.get(self.links.find((name, d))) for d in range(type.rank))

        return FusedKernel(
            self._name(),
            tuple(self.nodes),
            operands,
            tuple(self._feed(name, *feeds[name][:2], row, windows) for name in feeds),
            axes,
            tuple(row(n.name, n.type) for n in self.nodes),
        )

    def _name(self) -> str:
        return self.nodes[0].name

    def _operands(self, position: int, node: Node) -> tuple[str, ...]:
        names = []
        for slot, operand in enumerate(node.inputs):
            if operand in self.inside:
                names.append(operand)
                continue
            # operands of the anchor stay apart, even where they are one tensor: each may be cut differently
            usage = slot if position == 0 else -1
            key = (*resolve(self.graph, operand), usage)
            names.append(self.feeds.setdefault(key, f"in{len(self.feeds)}"))
        return tuple(names)

    def _unify(self, node: Node, names: tuple[str, ...], windows: dict[tuple[str, int], Window]) -> None:
        tiling = node.op.tiling(self.graph.operand_types(node), node.type)
        for index, axis in enumerate(tiling.axes):
            self.links.add((node.name, f"axis{index}"), axis.extent, axis.kind)
        for slot, (name, row) in enumerate(zip(names, tiling.operands, strict=True)):
            for d, found in enumerate(row):
                self.links.add((name, d), 0, None)
                if found is None:
                    continue
                self.links.join((name, d), (node.name, f"axis{found}"))
                window = tiling.window(slot, d)
                if window is not None:
                    windows[(name, d)] = window
        for d, found in enumerate(tiling.result):
            self.links.add((node.name, d), 0, None)
            if found is not None:
                self.links.join((node.name, d), (node.name, f"axis{found}"))

    def _number(self, operands: tuple[tuple[str, ...], ...]) -> tuple[dict[object, int], tuple[KernelAxis, ...]]:
        roots = [self.links.find(key) for key in self.links.keys() if isinstance(key[1], str)]
        numbers = {root: i for i, root in enumerate(dict.fromkeys(roots))}
        return dict(numbers), tuple(KernelAxis(self.links.extent[r], self.links.kind[r]) for r in numbers)

    def _feed(
        self,
        name: str,
        source: str,
        views: tuple[Op, ...],
        row: object,
        windows: dict[tuple[str, int], Window],
    ) -> Feed:
        type = self.graph[source].type
        for op in views:
            type = op.infer([type])
        axes = row(name, type)  # type: ignore[operator]
        slid = tuple(windows.get((name, d)) for d in range(type.rank))
        return Feed(name, source, views, type, self.graph[source].is_weight, axes, slid)


class _UnionFind:
    """Classes of (value, dimension) and (node, axis) that are walked together, with extent and kind of each class."""

    def __init__(self) -> None:
        self.parent: dict[tuple[str, int | str], tuple[str, int | str]] = {}
        self.extent: dict[object, int] = {}
        self.kind: dict[object, AxisKind] = {}

    def keys(self) -> Iterable[tuple[str, int | str]]:
        return tuple(self.parent)

    def add(self, key: tuple[str, int | str], extent: int, kind: AxisKind | None) -> None:
        if key not in self.parent:
            self.parent[key] = key
            self.extent[key] = extent
            self.kind[key] = kind or AxisKind.PARALLEL

    def find(self, key: tuple[str, int | str]) -> tuple[str, int | str]:
        while self.parent[key] != key:
            key = self.parent[key]
        return key

    def join(self, a: tuple[str, int | str], b: tuple[str, int | str]) -> None:
        kept, gone = self.find(a), self.find(b)
        if kept == gone:
            return
        self.parent[gone] = kept
        self.extent[kept] = max(self.extent[kept], self.extent[gone])
        self.kind[kept] = max(self.kind[kept], self.kind[gone], key=_STRICTNESS.index)


_STRICTNESS = [AxisKind.PARALLEL, AxisKind.SUM, AxisKind.WHOLE]
