"""The program of a sequential plan: one kernel a segment, streams between them and with the host."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from wsc.backends.wafer.instructions import Recv, Send
from wsc.backends.wafer.program import HOST, Endpoint, Instruction, Kernel, Program, Stream
from wsc.backends.wafer.sequential.draft import Value
from wsc.backends.wafer.sequential.placed import PlacedSegment
from wsc.backends.wafer.sequential.plan import SequentialPlan
from wsc.compiler.ops import Op, Permute, Reshape


def emit_sequential(plan: SequentialPlan) -> Program:
    """The program that carries out a plan."""
    graph, machine = plan.graph, plan.machine
    streams = _Streams(plan)
    return Program(
        graph.name,
        machine.name,
        machine.grid.width_cores,
        machine.grid.height_cores,
        tuple((node.name, node.type) for node in graph.inputs),
        tuple((f"out{i}", graph[name].type) for i, name in enumerate(graph.outputs)),
        tuple(streams.bind(s) for s in plan.segments),
        tuple(streams.all),
    )


class _Streams:
    """Streams by the kernel and the label that its recv or send has in the draft."""

    def __init__(self, plan: SequentialPlan) -> None:
        self.plan, self.dims = plan, plan.dims
        self.all: list[Stream] = []
        self.inward: dict[tuple[str, str], str] = {}
        self.outward: dict[tuple[str, str], str] = {}
        for before, segment in zip((None, *plan.segments), plan.segments, strict=False):
            for label, value in segment.laid.drafted.inward.items():
                self._into(segment, label, value, before)
            for label, node, value in segment.laid.drafted.outward:
                if label.startswith("out") and label[3:].isdigit():
                    self._to_host(segment, label, node, value)

    def bind(self, placed: PlacedSegment) -> Kernel:
        """The kernel of a segment, with the names of its streams."""
        laid = placed.laid
        name = laid.segment.name
        body = tuple(self._bound(name, i) for i in laid.drafted.body)
        nodes = (*laid.segment.inside(self.plan.rolled), *laid.segment.before, *laid.segment.after)
        location = str(self.plan.graph[nodes[0]].location) if nodes else ""
        return Kernel(
            name,
            self.plan.schedule,
            placed.x,
            placed.y,
            laid.drafted.mesh,
            laid.drafted.buffers,
            (),
            1,
            body,
            laid.code,
            location,
            in_order=True,
            wafer=placed.wafer,
        )

    def _bound(self, kernel: str, instruction: Instruction) -> Instruction:
        op = instruction.op
        if isinstance(op, Recv):
            return replace(instruction, op=Recv(self.inward[kernel, op.stream]))
        if isinstance(op, Send):
            return replace(instruction, op=Send(self.outward[kernel, op.stream]))
        return instruction

    def _add(self, source: Endpoint, target: Endpoint, views: tuple[Op, ...], route: str = "xy") -> str:
        name = f"s{len(self.all)}"
        self.all.append(Stream(name, source, target, views, 1, route))
        return name

    def _into(self, placed: PlacedSegment, label: str, value: Value, before: PlacedSegment | None) -> None:
        kernel = placed.laid.segment.name
        target = _end(placed, value)
        if label in placed.laid.segment.received:
            assert before is not None
            source = next(
                v for name, _, v in before.laid.drafted.outward if name in (label, self._later(label))
            )
            order = tuple(source.atoms.index(a) for a in value.atoms)
            views: tuple[Op, ...] = () if order == tuple(range(len(order))) else (Permute(order),)
            end = _end(before, source)
            if source.buffer.type.rank != len(order):
                views = (Reshape(tuple(source.buffer.type.shape)), *views)
            self.inward[kernel, label] = self._add(end, target, views, _route(before, source, placed, value))
            sent = before.laid.segment
            for name, _, v in before.laid.drafted.outward:
                if v is source:
                    self.outward[sent.name, name] = self.inward[kernel, label]
            return
        type = self.plan.graph[label].type
        views = () if type.shape == value.buffer.type.shape else (Reshape(value.buffer.type.shape),)
        self.inward[kernel, label] = self._add(Endpoint(HOST, label, type), target, views)

    def _later(self, label: str) -> str:
        """The name under which the segment before knows a carried value."""
        return self.plan.rolled.carried.get(label, label)

    def _to_host(self, placed: PlacedSegment, label: str, node: str, value: Value) -> None:
        type = self.plan.graph[self.plan.graph.outputs[int(label[3:])]].type
        order = tuple(value.slots.index(a) for a in self.dims.atoms(node))
        rest = tuple(d for d in range(len(value.slots)) if d not in order)
        views: list[Op] = []
        if (*rest, *order) != tuple(range(len(value.slots))):
            views.append(Permute((*rest, *order)))
        if type.shape != tuple(value.buffer.type.shape[d] for d in (*rest, *order)):
            views.append(Reshape(type.shape))
        stream = self._add(_end(placed, value), Endpoint(HOST, label, type), tuple(views))
        self.outward[placed.laid.segment.name, label] = stream


def _end(placed: PlacedSegment, value: Value) -> Endpoint:
    buffer = value.buffer
    return Endpoint(placed.laid.segment.name, buffer.name, buffer.type, at=(placed.x, placed.y))


def _route(before: PlacedSegment, source: Value, placed: PlacedSegment, target: Value) -> str:
    """Rows or columns first: whichever leaves less to the fullest link, each line taking an equal share."""
    (a, b), (c, d) = _spread(before, source), _spread(placed, target)  # columns and rows of both ends
    return "xy" if min(b, c) >= min(a, d) else "yx"


def _spread(placed: PlacedSegment, value: Value) -> tuple[int, int]:
    """Over how many columns and rows a value is spread."""
    mesh, layout = placed.laid.drafted.mesh, value.buffer.layout
    columns, rows = (
        prod(a.parts for a in mesh.axes if a.along == along and a.name in layout.axes) for along in "xy"
    )
    return columns, rows
