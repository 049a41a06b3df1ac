"""A tensor from one layout to any other on the same mesh, by the movements of fewest modelled cycles.

Each movement turns a layout into another: an all-gather joins the innermost cut of a dimension, a local copy cuts what
all parts hold, an all-to-all takes the innermost cut from one dimension to another, a reduce-scatter, all-reduce or
reduce adds up, a multicast copies what lies on part 0 alone, a halo adds overlap, and an exchange sends every element
straight to its place. The shortest way from layout to layout is found by Dijkstra's algorithm, over closed forms that
no simulator uses. Layouts whose tile does not fit what is left of a core's memory are passed by.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import count
from math import ceil

from wsc.backends.wafer.algorithms.block import Block, check_layout
from wsc.backends.wafer.algorithms.exchanged import exchange_cycles
from wsc.backends.wafer.instructions import (
    AllGather,
    AllReduce,
    AllToAll,
    Exchange,
    Halo,
    Keep,
    Move,
    Multicast,
    ReduceScatter,
    ReduceTo,
)
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Buffer
from wsc.compiler.errors import AlgorithmError, DoesNotFit
from wsc.compiler.ir.types import TensorType
from wsc.compiler.layout import Cut, Layout, Mesh
from wsc.compiler.ops import Slice
from wsc.compiler.ops.base import Op


@dataclass(frozen=True)
class Step:
    """A movement, the layout that it leads to, and its modelled cycles."""

    op: Op | Move
    layout: Layout
    cycles: int


def relayout(
    block: Block,
    tensor: Buffer,
    target: Layout,
    machine: Wafer,
    *,
    fn: str = "sum",
    fill: float = 0.0,
    name: str = "",
) -> Buffer:
    """The tensor in another layout; addends are combined by `fn`, overlaps past the tensor's end are `fill`.

    Raises AlgorithmError where the target has addends that the tensor has not or overlaps that no halo can fill, and
    DoesNotFit where no way there leaves room in a core's memory.
    """
    used = sum(b.bytes for b in block.buffers if b.name not in block.in_place)
    room = machine.core.sram_bytes - machine.core.runtime_code_bytes - used
    for step in relayout_steps(block.mesh, tensor.type, tensor.layout, target, machine, room, fn, fill):
        tensor = block.add(step.op, [tensor], tensor.type, step.layout, name)
    return tensor


def relayout_steps(
    mesh: Mesh,
    type: TensorType,
    source: Layout,
    target: Layout,
    machine: Wafer,
    room: int | None = None,
    fn: str = "sum",
    fill: float = 0.0,
) -> tuple[Step, ...]:
    """The movements of a relayout, in order; `room` are the bytes left on a core for their results."""
    for layout in (source, target):
        check_layout(mesh, layout, type, "relayout")
    _check_target(mesh, type, source, target)
    search = _Search(mesh, type, _plain(source), _plain(target), machine, fn)
    start, goal = _canonical(mesh, source), _canonical(mesh, target)
    if start == goal:
        return ()
    room = machine.core.sram_bytes if room is None else room
    return _joined(search.shortest(start, goal, room, fill))


def _joined(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The steps; one that only forgets copies is part of the step before it, whose result nobody else reads."""
    kept: list[Step] = []
    for step in steps:
        forgets = isinstance(step.op, Multicast) and step.op.axes[0] in step.layout.at
        if forgets and kept:
            kept[-1] = replace(kept[-1], layout=step.layout)
        else:
            kept.append(step)
    return tuple(kept)


def _check_target(mesh: Mesh, type: TensorType, source: Layout, target: Layout) -> None:
    if extra := [axis for axis in target.partial if axis not in source.partial]:
        raise AlgorithmError(f"no relayout makes addends along '{extra[0]}' from {source}: {target} has them")
    for dim, cuts in enumerate(target.cuts):
        if not cuts or not (cuts[-1].lo or cuts[-1].hi):
            continue
        if len(cuts) > 1 or max(cuts[-1].lo, cuts[-1].hi) > cuts[-1].tile:
            raise AlgorithmError(
                f"no halo fills dimension {dim} of {target}: overlaps are of a dimension cut once, of a tile at most"
            )


def _canonical(mesh: Mesh, layout: Layout) -> Layout:
    """One of all layouts that differ in the order of `at` and `partial`, or in axes of a single part."""
    order = {axis.name: n for n, axis in enumerate(mesh.axes)}
    at, partial = (tuple(sorted(axes, key=order.__getitem__)) for axes in (layout.at, layout.partial))
    return Layout(layout.cuts, at, partial)


