"""Cuts a graph into stages: a product by a weight, or something the digital lanes do at length, and what follows it."""

from __future__ import annotations

from dataclasses import dataclass

from wsc.backends.cim.program import Span
from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ops import (
    Attention,
    Cast,
    Contract,
    Elementwise,
    Gather,
    Grouped,
    IntegerContract,
    Norm,
    Pool,
    Recurrence,
    Reduce,
    Scan,
    Softmax,
    TopK,
)
from wsc.compiler.ops.base import AxisKind

_HEADS = (
    Attention,
    Contract,
    Gather,
    Grouped,
    Norm,
    Pool,
    Recurrence,
    Reduce,
    Scan,
    Softmax,
    TopK,
)  # begin a stage of their own
WHOLE = -1  # of a value that does not stream


@dataclass(frozen=True)
class Draft:
    """A stage before it is sized: `head` gives it its name; `nodes` in order, the head first where it computes."""

    index: int
    head: Node
    nodes: tuple[Node, ...]

    @property
    def is_crossbar(self) -> bool:
        """Whether the head is a product by a weight that crossbars can hold."""
        return isinstance(self.head.op, IntegerContract)


@dataclass(frozen=True)
class Cut:
    """The stages of a graph, where each value is made, and along which dimension it streams (WHOLE: at once)."""

    graph: Graph
    drafts: tuple[Draft, ...]
    stage_of: dict[str, int]
    stream_dim: dict[str, int]

    def rows(self, draft: Draft) -> int:
        """Extent of the dimension along which a stage streams; 1 where it does not."""
        dim = self.stream_dim[draft.head.name]
        return 1 if dim == WHOLE else draft.head.type.shape[dim]

    def span(self, draft: Draft, name: str) -> Span | None:
        """Rows of the value `name` from outside that the stage's rows need; None for the whole of it."""
        spans = [
            self._span_at(node, i) for node in draft.nodes for i, n in enumerate(node.inputs) if n == name
        ]
        if any(span is None for span in spans):
            return None
        known = [span for span in spans if span is not None]
        if len({span.stride for span in known}) != 1:
            return None
        lo = max(span.lo for span in known)
        return Span(known[0].stride, lo, max(span.taps - span.lo for span in known) + lo)

    def _span_at(self, node: Node, operand: int) -> Span | None:
        dim, source = self.stream_dim[node.name], self.stream_dim.get(node.inputs[operand], WHOLE)
        if dim == WHOLE or source == WHOLE:
            return None
        return link(self.graph, node, dim).get((operand, source))


def link(graph: Graph, node: Node, dim: int) -> dict[tuple[int, int], Span]:
    """(operand, dimension) that a dimension of the result walks along, and how."""
    operands = graph.operand_types(node)
    tiling = node.op.tiling(operands, node.type)
    axis = tiling.result[dim]
    if axis is None or tiling.axes[axis].kind is not AxisKind.PARALLEL:
        return {}
    found = {}
    for i, row in enumerate(tiling.operands):
        for d, walked in enumerate(row):
            if walked != axis:
                continue
            window = tiling.window(i, d)
            if window is not None:
                taps = window.dilation * (window.taps - 1) + 1
                found[(i, d)] = Span(window.stride, window.lo, taps)
            elif operands[i].shape[d] == node.type.shape[dim]:
                found[(i, d)] = Span(1, 0, 1)
    return found


def cut(graph: Graph) -> Cut:
    """Stages in topological order: a node joins the latest stage that it reads from, unless it heads one."""
    members: list[list[Node]] = []
    stage_of: dict[str, int] = {}
    for node in graph:
        if node.is_source:
            continue
        before = [stage_of[name] for name in node.inputs if name in stage_of]
        if isinstance(node.op, _HEADS) or not before:
            members.append([])
            stage_of[node.name] = len(members) - 1
        else:
            stage_of[node.name] = max(before)
        members[stage_of[node.name]].append(node)
    _sink(graph, members, stage_of)
    drafts = tuple(Draft(i, nodes[0], tuple(nodes)) for i, nodes in enumerate(members))
    result = Cut(graph, drafts, stage_of, {})
    for node in graph.inputs:
        result.stream_dim[node.name] = _input_dim(graph, node)
    for draft in drafts:
        _choose_dims(result, draft)
    return result


