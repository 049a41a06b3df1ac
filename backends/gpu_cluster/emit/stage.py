"""Writes one stage of a captured graph: kernels, the collectives between them, messages, memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from wsc.backends.gpu_cluster.instructions import (
    Alloc,
    Communicate,
    Free,
    Instruction,
    Keep,
    Launch,
    Recv,
    Send,
    Step,
)
from wsc.backends.gpu_cluster.kernels import Pointwise
from wsc.backends.gpu_cluster.lowering import VIEWS, kernel_of
from wsc.backends.gpu_cluster.plan.graph_plan import GraphPlan, crossings, is_weight_view, output_share
from wsc.backends.gpu_cluster.plan.options import PARTIAL, WHOLE
from wsc.backends.gpu_cluster.plan.spread import conversion
from wsc.backends.gpu_cluster.program import Buffer, RankClass
from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.layout import Cut, Layout
from wsc.compiler.ops import Attention, Contract, Expand, Grouped, Input, Op, Reshape

TENSOR = "tensor"


@dataclass
class _Open:
    """A kernel that is being put together: pointwise work joins the kernel before it where it reads its result."""

    label: str = ""
    steps: list[Step] = field(default_factory=list)
    fixed: Launch | None = None  # a product or attention, which takes views alone
    elements: int = 0


@dataclass
class StageWriter:
    """Writes the class of ranks of one stage."""

    plan: GraphPlan
    stage: int
    buffers: dict[str, Buffer] = field(default_factory=dict)
    out: list[Instruction] = field(default_factory=list)
    _open: _Open = field(default_factory=_Open)
    _layouts: dict[tuple[int, int, int], Layout] = field(default_factory=dict)

    @cached_property
    def _leaving(self) -> frozenset[str]:
        return frozenset(self.graph.outputs)

    @property
    def graph(self) -> Graph:
        """The graph that is written."""
        return self.plan.graph

    def ranks(self) -> RankClass:
        """All of the stage."""
        sends: dict[str, set[int]] = {}
        for name, source, target in crossings(self.graph, self.plan.stage_of):
            if target == self.stage:
                self._receive(name, source)
            if source == self.stage:
                sends.setdefault(name, set()).add(target)
        for node in self.graph.nodes:
            if self.plan.stage_of.get(node.name) != self.stage:
                continue
            self._node(node)
            for target in sorted(sends.get(node.name, ())):
                self._send(node.name, target)
        outputs = tuple(self._outputs())
        self._close()
        where = (("stage", self.stage),)
        body = tuple(with_memory(self.out, self.buffers, [name for _, name in outputs]))
        return RankClass(where, body, tuple(self.buffers.values()), outputs)

    # -- values and their shares

    def _layout(self, rank: int, share: int, extent: int) -> Layout:
        key = (rank, share, extent)
        if key not in self._layouts:
            parts = self.plan.mesh.tensor
            cuts = tuple((Cut(TENSOR, extent // parts),) if d == share else () for d in range(rank))
            self._layouts[key] = Layout(cuts, (), (TENSOR,) if share == PARTIAL else ())
        return self._layouts[key]

    def _buffer(self, name: str, value: str, share: int, role: str = "local", key: str = "") -> str:
        """Make a buffer for a value in a share."""
        type = self.graph[value].type
        extent = type.shape[share] if share >= 0 else 0
        self.buffers[name] = Buffer(name, type, self._layout(type.rank, share, extent), role, key)
        return name

    def _named(self, value: str, share: int) -> str:
        """The buffer that holds a value in a share."""
        own = self._own_share(value)
        if own is not None and share == own:
            return value
        return f"{value}.{'whole' if share == WHOLE else f'cut{share}'}"

    def _own_share(self, value: str) -> int | None:
        return None if self.graph[value].is_source or self._is_view(value) else self.plan.spread.share(value)

    def _is_view(self, value: str) -> bool:
        return is_weight_view(self.graph, value)

    def _value(self, value: str, share: int) -> str:
        """The buffer of a value in the share that is needed, brought there first where it is not."""
        name = self._named(value, share)
        if name in self.buffers:
            return name
        node = self.graph[value]
        if node.is_source or self._is_view(value):
            return self._source(node, name, share)
        have = self.plan.spread.share(value)
        self._close()
        self._buffer(name, value, share)
        kind = conversion(have, share)
        if kind is None:
            self.out.append(Keep(value, name, share, (TENSOR,)))
            return name
        type = node.type
        size = type.bytes // self.plan.mesh.tensor if kind == "all_to_all" else type.bytes
        dim, other = (share, have) if kind == "all_to_all" else (max(share, have), -1)
        self.out.append(Communicate(kind, size, (TENSOR,), name, value, name, dim, other))
        return name

    def _source(self, node: Node, name: str, share: int) -> str:
        """An input or a weight, read in the share that is needed; a view of a weight is read through it."""
        views: tuple[Op, ...] = ()
        origin = node
        if not node.is_source:
            views, origin = (node.op,), self.graph[node.inputs[0]]
        if isinstance(origin.op, Input):
            self._buffer(name, node.name, share, "input", str(origin.op.index))
        else:
            self._buffer(name, node.name, share, "weight", origin.op.key)  # type: ignore[attr-defined]
        self.buffers[name] = replace(self.buffers[name], views=views)
        return name

    # -- kernels

    def _node(self, node: Node) -> None:
        if self._is_view(node.name):
            return
        option = self.plan.spread.options[node.name]
        operands = [self._value(n, s) for n, s in zip(node.inputs, option.operands, strict=True)]
        self._buffer(node.name, node.name, option.result)
        tiles = [self.buffers[name].tile for name in operands]
        result = self.buffers[node.name].tile
        step = Step(node.name, _local(node.op, result.shape), tuple(operands))
        if isinstance(node.op, VIEWS):
            self._open.steps.append(step)
            return
        if isinstance(node.op, Contract | Attention | Grouped):
            self._close_kernel()
            self._open.steps.append(step)
            self._open.fixed = Launch(kernel_of(node.op, tiles, result), node.name)
            return
        written = {s.result for s in self._open.steps}
        joins = self._open.label and self._open.fixed is None and self._open.elements == result.elements
        if not (joins and written & set(operands)):
            self._close_kernel()
        self._open.label = node.name
        self._open.elements = result.elements
        self._open.steps.append(step)

    def _close_kernel(self) -> None:
        """Launch what is open, if it is a kernel; views that none reads yet wait for the next."""
        if self._open.fixed is not None or self._open.label:
            self._close()

    def _close(self) -> None:
        """Launch what is open; views by themselves are a copy."""
        steps, fixed = tuple(self._open.steps), self._open.fixed
        if fixed is not None:
            self.out.append(replace(fixed, steps=steps))
        elif steps:
            label = self._open.label or steps[-1].result
            self.out.append(Launch(self._streamed(steps), label, steps))
        self._open = _Open()

    def _streamed(self, steps: tuple[Step, ...]) -> Pointwise:
        """One kernel of several steps: reads what comes from outside, writes what is read outside."""
        inside = {step.result for step in steps}
        read = {name for step in steps for name in step.operands if name not in inside}
        views = {step.result: step.operands[0] for step in steps if isinstance(step.op, VIEWS)}
        written = {views.get(name, name) for name in inside if self._leaves(name, inside)}
        return Pointwise(
            sum(self.buffers[name].tile.bytes for name in read),
            sum(
                self.buffers[name].tile.bytes
                for name in written
                if name in inside or len(steps) == len(views)
            ),
            sum(self._work(step) for step in steps),
        )

    def _leaves(self, name: str, inside: set[str]) -> bool:
        users = self.graph.users[name]
        return name in self._leaving or any(user.name not in inside for user in users)

    def _work(self, step: Step) -> int:
        types = [self.buffers[name].tile for name in step.operands]
        return step.op.work(types, self.buffers[step.result].tile).vector_ops

    # -- between stages, and out

    def _receive(self, name: str, source: int) -> None:
        self._buffer(name, name, self.plan.spread.share(name))
        size = self.buffers[name].tile.bytes
        self.out.append(Recv(name, "stage", source - self.stage, size, name))

    def _send(self, name: str, target: int) -> None:
        self._close()
        last = self.out[-1]
        if isinstance(last, Launch):
            self.out[-1] = replace(last, event="made")
        size = self.buffers[name].tile.bytes
        self.out.append(Send(name, "stage", target - self.stage, size, name, stream="send", after=("made",)))

    def _outputs(self) -> Iterator[tuple[int, str]]:
        for number, name in enumerate(self.graph.outputs):
            node = self.graph[name]
            at_source = node.is_source or self._is_view(name)
            if self.plan.stage_of.get(name, 0) != self.stage:
                continue
            share = WHOLE if at_source else output_share(self.plan.spread.share(name))
            yield number, self._value(name, share)


def _local(op: Op, shape: tuple[int, ...]) -> Op:
    """An op as it stands for tiles: shapes that it names are those of the result's tile."""
    if isinstance(op, Reshape | Expand):
        return replace(op, shape=shape[op.batch :])
    return op