def _plain(layout: Layout) -> Layout:
    """The layout without its overlaps."""
    return replace(layout, cuts=tuple(tuple(replace(c, lo=0, hi=0) for c in cuts) for cuts in layout.cuts))


@dataclass(frozen=True)
class _Search:
    """The graph of layouts of one tensor; its ways lead from the source to the target, both without overlaps."""

    mesh: Mesh
    type: TensorType
    source: Layout
    target: Layout
    machine: Wafer
    fn: str

    def shortest(self, start: Layout, goal: Layout, room: int, fill: float) -> tuple[Step, ...]:
        order = count()
        waiting: list[tuple[int, int, int, Layout, tuple[Step, ...]]] = [(0, next(order), room, start, ())]
        done: set[Layout] = set()
        while waiting:
            cycles, _, left, layout, way = heappop(waiting)
            if layout == goal:
                return way
            if layout in done:
                continue
            done.add(layout)
            steps = [*self.steps(layout), *self.halos(layout, goal, fill)]
            for step in steps:
                rest = left - self.bytes(step.layout)
                if step.layout not in done and rest >= 0:
                    entry = (cycles + step.cycles, next(order), rest, step.layout, (*way, step))
                    heappush(waiting, entry)
        raise DoesNotFit(
            f"no way from layout {start} to {goal} of {self.type} fits the {room} bytes that are left on a core:"
            " cut the tensor over more cores"
        )

    # ---- what each layout leads to

    def steps(self, layout: Layout) -> Iterator[Step]:
        """Every movement but halos."""
        if layout != _plain(layout):
            yield from self._cropped(layout)
            return
        yield from self._summed(layout)
        yield from self._spread(layout)
        for dim, cuts in enumerate(layout.cuts):
            if cuts:
                yield self._gathered(layout, dim)
                yield from self._turned(layout, dim)
        if not layout.partial and layout.cuts == self.source.cuts:
            yield self._exchanged(layout)

    def halos(self, layout: Layout, goal: Layout, fill: float) -> Iterator[Step]:
        """From tiles to tiles with the overlaps of the goal, dimension by dimension."""
        for dim, (cuts, wanted) in enumerate(zip(layout.cuts, goal.cuts, strict=True)):
            if cuts != wanted and len(wanted) == 1 and cuts == (replace(wanted[0], lo=0, hi=0),):
                (cut,) = wanted
                op = Halo(dim, cut.axis, cut.lo, cut.hi, fill)
                words = self.words(layout) * (cut.lo + cut.hi) // max(1, cut.tile)
                yield self._step(op, _with(layout, dim, wanted), 2 * words, words, (cut.axis,), 1)

    def _cropped(self, layout: Layout) -> Iterator[Step]:
        for dim, cuts in enumerate(layout.cuts):
            if cuts and (cuts[-1].lo or cuts[-1].hi):
                op = Slice(dim, cuts[-1].lo, cuts[-1].lo + cuts[-1].tile)
                inside = _with(layout, dim, (*cuts[:-1], replace(cuts[-1], lo=0, hi=0)))
                yield self._step(op, inside, self.words(inside), 0, (), 0)

    def _summed(self, layout: Layout) -> Iterator[Step]:
        words = self.words(layout)
        for axis in (axis for axis in layout.partial if axis not in self.target.partial):
            rest = replace(layout, partial=tuple(a for a in layout.partial if a != axis))
            chain = (2 * self.machine.fabric.ramp_cycles + 1) * (self.mesh[axis].parts - 1)
            yield self._step(AllReduce(axis, self.fn), rest, 2 * words + chain, 2 * words + chain, (axis,))
            at = self._canonical(replace(rest, at=(*rest.at, axis)))
            yield self._step(ReduceTo(axis, self.fn), at, words + chain, words + chain, (axis,))
            for dim, cut in self._cuts(rest, axis):
                scattered = _with(rest, dim, (*rest.cuts[dim], cut))
                yield self._step(
                    ReduceScatter(axis, dim, self.fn), scattered, words + chain, words + chain, (axis,)
                )

    def _spread(self, layout: Layout) -> Iterator[Step]:
        words = self.words(layout)
        for axis in layout.at:
            if axis not in self.target.at:
                copies = replace(layout, at=tuple(a for a in layout.at if a != axis))
                yield self._step(Multicast((axis,)), copies, words, words, (axis,))
        used = {*layout.axes, *layout.at, *layout.partial}
        for axis in (a.name for a in self.mesh.axes if a.name not in used):
            if axis in self.target.at:
                at = self._canonical(replace(layout, at=(*layout.at, axis)))
                yield self._step(Multicast((axis,)), at, words, words, (axis,))
            for dim, cut in self._cuts(layout, axis):
                kept = _with(layout, dim, (*layout.cuts[dim], cut))
                yield self._step(Keep(axis, dim), kept, self.words(kept), 0, ())

    def _gathered(self, layout: Layout, dim: int) -> Step:
        *outer, cut = layout.cuts[dim]
        received = self.words(layout) * (self.mesh[cut.axis].parts - 1)
        return self._step(
            AllGather(cut.axis, dim), _with(layout, dim, tuple(outer)), received, received, (cut.axis,)
        )

    def _turned(self, layout: Layout, join: int) -> Iterator[Step]:
        *outer, old = layout.cuts[join]
        rest = _with(layout, join, tuple(outer))
        busy = self._exchanging(old.axis, self.words(layout))
        for split, cut in self._cuts(rest, old.axis):
            if split != join:
                turned = _with(rest, split, (*rest.cuts[split], cut))
                yield self._step(AllToAll(old.axis, split, join), turned, busy, 0, (old.axis,))

    def _exchanging(self, axis: str, words: int) -> int:
        """Cycles of exchanges with parts 1, 2, ... further on; in the k-th a link carries min(k, P - k) pieces."""
        parts, pitch = self.mesh[axis].parts, self.mesh.pitch(axis)
        piece, pace = ceil(words / parts), self.machine.core.exchange_cycles_per_word
        through = sum(piece * max(pace, min(k, parts - k) * pitch) for k in range(1, parts))
        return self.machine.core.task_startup_cycles + ceil(through)

    def _exchanged(self, layout: Layout) -> Step:
        """Straight to where the target is cut, on part 0 of the axes that do not cut it."""
        at = tuple(a.name for a in self.mesh.axes if a.name not in self.target.axes)
        goal = Layout(self.target.cuts, at, ())
        return Step(Exchange(), goal, exchange_cycles(self.machine, self.mesh, self.type, layout, goal))

    # ---- measures

    def bytes(self, layout: Layout) -> int:
        """Of a tile on one core, in whole words."""
        return -(-layout.tile_type(self.type).bytes // 4) * 4

    def words(self, layout: Layout) -> int:
        """Words of a link in a tile."""
        return -(-layout.tile_type(self.type).bytes // self.machine.fabric.link_bytes_per_cycle)

    def _canonical(self, layout: Layout) -> Layout:
        return _canonical(self.mesh, layout)

    def _cuts(self, layout: Layout, axis: str) -> Iterator[tuple[int, Cut]]:
        """Ways to cut a dimension further along an axis: in even tiles, or as the target does."""
        for dim, cuts in enumerate(layout.cuts):
            extent = cuts[-1].tile if cuts else self.type.shape[dim]
            tiles = {-(-extent // self.mesh[axis].parts)}
            wanted = self.target.cuts[dim][: len(cuts) + 1]
            if len(wanted) > len(cuts) and wanted[-1].axis == axis and wanted[:-1] == cuts:
                tiles.add(wanted[-1].tile)
            yield from ((dim, Cut(axis, tile)) for tile in sorted(tiles) if tile)

    def _step(
        self, op: Op | Move, layout: Layout, busy: int, on_links: int, axes: tuple[str, ...], parts: int = -1
    ) -> Step:
        """A task, the words through the core or over the busiest link, and the way over the lines of its axes."""
        pitches = [self.mesh.pitch(axis) for axis in axes]
        far = [self.mesh[axis].parts - 1 if parts < 0 else parts for axis in axes]
        hops = sum(p * f for p, f in zip(pitches, far, strict=True)) * self.machine.fabric.hop_cycles
        shared = on_links * max(pitches, default=1)
        ramps = 2 * self.machine.fabric.ramp_cycles if axes else 0
        cycles = self.machine.core.task_startup_cycles + max(busy, shared) + hops + ramps
        return Step(op, layout, cycles)


def _with(layout: Layout, dim: int, cuts: tuple[Cut, ...]) -> Layout:
    return replace(layout, cuts=(*layout.cuts[:dim], cuts, *layout.cuts[dim + 1 :]))
