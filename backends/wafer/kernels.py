"""Cuts a graph into kernels: an anchor op with what can be computed in place on its result.

A kernel has one result. Movement that only renames elements (views) belongs to no kernel: it is done by the streams
between them. Each dimension of each tensor of a kernel is walked by one of the kernel's axes, found by unifying the
tilings of its ops; a region of cores may later be cut along those axes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count

from networkx.utils import UnionFind

from wsc.backends.wafer.program import HOST
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
from wsc.compiler.ops.base import Axis

_IN_PLACE = (Elementwise, Cast)
_LOCAL = (*_IN_PLACE, Concat)
_QUICK = 32  # elements along a dimension that one core goes through in no time
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
        ops = tuple(
            (n.op, n.type, tuple(index[o] for o in names))
            for n, names in zip(self.nodes, self.operands, strict=True)
        )
        feeds = tuple((f.type, f.is_weight, f.axes, f.windows) for f in self.feeds)
        return (ops, feeds, self.axes, self.result_axes)


def cut_kernels(graph: Graph) -> tuple[FusedKernel, ...]:
    """The kernels of a graph, in topological order. The graph has passed the wafer's legalize."""
    groups = _group_nodes(graph)
    names = _names([nodes[0] for nodes in groups])
    return tuple(_Builder(graph, nodes).build(name) for name, nodes in zip(names, groups, strict=True))


def _names(anchors: Sequence[Node]) -> list[str]:
    """For people: the module of each anchor; with what it does, and a number, where the module has several kernels."""
    modules = Counter(anchor.location.module for anchor in anchors)
    names: dict[str, None] = {}
    for anchor in anchors:
        module, op = anchor.location.module, anchor.op
        does = op.fn if isinstance(op, Elementwise) else op.kind
        name = module if module and modules[module] == 1 else f"{module}.{does}".lstrip(".")
        free = (f"{name}_{i}" if i else name for i in count())
        names[next(n for n in free if n not in names and n != HOST)] = None
    return list(names)


def resolve(graph: Graph, name: str) -> tuple[str, tuple[Op, ...]]:
    """The node that a value comes from when views are looked through, and the views, first applied first."""
    views: list[Op] = []
    while isinstance(graph[name].op, VIEWS):
        views.append(graph[name].op)
        (name,) = graph[name].inputs
    return name, tuple(reversed(views))


def _group_nodes(graph: Graph) -> list[list[Node]]:
    """Nodes by kernel, the anchor first.

    An elementwise node joins the kernel whose result it alone reads, the latest of them. Kernels that only compute in
    place, and whose result it alone reads too, join with it: rotary embedding becomes one kernel.
    """
    groups: dict[str, list[Node]] = {}  # by the last node
    for node in graph.nodes:
        if node.is_source or isinstance(node.op, VIEWS):
            continue
        able = [n for n in dict.fromkeys(node.inputs) if n in groups and _may_join(graph, node, n)]
        host = able[-1] if able and isinstance(node.op, _IN_PLACE) else ""
        # what is summed over cores ends scattered along any dimension, also one that concat needs whole
        joining = _LOCAL if _is_local(groups.get(host, [])) else _IN_PLACE
        guests = [n for n in able if n != host and _is_local(groups[n], joining)]
        members = [*groups.pop(host, []), *(m for n in guests for m in groups.pop(n))]
        groups[node.name] = [*members, node]
    return list(groups.values())


def _is_local(nodes: Sequence[Node], ops: tuple[type[Op], ...] = _LOCAL) -> bool:
    return all(isinstance(node.op, ops) for node in nodes)


def _may_join(graph: Graph, node: Node, operand: str) -> bool:
    """Whether a node can be computed where its operand lies: nobody else reads it, and dimensions stay in place."""
    if not isinstance(node.op, _LOCAL) or operand in graph.outputs:
        return False
    if _is_narrow(node) or _is_narrow(graph[operand]):
        return False
    only_reader = graph.users[operand] == (node,) and node.inputs.count(operand) == 1
    return only_reader and (isinstance(node.op, Concat) or graph[operand].type.shape == node.type.shape)