def with_memory(
    body: list[Instruction], buffers: dict[str, Buffer], outputs: list[str]
) -> Iterator[Instruction]:
    """The instructions with memory taken before a buffer's first use and given back after its last.

    A view takes none, and keeps what it views. Weights and inputs are there from the start.
    """
    views = {
        step.result: step.operands[0]
        for i in body
        if isinstance(i, Launch)
        for step in i.steps
        if isinstance(step.op, VIEWS) and step.operands
    }
    views |= {i.result: i.operand for i in body if isinstance(i, Keep)}

    def root(name: str) -> str:
        while name in views:
            name = views[name]
        return name

    touched = [list(dict.fromkeys(root(name) for name in _names(i))) for i in body]
    inner = _within_kernels(body, outputs, root)
    last = {name: place for place, names in enumerate(touched) for name in names}
    lasting = {name for name, b in buffers.items() if b.role != "local"}
    for name in sorted(lasting):
        yield Alloc(name, buffers[name].tile.bytes)
    taken = set(lasting) | inner
    kept = lasting | {root(name) for name in outputs} | inner
    for place, instruction in enumerate(body):
        for name in touched[place]:
            if name not in taken:
                taken.add(name)
                yield Alloc(name, buffers[name].tile.bytes)
        yield instruction
        yield from (Free(name) for name in touched[place] if last[name] == place and name not in kept)


def _within_kernels(body: list[Instruction], outputs: list[str], root: object) -> set[str]:
    """Results that live within one kernel, in registers: no other instruction touches them."""
    seen: dict[str, set[int]] = {}
    for place, instruction in enumerate(body):
        for name in _names(instruction):
            seen.setdefault(root(name), set()).add(place)  # type: ignore[operator]
    leaving = {root(name) for name in outputs}  # type: ignore[operator]
    return {
        name
        for name, places in seen.items()
        if len(places) == 1 and name not in leaving and isinstance(body[min(places)], Launch)
    }


def _names(instruction: Instruction) -> list[str]:
    """Buffers that an instruction touches."""
    match instruction:
        case Launch(steps=steps):
            return [name for step in steps for name in (*step.operands, step.result)]
        case Communicate(operand=operand, result=result) | Keep(operand=operand, result=result):
            return [operand, result]
        case Send(operand=operand):
            return [operand]
        case Recv(result=result):
            return [result]
        case _:
            return []
