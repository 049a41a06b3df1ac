"""The program from the plan: kernels get their place and their names, streams join them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod

from wsc.backends.wafer.chunks import chunk_views, feed_chunks, result_chunks
from wsc.backends.wafer.cutting import Cutting
from wsc.backends.wafer.emit.kernel import DraftedKernel, draft_kernel
from wsc.backends.wafer.emit.routes import End, Trip, choose_routes
from wsc.backends.wafer.estimate import code_bytes
from wsc.backends.wafer.instructions import Recv, Send
from wsc.backends.wafer.kernels import Feed, resolve
from wsc.backends.wafer.plan import Plan, PlannedKernel
from wsc.backends.wafer.program import HOST, Endpoint, Instruction, Kernel, Program, Stream
from wsc.compiler.ir.graph import Graph
from wsc.compiler.ops import Op


def emit(plan: Plan) -> Program:
    """The program that carries out a plan."""
    drafts = _drafts(plan)
    streams = _Streams(plan, drafts)
    kernels = tuple(_bind(plan, p, drafts[p.kernel.name], streams) for p in plan.kernels)
    graph, machine = plan.graph, plan.machine
    return Program(
        graph.name,
        machine.name,
        machine.grid.width_cores,
        machine.grid.height_cores,
        tuple((node.name, node.type) for node in graph.inputs),
        tuple((_output_name(i), graph[name].type) for i, name in enumerate(graph.outputs)),
        kernels,
        tuple(streams.all),
    )


def _output_name(number: int) -> str:
    return f"out{number}"


def _drafts(plan: Plan) -> dict[str, DraftedKernel]:
    """Each kernel drafted; kernels of one structure and cutting share a draft."""
    made: dict[tuple[object, Cutting], DraftedKernel] = {}
    result = {}
    for p in plan.kernels:
        key = (p.kernel.signature, p.candidate.cutting)
        if key not in made:
            made[key] = draft_kernel(p.kernel, p.candidate.cutting)
        result[p.kernel.name] = made[key]
    return result


class _Streams:
    """All streams of a program, by the kernel that sends and by the feed that receives."""

    def __init__(self, plan: Plan, drafts: Mapping[str, DraftedKernel]) -> None:
        self.plan, self.drafts = plan, drafts
        self.producers = {p.kernel.result.name: p for p in plan.kernels}
        self.placed = {p.kernel.name: p for p in plan.kernels}
        self.all: list[Stream] = []
        self.into: dict[tuple[str, str], str] = {}
        self.out_of: dict[str, list[str]] = {p.kernel.name: [] for p in plan.kernels}
        for p in plan.kernels:
            for feed in p.kernel.streams:
                self._join(p, feed)
        self._route()
        for number, name in enumerate(plan.graph.outputs):
            self._to_host(plan.graph, number, name)

    def _add(self, stream: Stream) -> None:
        self.all.append(stream)
        if stream.source.kernel != HOST:
            self.out_of[stream.source.kernel].append(stream.name)

    def _join(self, p: PlannedKernel, feed: Feed) -> None:
        source = self._source(feed.source)
        dim, chunks = feed_chunks(feed, p.candidate.cutting.chunking)
        target = Endpoint(p.kernel.name, feed.name, feed.type, chunks, dim, (p.x, p.y))
        buffer = next(b for b in self.drafts[p.kernel.name].buffers if b.name == feed.name)
        stream = Stream(
            f"s{len(self.all)}",
            source,
            target,
            _views(feed.views, source, target),
            buffer.copies,
            "xy",
        )
        self.into[p.kernel.name, feed.name] = stream.name
        self._add(stream)

    def _to_host(self, graph: Graph, number: int, name: str) -> None:
        node, views = resolve(graph, name)
        source = self._source(node)
        passed = chunk_views(views, source.type, source.dim, source.chunks) if source.chunks > 1 else None
        chunks, dim = (source.chunks, passed[1]) if passed else (1, 0)
        target = Endpoint(HOST, _output_name(number), graph[name].type, chunks, dim)
        self._add(Stream(f"s{len(self.all)}", source, target, _views(views, source, target), 2, "xy"))

    def _source(self, name: str) -> Endpoint:
        if name not in self.producers:
            return Endpoint(HOST, name, self.plan.graph[name].type)
        p = self.producers[name]
        dim, chunks = result_chunks(p.kernel, p.candidate.cutting.chunking)
        result = self.drafts[p.kernel.name].result
        return Endpoint(p.kernel.name, result.name, p.kernel.result.type, chunks, dim, (p.x, p.y))

    def _route(self) -> None:
        """Choose the way of every stream between kernels."""
        inside = [i for i, stream in enumerate(self.all) if stream.source.kernel != HOST]
        trips = [self._trip(self.all[i]) for i in inside]
        machine = self.plan.machine
        routes = choose_routes(trips, machine.grid.width_cores, machine.grid.height_cores)
        for i, route in zip(inside, routes, strict=True):
            self.all[i] = replace(self.all[i], route=route)

    def _trip(self, stream: Stream) -> Trip:
        p, q = self.placed[stream.source.kernel], self.placed[stream.target.kernel]
        draft = self.drafts[stream.target.kernel]
        into = next(b for b in draft.buffers if b.name == stream.target.buffer).layout
        out = self.drafts[stream.source.kernel].result.layout
        return Trip(_end(p, out.axes), _end(q, into.axes), stream.target.type.bytes / 4)


def _end(p: PlannedKernel, axes: tuple[str, ...]) -> End:
    c = p.candidate
    return End(p.x, p.y, c.width, c.height, _spread(p, axes, "x"), _spread(p, axes, "y"))


def _spread(p: PlannedKernel, axes: tuple[str, ...], along: str) -> int:
    return prod(a.parts for a in p.candidate.cutting.mesh.axes if a.along == along and a.name in axes)


def _views(views: tuple[Op, ...], source: Endpoint, target: Endpoint) -> tuple[Op, ...]:
    """The views as they act on what passes: a chunk where both ends have the same chunks, else the whole tensor."""
    if source.chunks == target.chunks > 1:
        passed = chunk_views(views, source.type, source.dim, source.chunks)
        assert passed is not None
        return passed[0]
    return views


def _bind(plan: Plan, p: PlannedKernel, draft: DraftedKernel, streams: _Streams) -> Kernel:
    """A draft with its place, its weights' keys and its streams' names."""
    name, chunking = p.kernel.name, p.candidate.cutting.chunking
    keys = {f.name: plan.graph[f.source].op.key for f in p.kernel.feeds if f.is_weight}  # type: ignore[attr-defined]
    buffers = tuple(replace(b, key=keys[b.name]) if b.role == "weight" else b for b in draft.buffers)
    sends = tuple(Instruction(Send(s), (draft.result.name,)) for s in streams.out_of[name])
    once = tuple(_received(i, name, streams) for i in draft.once)
    body = tuple(_received(i, name, streams) for i in draft.body) + sends
    return Kernel(
        name,
        p.kernel.group,
        p.x,
        p.y,
        p.candidate.cutting.mesh,
        buffers,
        once,
        chunking.chunks,
        body,
        code_bytes(len(once) + len(body), plan.machine),
        str(p.kernel.anchor.location),
    )


def _received(instruction: Instruction, kernel: str, streams: _Streams) -> Instruction:
    op = instruction.op
    return (
        replace(instruction, op=Recv(streams.into[kernel, op.stream]))
        if isinstance(op, Recv)
        else instruction
    )
