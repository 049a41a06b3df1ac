"""A kernel in the making: its buffers and instructions, with no place on the wafer and no names of neighbours yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from wsc.backends.wafer.cutting import Cutting, dimension_cut, extent, overlap
from wsc.backends.wafer.instructions import AllReduce, Halo, Move, Multicast, Recv, ReduceScatter, ReduceTo
from wsc.backends.wafer.kernels import Feed, FusedKernel
from wsc.backends.wafer.program import Buffer, Instruction
from wsc.compiler.ir.types import TensorType
from wsc.compiler.layout import Cut, Layout
from wsc.compiler.ops import Elementwise, Op, Window


@dataclass
class Draft:
    """Builds the instructions of a kernel, cut in a given way. Templates call its methods in order."""

    kernel: FusedKernel
    cutting: Cutting
    buffers: dict[str, Buffer] = field(default_factory=dict)
    once: list[Instruction] = field(default_factory=list)
    body: list[Instruction] = field(default_factory=list)

    # ---- shapes and layouts

    def chunk_type(self, type: TensorType, axes: Sequence[int | None]) -> TensorType:
        """The type of one chunk of a tensor."""
        chunking = self.cutting.chunking
        walked = zip(type.shape, axes, strict=True)
        shape = (n // chunking.chunks if a is not None and a == chunking.axis else n for n, a in walked)
        return TensorType(type.dtype, tuple(shape))

    def layout(self, axes: Sequence[int | None], windows: Sequence[Window | None] = ()) -> Layout:
        """The layout of a tensor whose dimensions are walked by these axes: cut as they are, copied elsewhere."""
        slid = windows or [None] * len(axes)
        found = [(self.cutting.of(a), w) for a, w in zip(axes, slid, strict=True)]
        return Layout(tuple((dimension_cut(c, w),) if c else () for c, w in found))

    def extent(self, axis: int) -> int:
        """Positions of an axis in one chunk."""
        return extent(self.kernel, self.cutting.chunking, axis)

    # ---- buffers and instructions

    def add(
        self, op: Op | Move, operands: Sequence[Buffer], type: TensorType, layout: Layout, copies: int = 1
    ) -> Buffer:
        """Append an instruction with a new local buffer as its result."""
        does = op.fn if isinstance(op, Elementwise) else op.kind
        result = Buffer(f"{does}{len(self.buffers)}", type, layout, "local", copies=copies)
        self.buffers[result.name] = result
        self._section(operands).append(Instruction(op, tuple(b.name for b in operands), result.name))
        return result

    def _section(self, operands: Sequence[Buffer]) -> list[Instruction]:
        """Instructions run once per input as long as nothing they read changes from chunk to chunk."""
        per_input = {i.result for i in self.once}
        names = [b.name for b in operands if b.role != "weight" or b.chunk_dim >= 0]
        return self.once if names and per_input.issuperset(names) else self.body

    def elementwise(
        self, fn: str, operands: Sequence[Buffer], scalars: tuple[float | None, ...] = ()
    ) -> Buffer:
        """Append a local elementwise op on operands of one rank; the result lies as the largest operand."""
        op = Elementwise(fn, scalars or (None,) * len(operands))
        type = op.infer([b.type for b in operands])
        model = next(b for b in operands if b.type.shape == type.shape)
        return self.add(op, operands, type, model.layout)

    # ---- what enters

    def weight(self, feed: Feed, layout: Layout) -> Buffer:
        """A weight, in place before the first input; cut into chunks if the chunked axis walks it."""
        chunking = self.cutting.chunking
        dim = feed.axes.index(chunking.axis) if chunking.axis in feed.axes and chunking.axis >= 0 else -1
        copies = chunking.chunks if dim >= 0 else 1
        buffer = Buffer(
            feed.name, self.chunk_type(feed.type, feed.axes), layout, "weight", feed.name, copies, dim
        )
        self.buffers.setdefault(feed.name, buffer)
        return buffer

    def receive(self, feed: Feed, layout: Layout) -> Buffer:
        """A streamed tensor: arrives on part 0 of the axes that do not cut it, before the chunks or with each."""
        if feed.name in self.buffers:
            return self.buffers[feed.name]
        at = tuple(c.name for c in self.cutting.cuts if c.name not in layout.axes)
        index = self.kernel.streams.index(feed)
        depth = self.cutting.depths[index] if self.cutting.depths else 2
        type = self.chunk_type(feed.type, feed.axes)
        buffer = Buffer(feed.name, type, replace(layout, at=at), "stream", copies=depth)
        self.buffers[feed.name] = buffer
        chunked = self.cutting.chunking.axis >= 0 and self.cutting.chunking.axis in feed.axes
        section = self.body if chunked or self.cutting.chunking.chunks == 1 else self.once
        section.append(Instruction(Recv(feed.name), (), feed.name))
        return buffer

    def operand(self, feed: Feed, fill: float = 0.0) -> Buffer:
        """A feed of the anchor, ready on every core that needs it: halos exchanged, copies made."""
        layout = self.layout(feed.axes, feed.windows)
        if feed.is_weight:
            return self.weight(feed, layout)
        buffer = self._with_halos(feed, self.receive(feed, layout), fill)
        return self.spread(buffer, buffer.layout.at)

    def spread(self, buffer: Buffer, axes: Sequence[str]) -> Buffer:
        """Copies of a buffer along axes that it lies at."""
        if not axes:
            return buffer
        layout = replace(buffer.layout, at=tuple(a for a in buffer.layout.at if a not in axes))
        return self.add(Multicast(tuple(axes)), [buffer], buffer.type, layout, copies=2)

    def _with_halos(self, feed: Feed, buffer: Buffer, fill: float) -> Buffer:
        for d, window in enumerate(feed.windows):
            cut = self.cutting.of(feed.axes[d])
            if window is None or cut is None:
                continue
            lo, hi = overlap(window)
            filled = fill and window.hi  # past the end a tile holds zeros
            if not (lo or hi or filled):
                continue
            cuts = list(buffer.layout.cuts)
            cuts[d] = (Cut(cut.name, cuts[d][0].tile, lo, hi),)
            layout = replace(buffer.layout, cuts=tuple(cuts))
            buffer = self.add(Halo(d, cut.name, lo, hi, fill), [buffer], buffer.type, layout, copies=2)
        return buffer

    # ---- what is combined

    def combined(
        self, partial: Buffer, axes: Sequence[int], fn: str, everywhere: bool, dim: int = -1
    ) -> Buffer:
        """Partial results combined over the cut ones of `axes`: on all parts, or scattered over them along `dim`."""
        for cut in (c for c in self.cutting.cuts if c.axis in axes):
            rest = tuple(a for a in partial.layout.partial if a != cut.name)
            layout = replace(partial.layout, partial=rest)
            if everywhere:
                partial = self.add(AllReduce(cut.name, fn), [partial], partial.type, layout, copies=2)
                continue
            partial = self._scattered(partial, cut.name, cut.parts, ReduceTo(cut.name, fn), layout, dim)
        return partial

    def _scattered(
        self, partial: Buffer, axis: str, parts: int, reduce: ReduceTo, layout: Layout, dim: int
    ) -> Buffer:
        tile = partial.tile_type.shape
        if dim < 0:
            dim = max(range(len(tile)), key=lambda d: (min(tile[d], parts), d), default=-1)
        if dim < 0 or tile[dim] == 1:
            at = replace(layout, at=(*layout.at, axis))
            return self.add(reduce, [partial], partial.type, at, copies=2)
        cuts = list(layout.cuts)
        cuts[dim] = (*cuts[dim], Cut(axis, -(-tile[dim] // parts)))
        scattered = replace(layout, cuts=tuple(cuts))
        scatter = ReduceScatter(axis, dim, reduce.fn)
        return self.add(scatter, [partial], partial.type, scattered, copies=2)

    # ---- what follows the anchor

    def epilogue(self, value: Buffer) -> Buffer:
        """The kernel's further nodes, computed where the anchor's result lies."""
        values = {self.kernel.anchor.name: value}
        rows = self.kernel.result_axes
        for node, names, row in zip(self.kernel.nodes[1:], self.kernel.operands[1:], rows[1:], strict=True):
            latest = list(values.values())[-1].layout
            layout = next((values[n].layout for n in names if n in values), latest)
            operands = [values[n] if n in values else self._beside(n, layout, row) for n in names]
            values[node.name] = self.add(node.op, operands, self.chunk_type(node.type, row), layout)
        return values[self.kernel.result.name]

    def _beside(self, name: str, near: Layout, row: Sequence[int | None]) -> Buffer:
        """A feed that meets a value of the kernel: cut as the value is, wherever they share a dimension."""
        feed = self.kernel.feed(name)
        assert feed is not None, name
        shared = zip(near.cuts, feed.axes, row, strict=True)
        layout = Layout(tuple(cuts if a is not None and a == b else () for cuts, a, b in shared))
        if feed.is_weight:
            return self.weight(feed, layout)
        buffer = self.receive(feed, layout)
        missing = tuple(a for a in near.axes if a not in layout.axes)
        return self.spread(buffer, missing)


Template = Callable[[Draft], Buffer]
