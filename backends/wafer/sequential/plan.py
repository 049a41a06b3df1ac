"""Where the layers of a model go: on one region, on regions side by side, or on several wafers one after another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.sequential.causal import with_causal
from wsc.backends.wafer.sequential.dims import Dims, find_dims
from wsc.backends.wafer.sequential.draft import ROWS
from wsc.backends.wafer.sequential.region import Laid, Task, lay, lay_out, mesh_of
from wsc.backends.wafer.sequential.roll import Rolled, roll, unrolled
from wsc.backends.wafer.sequential.segment import Segment
from wsc.compiler.errors import DoesNotFit, UnsupportedModel
from wsc.compiler.ir.graph import Graph
from wsc.compiler.ir.model import Model
from wsc.compiler.layout import Mesh
from wsc.compiler.passes.rewrite import weight_key

_GRIDS = (
    1.0,
    0.8,
    0.65,
    0.5,
    0.35,
    0.25,
)  # shares of the fabric's sides that are tried where no grid is asked for


@dataclass(frozen=True)
class PlacedSegment:
    """A laid out segment on a wafer, with the corner of its region."""

    laid: Laid
    x: int
    y: int
    wafer: int

    @property
    def width(self) -> int:
        """Cores along x."""
        return self.laid.drafted.mesh.width

    @property
    def height(self) -> int:
        """Cores along y."""
        return self.laid.drafted.mesh.height


@dataclass(frozen=True)
class SequentialPlan:
    """A model that runs layer after layer; `schedule` is "sequential" or "streaming", `why` it was chosen."""

    graph: Graph
    machine: Wafer
    schedule: str
    segments: tuple[PlacedSegment, ...]
    rolled: Rolled
    dims: Dims
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
    """What was asked for: columns and rows of the region, and a number of wafers."""

    grid: tuple[int, int] | None = None
    wafers: int | None = None


def plan_sequential(model: Model, machine: Wafer, wanted: Wanted, fetch: bool = False) -> SequentialPlan:
    """The plan of least expected cycles that fits; raises DoesNotFit, or UnsupportedModel for ops without a layout."""
    graph = with_causal(model.graph, model.weights)
    rolled = roll(graph)
    try:
        return _planned(model, rolled, machine, wanted, fetch)
    except UnsupportedModel:
        if not rolled.body:
            raise
    return _planned(model, unrolled(graph), machine, wanted, fetch)  # told once, layers must all be cut alike


def _planned(model: Model, rolled: Rolled, machine: Wafer, wanted: Wanted, fetch: bool) -> SequentialPlan:
    task = _task(model, rolled, machine, fetch)
    segments = _Planner(task, wanted).segments()
    return SequentialPlan(
        model.graph, machine, "streaming" if fetch else "sequential", segments, rolled, task.dims
    )


def whole_model(model: Model, machine: Wafer, wanted: Wanted, fetch: bool = False) -> Laid:
    """All layers on one region, whether they fit it or not; raises UnsupportedModel for ops without a layout."""
    graph = with_causal(model.graph, model.weights)
    rolled = roll(graph)
    try:
        return _whole(model, rolled, machine, wanted, fetch)
    except UnsupportedModel:
        if not rolled.body:
            raise
    return _whole(model, unrolled(graph), machine, wanted, fetch)


def _whole(model: Model, rolled: Rolled, machine: Wafer, wanted: Wanted, fetch: bool) -> Laid:
    task = _task(model, rolled, machine, fetch)
    full = wanted.grid or (machine.grid.width_cores, machine.grid.height_cores)
    return lay_out(task, cut_segments(rolled, [rolled.count])[0], *full)


def _task(model: Model, rolled: Rolled, machine: Wafer, fetch: bool) -> Task:
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

    def segments(self) -> tuple[PlacedSegment, ...]:
        """Where everything goes; raises DoesNotFit."""
        full = self.wanted.grid or (self.machine.grid.width_cores, self.machine.grid.height_cores)
        if self.wanted.wafers in (None, 1):
            found = self._on_one(full)
            if found is not None:
                return found
        return self._on_several(full)

    # ---- one wafer

    def _on_one(self, full: tuple[int, int]) -> tuple[PlacedSegment, ...] | None:
        whole = lay_out(self.task, cut_segments(self.rolled, [self.rolled.count])[0], *full)
        options = [whole]
        if self.wanted.grid is None:
            options += self._smaller(whole, full)
        fitting = [laid for laid in options if laid.bytes <= self.room]
        if fitting:
            return (PlacedSegment(min(fitting, key=lambda laid: laid.cycles), 0, 0, 0),)
        found = self._side_by_side(whole, full) if self.rolled.body and not self.task.fetch else None
        if found is None and self.wanted.wafers == 1:
            raise self._too_large(whole, full)
        if found is None and (self.rolled.count < 2 or self.task.fetch):
            raise self._too_large(whole, full)
        return found

    def _smaller(self, whole: Laid, full: tuple[int, int]) -> Iterator[Laid]:
        """The same cuts on smaller regions: reductions have a shorter way there."""
        for share in _GRIDS[1:]:
            width, height = (max(1, int(n * share)) for n in full)
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
                    return _stacked([ends[0], laid, ends[1]])
        return None

    # ---- several wafers

    def _on_several(self, full: tuple[int, int]) -> tuple[PlacedSegment, ...]:
        middle = self._most(cut_segments(self.rolled, [1, 1, 1])[1], full)
        first = self._most(cut_segments(self.rolled, [1, 1])[0], full)
        last = self._most(cut_segments(self.rolled, [1, 1])[1], full)
        count = self.rolled.count
        needed = next((n for n in range(2, count + 1) if first + last + (n - 2) * middle >= count), 0)
        wafers = self.wanted.wafers or needed
        if not needed or min(first, last) < 1 or wafers < needed:
            raise self._too_few(full, needed if min(first, last) >= 1 else 0)
        layers = _shared(count, [first, *[middle] * (wafers - 2), last])
        placed: list[PlacedSegment] = []
        for wafer, segment in enumerate(cut_segments(self.rolled, layers)):
            laid = lay_out(self.task, segment, *full) if wafer < 2 or wafer == wafers - 1 else None
            if laid is None:
                like = placed[1].laid
                laid = lay(self.task, segment, like.drafted.mesh, like.cuts)
            if laid.bytes > self.room:
                raise self._too_large(laid, full)
            placed.append(PlacedSegment(laid, 0, 0, wafer))
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
        fewer = self._context_hint()
        return DoesNotFit(
            f"'{self.rolled.graph.name}' does not fit {full[0]} x {full[1]} cores of {self.machine.name} layer after "
            f"layer (--schedule {'streaming' if self.task.fetch else 'sequential'}): a core would hold"
            f" {laid.bytes:,} B, {over:,} B more than its {self.room:,} B ({laid.code:,} B of it code,"
            f" {self.machine.core.runtime_code_bytes:,} B runtime). {fewer}"
        )

    def _context_hint(self) -> str:
        return (
            "A larger --grid, more --wafers, a shorter --context, a smaller --batch or --schedule streaming"
            " would help."
        )

    def _too_few(self, full: tuple[int, int], needed: int) -> DoesNotFit:
        weights = sum(node.type.bytes for node in self.rolled.graph.weights)
        stacked = sum(
            self.rolled.graph[name].type.bytes * (len(names) - 1)
            for name, names in self.rolled.stacks.items()
            if self.rolled.graph[name].is_weight
        )
        asked = f"--wafers {self.wanted.wafers}: " if self.wanted.wafers else ""
        how = f"it takes {needed}" if needed else "no number of wafers that it can be cut over is enough"
        return DoesNotFit(
            f"{asked}'{self.rolled.graph.name}' with {(weights + stacked) / 2**30:,.1f} GiB of weights does not fit"
            f" {self.wanted.wafers or 'several'} wafers of {full[0]} x {full[1]} cores ({self.machine.name}); {how}."
        )


def cut_segments(rolled: Rolled, layers: list[int]) -> list[Segment]:
    """Kernels with so many layers each; the first has what comes before the layers, the last what comes after."""
    nodes = [n.name for n in rolled.graph.nodes if not n.is_source]
    at = nodes.index(rolled.body[0]) if rolled.body else len(nodes)
    before, after = nodes[:at], nodes[at + len(rolled.body) :]
    segments, start = [], 0
    for number, count in enumerate(layers):
        count = count if rolled.body else 0
        last = number == len(layers) - 1
        seeds = list(rolled.carried) if number == 0 else []
        reads = [*(rolled.body if count else ()), *(after if last else ())]
        given = _given(rolled, number, start)
        seeds += (
            [name for _, name in rolled.outputs] + list(rolled.states.values()) if not rolled.body else []
        )
        own = _cone(rolled, before, [n for name in reads for n in rolled.graph[name].inputs] + seeds, given)
        outputs = tuple(o for o in rolled.outputs if _computed_in(rolled, o[1], own, last, number))
        own = tuple(dict.fromkeys([*own, *(n for _, n in outputs if n in before)])) if number == 0 else own
        kept = tuple(n for n in before if n in own)
        segments.append(
            Segment(
                _name(number, len(layers), start, count, rolled),
                kept,
                start,
                start + count,
                tuple(after) if last else (),
                given,
                () if last else tuple(rolled.carried.values() if start + count else rolled.carried),
                outputs,
            )
        )
        start += count
    return segments


def _name(number: int, of: int, start: int, count: int, rolled: Rolled) -> str:
    if of == 1:
        return rolled.graph.name
    if not count:
        return "before" if number == 0 else "after"
    return f"layers.{start}-{start + count - 1}" if count > 1 else f"layers.{start}"


def _given(rolled: Rolled, number: int, start: int) -> tuple[str, ...]:
    """What comes from the segment before: the carried values, as they are called there."""
    if number == 0:
        return ()
    return tuple(rolled.carried.values()) if start else tuple(rolled.carried)


def _cone(
    rolled: Rolled, before: Iterable[str], seeds: Iterable[str], given: tuple[str, ...]
) -> tuple[str, ...]:
    """Nodes before the layers that some values need, but for what is given."""
    inside, found, waiting = set(before), set(), list(seeds)
    stop = {*given, *(first for first, result in rolled.carried.items() if result in given)}
    while waiting:
        name = waiting.pop()
        if name in inside and name not in found and name not in stop:
            found.add(name)
            waiting += rolled.graph[name].inputs
    return tuple(found)


def _computed_in(rolled: Rolled, name: str, own: tuple[str, ...], last: bool, number: int) -> bool:
    before = name not in rolled.body and name in own
    return last if not before else number == 0


def _shared(count: int, most: list[int]) -> list[int]:
    """Layers for each wafer, as even as what each holds allows."""
    shares = [0] * len(most)
    for _ in range(count):
        able = [i for i, n in enumerate(shares) if n < most[i]]
        shares[min(able, key=lambda i: (shares[i], i))] += 1
    return shares


def _stacked(laid: list[Laid]) -> tuple[PlacedSegment, ...]:
    placed, y = [], 0
    for one in laid:
        placed.append(PlacedSegment(one, 0, y, 0))
        y += one.drafted.mesh.height
    return tuple(placed)


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
