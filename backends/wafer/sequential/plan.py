"""Where the layers of a model go: on one region, on regions side by side, or on several wafers one after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property

from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.sequential.causal import with_causal
from wsc.backends.wafer.sequential.clear import clear_region
from wsc.backends.wafer.sequential.dims import Dims, find_dims
from wsc.backends.wafer.sequential.division import cut_segments
from wsc.backends.wafer.sequential.draft import ROWS, Conflict
from wsc.backends.wafer.sequential.placed import PlacedSegment
from wsc.backends.wafer.sequential.region import Laid, Task, code_alone, lay, lay_out, mesh_of
from wsc.backends.wafer.sequential.roll import Rolled, roll, unrolled
from wsc.backends.wafer.sequential.segment import Segment
from wsc.backends.wafer.sequential.tiles import Tilings
from wsc.backends.wafer.sequential.trimmed import trimmed
from wsc.backends.wafer.sequential.untied import untied
from wsc.compiler.errors import DoesNotFit, UnsupportedModel
from wsc.compiler.ir.graph import Graph
from wsc.compiler.ir.model import Model
from wsc.compiler.layout import Mesh
from wsc.compiler.passes.rewrite import weight_key
from wsc.compiler.quantities import format_bytes

_GRIDS = (
    1.0,
    0.8,
    0.65,
    0.5,
    0.35,
    0.25,
)  # shares of the fabric's sides that are tried where no grid is asked for


@dataclass(frozen=True)
class SequentialPlan:
    """A model that runs layer after layer; `schedule` is "sequential" or "streaming", `why` it was chosen."""

    graph: Graph
    machine: Wafer
    schedule: str
    segments: tuple[PlacedSegment, ...]
    rolled: Rolled
    dims: Dims
    weight_keys: Mapping[str, str] = field(default_factory=dict, repr=False)  # of stacked weights, by node
    why: str = ""

    @property
    def wafers(self) -> int:
        """How many wafers it takes."""
        return 1 + max(s.wafer for s in self.segments)

    @property
    def cycles(self) -> float:
        """Expected cycles of one input."""
        return sum(s.laid.cycles for s in self.segments)


@dataclass(frozen=True)
class Wanted:
    """What was asked for: columns and rows of the region, a number of wafers, and whether layers may go by parts."""

    grid: tuple[int, int] | None = None
    wafers: int | None = None
    parts: bool = True


def plan_sequential(model: Model, machine: Wafer, wanted: Wanted, fetch: bool = False) -> SequentialPlan:
    """The plan of least expected cycles that fits; raises DoesNotFit, or UnsupportedModel for ops without a layout."""
    graph = trimmed(with_causal(model.graph, model.weights))
    apart = untied(graph)
    try:
        plan = _told_once(model, graph, machine, wanted, fetch)
    except (DoesNotFit, UnsupportedModel):
        if apart is graph:
            raise
        return _told_once(model, apart, machine, wanted, fetch)
    if apart is graph or plan.wafers == 1:
        return plan
    try:
        other = _told_once(model, apart, machine, wanted, fetch)
    except (DoesNotFit, UnsupportedModel):
        return plan
    return min(plan, other, key=lambda found: (found.wafers, found.cycles))


def _told_once(model: Model, graph: Graph, machine: Wafer, wanted: Wanted, fetch: bool) -> SequentialPlan:
    """A plan with equal layers told once, or, where they must not all be cut alike, each by itself."""
    rolled = roll(graph)
    try:
        return _planned(model, rolled, machine, wanted, fetch)
    except UnsupportedModel:
        if not rolled.body:
            raise
    return _planned(model, unrolled(graph), machine, wanted, fetch)


def _planned(model: Model, rolled: Rolled, machine: Wafer, wanted: Wanted, fetch: bool) -> SequentialPlan:
    task = task_of(model, rolled, machine, fetch)
    segments = _Planner(task, wanted).segments()
    return SequentialPlan(
        model.graph, machine, "streaming" if fetch else "sequential", segments, rolled, task.dims, task.keys
    )


def whole_model(model: Model, machine: Wafer, wanted: Wanted, fetch: bool = False) -> Laid:
    """All layers on one region, whether they fit it or not; raises UnsupportedModel for ops without a layout."""
    graph = trimmed(with_causal(model.graph, model.weights))
    rolled = roll(graph)
    try:
        return _whole(model, rolled, machine, wanted, fetch)
    except UnsupportedModel:
        if not rolled.body:
            raise
    return _whole(model, unrolled(graph), machine, wanted, fetch)


def _whole(model: Model, rolled: Rolled, machine: Wafer, wanted: Wanted, fetch: bool) -> Laid:
    task = task_of(model, rolled, machine, fetch)
    full = wanted.grid or (machine.grid.width_cores, machine.grid.height_cores)
    return lay_out(task, cut_segments(rolled, [rolled.count])[0], *full)


def task_of(model: Model, rolled: Rolled, machine: Wafer, fetch: bool) -> Task:
    """What is laid out of a model."""
    keys = {
        name: weight_key(model.graph[name])
        for names in rolled.stacks.values()
        for name in names
        if model.graph[name].is_weight
    }
    return Task(rolled, find_dims(rolled), keys, machine, fetch)


class _Planner:
    def __init__(self, task: Task, wanted: Wanted) -> None:
        self.task, self.wanted = task, wanted
        self.machine = task.machine
        self.rolled: Rolled = task.rolled
        self.room = self.machine.core.sram_bytes
        self.tilings: Tilings | None = None
        self.corner = (0, 0)

    def segments(self) -> tuple[PlacedSegment, ...]:
        """Where everything goes; raises DoesNotFit."""
        whole = (self.machine.grid.width_cores, self.machine.grid.height_cores)
        one_region = self.task.fetch or self.wanted.grid is not None or not self.wanted.parts
        self.tilings = None if one_region else Tilings(self.task, whole)
        clear = clear_region(self.machine, self.wanted.grid)
        full = (clear.right - clear.x + 1, clear.bottom - clear.y + 1)
        self.corner = (clear.x, clear.y)
        if self.wanted.wafers in (None, 1):
            found = self._on_one(full)
            if found is not None:
                return found
        return self._on_several(full)

    def _at(self, laid: Laid, y: int = 0, wafer: int = 0) -> PlacedSegment:
        """A segment in the region without dead cores, so many rows below its top."""
        return PlacedSegment(laid, self.corner[0], self.corner[1] + y, wafer)

    # ---- one wafer

    def _on_one(self, full: tuple[int, int]) -> tuple[PlacedSegment, ...] | None:
        if self._too_long(self.rolled.count):
            return self._in_parts(full)
        if self._code_of_all > self.room:  # its layers may fit without what comes before and after
            whole = lay_out(self.task, cut_segments(self.rolled, [0, self.rolled.count, 0])[1], *full)
        else:
            whole = lay_out(self.task, self._whole, *full)
            if fitting := [laid for laid in self._options(whole, full) if laid.bytes <= self.room]:
                return (self._at(min(fitting, key=lambda laid: laid.cycles)),)
        found = self._side_by_side(whole, full) if self.rolled.body and not self.task.fetch else None
        if found is None and self.tilings is not None and self._least_wafers() == 1:
            found = self.tilings.placed(1)
        if found is None and self.wanted.wafers == 1:
            raise self._too_large(whole, full)
        if found is None and (self.rolled.count < 2 or self.task.fetch):
            raise self._too_large(whole, full)
        return found

    @cached_property
    def _whole(self) -> Segment:
        """All layers, with what comes before and after."""
        return cut_segments(self.rolled, [self.rolled.count])[0]

    @cached_property
    def _code_of_all(self) -> int:
        """Bytes of the code of all that is told, at the least."""
        return code_alone(self.task, self._whole) + self.machine.core.runtime_code_bytes

    def _too_long(self, layers: int) -> bool:
        """Whether the code of a layer, or of all that is told, leaves a core no room for its share of some layers."""
        if not self.rolled.body or self.task.fetch:
            return self._code_of_all > self.room
        held = self._weights_of_layers * layers // self.rolled.count
        return self._code_of_a_layer + held // self.machine.usable_cores > self.room

    @cached_property
    def _weights_of_layers(self) -> int:
        graph = self.rolled.graph
        stacks = ((name, names) for name, names in self.rolled.stacks.items() if graph[name].is_weight)
        return sum(graph[name].type.bytes * len(names) for name, names in stacks)

    @cached_property
    def _code_of_a_layer(self) -> int:
        code = code_alone(self.task, self._whole, layers=True)
        return code + self.machine.core.runtime_code_bytes

    def _in_parts(self, full: tuple[int, int]) -> tuple[PlacedSegment, ...] | None:
        """Parts of every layer on rectangles of their own, where no region holds the code of a layer."""
        found = self.tilings.placed(1) if self.tilings is not None and self._least_wafers() == 1 else None
        if found is None and (self.wanted.wafers == 1 or self.rolled.count < 2 or self.task.fetch):
            raise self._too_much_code(full)
        return found

    def _options(self, whole: Laid, full: tuple[int, int]) -> list[Laid]:
        """All layers on the region there is, or on smaller ones where it may be any."""
        return [whole, *(self._smaller(whole, full) if self.wanted.grid is None else ())]

    def _smaller(self, whole: Laid, full: tuple[int, int]) -> Iterator[Laid]:
        """The same cuts on smaller regions, where they go: reductions have a shorter way there."""
        for share in _GRIDS[1:]:
            width, height = (max(1, int(n * share)) for n in full)
            with suppress(Conflict):  # rings need as many rows as columns, which rounding may not leave
                yield lay(self.task, whole.segment, _scaled(whole, width, height), whole.cuts)

    def _side_by_side(self, whole: Laid, full: tuple[int, int]) -> tuple[PlacedSegment, ...] | None:
        """What comes before the layers, the layers, and what comes after, each on rows of its own."""
        head, layers, tail = cut_segments(self.rolled, [0, self.rolled.count, 0])
        width, height = full
        for rows in _row_counts(whole, height):
            laid = lay_out(self.task, layers, width, rows)
            if laid.bytes > self.room:
                return None
            rest = height - laid.drafted.mesh.height
            for share in (0.5, 0.4, 0.6, 0.3, 0.7):
                first = max(1, int(rest * share))
                ends = [lay_out(self.task, s, width, n) for s, n in ((head, first), (tail, rest - first))]
                if all(end.bytes <= self.room for end in ends):
                    return self._stacked([ends[0], laid, ends[1]])
        return None

    def _stacked(self, laid: list[Laid]) -> tuple[PlacedSegment, ...]:
        placed, y = [], 0
        for one in laid:
            placed.append(self._at(one, y))
            y += one.drafted.mesh.height
        return tuple(placed)

    # ---- several wafers

    def _on_several(self, full: tuple[int, int]) -> tuple[PlacedSegment, ...]:
        """Ranges of layers a wafer each, or rectangles for every part of every layer: the fewer wafers, then cycles."""
        most = self._most_by_place(full)
        wanted = self.wanted.wafers
        for wafers in [wanted] if wanted else range(max(2, self._least_wafers()), self.rolled.count + 1):
            found = [self._ranges(full, wafers, most), self.tilings and self.tilings.placed(wafers)]
            if fitting := [placed for placed in found if placed]:
                return min(fitting, key=lambda placed: sum(s.laid.cycles for s in placed))
        raise self._too_few(full)

    def _least_wafers(self) -> int:
        """Wafers that would hold the weights, were there no code, no padding and nothing else."""
        room = self.machine.usable_cores * (self.room - self.machine.core.runtime_code_bytes)
        return -(-self._weight_bytes() // room)

    def _most_by_place(self, full: tuple[int, int]) -> tuple[int, int, int]:
        """Layers that the first wafer holds, one in the middle, and the last."""
        if self.rolled.count < 2 or self._too_long(1):
            return 0, 0, 0
        first, last = cut_segments(self.rolled, [1, 1])
        middle = cut_segments(self.rolled, [1, 1, 1])[1]
        return self._most(first, full), self._most(middle, full), self._most(last, full)

    def _ranges(
        self, full: tuple[int, int], wafers: int, most: tuple[int, int, int]
    ) -> tuple[PlacedSegment, ...] | None:
        first, middle, last = most
        if min(first, last) < 1 or first + last + (wafers - 2) * middle < self.rolled.count or wafers < 2:
            return None
        layers = shared_out(self.rolled.count, [first, *[middle] * (wafers - 2), last])
        placed: list[PlacedSegment] = []
        for wafer, segment in enumerate(cut_segments(self.rolled, layers)):
            laid = lay_out(self.task, segment, *full) if wafer < 2 or wafer == wafers - 1 else None
            if laid is None:
                like = placed[1].laid
                laid = lay(self.task, segment, like.drafted.mesh, like.cuts)
            if laid.bytes > self.room:
                return None
            placed.append(self._at(laid, wafer=wafer))
        return tuple(placed)

    def _most(self, segment: Segment, full: tuple[int, int]) -> int:
        """How many layers a wafer holds beside what else the segment has; by two layouts, memory is linear in them."""
        count = self.rolled.count
        if count < 2:
            return 0
        one = lay_out(self.task, replace(segment, first=0, stop=max(1, count // 4)), *full)
        two = lay(self.task, replace(segment, first=0, stop=count), one.drafted.mesh, one.cuts)
        each = (two.bytes - one.bytes) / max(1, count - one.segment.layers)
        return max(0, min(count, int(one.segment.layers + (self.room - one.bytes) / max(1, each))))

    # ---- what does not fit

    def _too_large(self, laid: Laid, full: tuple[int, int]) -> DoesNotFit:
        over = laid.bytes - self.room
        return DoesNotFit(
            f"'{self.rolled.graph.name}' does not fit {full[0]} x {full[1]} cores of {self.machine.name} layer after "
            f"layer (--schedule {'streaming' if self.task.fetch else 'sequential'}): a core would hold"
            f" {laid.bytes:,} B, {over:,} B more than its {self.room:,} B ({laid.code:,} B of it code,"
            f" {self.machine.core.runtime_code_bytes:,} B runtime). {self._hint()}"
        )

    def _too_much_code(self, full: tuple[int, int]) -> DoesNotFit:
        over = self._code_of_all - self.room
        return DoesNotFit(
            f"'{self.rolled.graph.name}' does not fit {full[0]} x {full[1]} cores of {self.machine.name} layer after "
            f"layer (--schedule {'streaming' if self.task.fetch else 'sequential'}): every core holds the code of all"
            f" steps, equal layers told once, and that alone takes {self._code_of_all:,} B of it, {over:,} B more than"
            f" its {self.room:,} B of SRAM: fewer kinds of layers would help, no larger --grid or shorter --context."
        )

    def _hint(self) -> str:
        return (
            "A larger --grid, more --wafers, a shorter --context, a smaller --batch or --schedule streaming"
            " would help."
        )

    def _weight_bytes(self) -> int:
        graph = self.rolled.graph
        weights = sum(node.type.bytes for node in graph.weights)
        stacks = ((name, names) for name, names in self.rolled.stacks.items() if graph[name].is_weight)
        return weights + sum(graph[name].type.bytes * (len(names) - 1) for name, names in stacks)

    def _too_few(self, full: tuple[int, int]) -> DoesNotFit:
        wanted = self.wanted.wafers
        how = "no number of wafers that it can be cut over is enough"
        if wanted:
            planner = _Planner(self.task, replace(self.wanted, wafers=None))
            planner.tilings = self.tilings
            try:
                enough = planner._on_several(full)
                how = f"it takes {1 + max(s.wafer for s in enough)}"
            except DoesNotFit:
                pass
        asked = f"--wafers {wanted}: " if wanted else ""
        return DoesNotFit(
            f"{asked}'{self.rolled.graph.name}' with {format_bytes(self._weight_bytes())} of weights does not fit"
            f" {wanted or 'several'} wafers of {full[0]} x {full[1]} cores ({self.machine.name}); {how}."
            f"{self._state_hint()}"
        )

    def _state_hint(self) -> str:
        return " A shorter --context or a smaller --batch would help." if self.rolled.states else ""


def shared_out(count: int, most: list[int]) -> list[int]:
    """Layers for each wafer, as even as what each holds allows."""
    shares = [0] * len(most)
    for _ in range(count):
        able = [i for i, n in enumerate(shares) if n < most[i]]
        shares[min(able, key=lambda i: (shares[i], i))] += 1
    return shares


def _row_counts(whole: Laid, height: int) -> Iterator[int]:
    """Numbers of rows for the layers, most first, at which what is cut over rows in the whole leaves none idle."""
    weights = [b for b in whole.drafted.buffers if b.keys and b.role == "weight"]
    shapes = [(n, cuts) for b in weights for n, cuts in zip(b.type.shape, b.layout.cuts, strict=True)]
    extents = {n for n, cuts in shapes if n > height and {c.axis for c in cuts} & set(ROWS)}
    counts = {-(-n // tile) for n in extents for tile in range(-(-n // height), -(-2 * n // height))}
    yield from sorted((n for n in counts if n < height - 1), reverse=True)


def _scaled(laid: Laid, width: int, height: int) -> Mesh:
    mesh = laid.drafted.mesh
    outer = min(mesh["x0"].parts, width)
    if mesh["y0"].parts == 1 or mesh["y0"].parts != mesh["x0"].parts:
        return mesh_of(1, height, outer, max(1, width // outer))
    side = max(1, min(width, height) // outer)
    return mesh_of(outer, side, outer, side)