def _is_narrow(node: Node) -> bool:
    """Whether a concat needs whole more than it leaves to be cut: work that joined it would have too few cores."""
    if not isinstance(node.op, Concat):
        return False
    whole = node.type.shape[node.op.dim]
    return whole > _QUICK and node.type.elements < whole * whole


_Key = tuple[str, int | str]  # a value and a dimension of it, or a node and an axis of its iteration space
_Row = Callable[[str, TensorType], tuple[int | None, ...]]


class _Builder:
    """Builds one kernel: names its feeds and unifies its axes."""

    def __init__(self, graph: Graph, nodes: list[Node]) -> None:
        self.graph = graph
        self.nodes = nodes
        self.inside = {n.name for n in nodes}
        self.feeds: dict[tuple[str, tuple[Op, ...], int], str] = {}
        self.links: UnionFind = UnionFind()
        self.axes: dict[_Key, Axis] = {}
        self.windows: dict[_Key, Window] = {}

    def build(self, name: str) -> FusedKernel:
        operands = tuple(self._operands(i, node) for i, node in enumerate(self.nodes))
        for node, names in zip(self.nodes, operands, strict=True):
            self._unify(node, names)
        numbers, axes = self._number()

        def row(value: str, type: TensorType) -> tuple[int | None, ...]:
            return tuple(numbers.get(self.links[value, d]) for d in range(type.rank))

        feeds = tuple(self._feed(feed, key[0], key[1], row) for key, feed in self.feeds.items())
        results = tuple(row(n.name, n.type) for n in self.nodes)
        return FusedKernel(name, tuple(self.nodes), operands, feeds, axes, results)

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

    def _unify(self, node: Node, names: tuple[str, ...]) -> None:
        tiling = node.op.tiling(self.graph.operand_types(node), node.type)
        for index, axis in enumerate(tiling.axes):
            self.axes[node.name, f"axis{index}"] = axis
        for slot, (name, row) in enumerate(zip(names, tiling.operands, strict=True)):
            for d, found in enumerate(row):
                if found is not None:
                    self.links.union((node.name, f"axis{found}"), (name, d))
                elif name in self.inside:
                    self._keep_whole(name, d)
                if window := tiling.window(slot, d):
                    self.windows[name, d] = window
        for d, found in enumerate(tiling.result):
            if found is not None:
                self.links.union((node.name, f"axis{found}"), (node.name, d))

    def _keep_whole(self, name: str, dim: int) -> None:
        """A dimension of an inner value that some node needs whole (or that is 1) is not cut."""
        extent = self.graph[name].type.shape[dim]
        self.axes[name, f"whole{dim}"] = Axis(f"whole{dim}", extent, AxisKind.WHOLE)
        self.links.union((name, f"whole{dim}"), (name, dim))

    def _number(self) -> tuple[dict[_Key, int], tuple[KernelAxis, ...]]:
        """The kernel's axes: classes of its nodes' axes, each as long as the longest, as strict as the strictest."""
        classes: dict[_Key, list[Axis]] = {}
        for key, axis in self.axes.items():
            classes.setdefault(self.links[key], []).append(axis)
        numbers = {root: i for i, root in enumerate(classes)}
        return numbers, tuple(
            KernelAxis(max(a.extent for a in found), max((a.kind for a in found), key=_STRICTNESS.index))
            for found in classes.values()
        )

    def _feed(self, name: str, source: str, views: tuple[Op, ...], row: _Row) -> Feed:
        type = self.graph[source].type
        for op in views:
            type = op.infer([type])
        slid = tuple(self.windows.get((name, d)) for d in range(type.rank))
        return Feed(name, source, views, type, self.graph[source].is_weight, row(name, type), slid)


_STRICTNESS = [AxisKind.PARALLEL, AxisKind.SUM, AxisKind.WHOLE]