def _sink(graph: Graph, members: list[list[Node]], stage_of: dict[str, int]) -> None:
    """Move what only widens integers to the stage that reads the result: the integers travel instead."""
    for node in reversed(graph.nodes):
        if not _widens(graph, node) or node.name not in stage_of or node.name in graph.outputs:
            continue
        readers = {stage_of[user.name] for user in graph.users[node.name]}
        here = stage_of[node.name]
        if len(readers) != 1 or here in readers or node is members[here][0]:
            continue
        (there,) = readers
        if node.name in members[there][0].inputs:
            continue  # a stage begins with its head: what that reads must come from outside
        members[here].remove(node)
        members[there].append(node)
        stage_of[node.name] = there
    order = {node.name: number for number, node in enumerate(graph.nodes)}
    for nodes in members:
        nodes[1:] = sorted(nodes[1:], key=lambda n: order[n.name])


def _widens(graph: Graph, node: Node) -> bool:
    """Whether a node is a cast of integers to floats, or a scaling of one."""
    if len(node.inputs) != 1 or not isinstance(node.op, Cast | Elementwise):
        return False
    before = graph[node.inputs[0]]
    if isinstance(node.op, Cast):
        return before.type.dtype.is_integer and not before.is_source and before.type.bytes < node.type.bytes
    return isinstance(before.op, Cast) and _widens(graph, before)


def _input_dim(graph: Graph, node: Node) -> int:
    """An input streams along the dimension that its first reader would walk, or its longest but the last."""
    for user in graph.users[node.name]:
        dims = [
            (d, span)
            for dim in range(user.type.rank)
            for (i, d), span in _walk(graph, user, dim).items()
            if user.inputs[i] == node.name and node.type.shape[d] > 1
        ]
        windows = [d for d, span in dims if span.taps > 1 or span.stride > 1]
        inner = [d for d in windows or [d for d, _ in dims] if windows or d < node.type.rank - 1]
        if inner:
            return max(inner, key=lambda d: (node.type.shape[d], -d))
    return WHOLE


def _choose_dims(result: Cut, draft: Draft) -> None:
    """The streaming dimensions of a stage's values: the head follows its operands, the others the head."""
    graph, dims = result.graph, result.stream_dim
    dims[draft.head.name] = _head_dim(graph, draft.head, dims)
    rows = result.rows(draft)
    for node in draft.nodes[1:]:
        inside = [(i, name) for i, name in enumerate(node.inputs) if result.stage_of.get(name) == draft.index]
        dims[node.name] = _following(graph, node, inside, dims, rows)


def _walk(graph: Graph, node: Node, dim: int) -> dict[tuple[int, int], Span]:
    """`link`, but nothing where a product would walk along its matrix, which is there as a whole."""
    found = link(graph, node, dim)
    along_matrix = isinstance(node.op, IntegerContract) and any(operand == 1 for operand, _ in found)
    return {} if along_matrix else found


def _head_dim(graph: Graph, node: Node, dims: dict[str, int]) -> int:
    links = {dim: _walk(graph, node, dim) for dim in range(node.type.rank) if node.type.shape[dim] > 1}
    for i, name in enumerate(node.inputs):
        source = dims.get(name, WHOLE)
        for dim, found in links.items():
            if source != WHOLE and (i, source) in found:
                return dim
    # Nothing streams in that could stream on: the longest dimension that an activation shares with the result.
    free = [
        dim
        for dim, found in links.items()
        if any(not graph[node.inputs[i]].is_weight for i, _ in found) and dim < node.type.rank - 1
    ]
    return max(free, key=lambda d: (node.type.shape[d], -d), default=WHOLE)


def _following(
    graph: Graph, node: Node, inside: list[tuple[int, str]], dims: dict[str, int], rows: int
) -> int:
    """The dimension of a node's result that runs with the rows of its stage; WHOLE where there is none.

    Values of the stage decide; where a node reads none of them, what streams in does.
    """
    leading = inside or [(i, name) for i, name in enumerate(node.inputs) if name in dims]
    streaming = [(i, dims[name]) for i, name in leading if dims[name] != WHOLE]
    if not streaming:
        return WHOLE
    for dim in range(node.type.rank):
        if node.type.shape[dim] != rows:
            continue
        found = link(graph, node, dim)
        if all(found.get(place) == Span(1, 0, 1) for place in streaming):
            return dim
    return WHOLE
