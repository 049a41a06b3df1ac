"""Every part of every layer on a rectangle of its own, the rectangles side by side in columns, wafer after wafer.

Cores hold the code of one part and a larger tile of each weight than where all cores share every layer, so that less
is lost to code and to tiles that do not come out even; and all rectangles can work on inputs that follow each other.
What comes before the layers, and after them, has rows of its own at the top of the first wafer and the last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil

from wsc.backends.wafer.defects import Box
from wsc.backends.wafer.sequential.division import cut_layers
from wsc.backends.wafer.sequential.draft import Conflict
from wsc.backends.wafer.sequential.placed import PlacedSegment
from wsc.backends.wafer.sequential.region import Laid, Task, lay, lay_out, mesh_of
from wsc.backends.wafer.sequential.segment import Segment
from wsc.compiler.errors import UnsupportedModel

_MOST_COLUMNS = 12  # of rectangles on a wafer
_SPARE = 1.02  # of the memory that weights take, where a height is tried first
_TALLER = 1.5  # times that height, at which the search for one that fits ends


class Tilings:
    """Ways to lay out the parts of a task's layers in columns of a grid; found when they are first asked for."""

    def __init__(self, task: Task, full: tuple[int, int]) -> None:
        self.task, self.full = task, full

    @cached_property
    def _found(self) -> list[_Tiling]:
        pieces = cut_layers(self.task.rolled)
        if not pieces or (ends := self._ends(pieces)) is None:
            return []
        ways = range(1, min(_MOST_COLUMNS, self.full[0]) + 1)
        return [t for columns in ways if (t := _Tiling.of(self.task, pieces, self.full, columns, ends))]

    def _ends(self, pieces: Sequence[Segment]) -> tuple[Laid, Laid] | None:
        """What comes before the layers and after them, on whole rows: the same for every number of columns."""
        first, last = (_lowest(self.task, pieces[end], *self.full) for end in (0, -1))
        return (first, last) if first and last else None

    def placed(self, wafers: int) -> tuple[PlacedSegment, ...] | None:
        """All parts on so many wafers, the cheapest way found; None where there is none."""
        able = [tiling for tiling in self._found if tiling.shares(wafers)]
        return min(able, key=lambda tiling: tiling.cycles).placed(wafers) if able else None


@dataclass(frozen=True)
class _Tiling:
    """Parts laid out for columns of a width: `ends` on whole rows, `parts` those of the first layer."""

    task: Task
    pieces: Sequence[Segment]
    full: tuple[int, int]
    width: int
    ends: tuple[Laid, Laid]
    parts: tuple[Laid, ...]

    @staticmethod
    def of(
        task: Task, pieces: Sequence[Segment], full: tuple[int, int], columns: int, ends: tuple[Laid, Laid]
    ) -> _Tiling | None:
        """None where some part does not fit, however high its rectangle is."""
        layers = pieces[1:-1]
        width, height = full[0] // columns, full[1]
        parts: list[Laid] = []
        for piece in layers[: len(layers) // task.rolled.count]:
            laid = _lowest(task, piece, width, height)
            if laid is None:
                return None
            parts.append(laid)
        return _Tiling(task, pieces, full, width, ends, tuple(parts))

    @property
    def cycles(self) -> float:
        """Expected cycles of one input."""
        layers = self.task.rolled.count * sum(part.cycles for part in self.parts)
        return layers + sum(end.cycles for end in self.ends)

    def placed(self, wafers: int) -> tuple[PlacedSegment, ...]:
        """All parts in order, layers shared out evenly by the rows that they take."""
        shares = self.shares(wafers)
        layers = self.pieces[1:-1]
        made = [PlacedSegment(self.ends[0], 0, self._top(self.ends[0]), 0)]
        start = 0
        for wafer, share in enumerate(shares):
            stop = start + share * len(self.parts)
            for (x, y), like, piece in zip(
                self._places(wafer, wafers, share), self.parts * share, layers[start:stop], strict=True
            ):
                laid = lay(self.task, piece, like.drafted.mesh, like.cuts)
                made.append(PlacedSegment(laid, x, y, wafer))
            start = stop
        top = 0 if wafers > 1 else made[0].y + made[0].height
        made.append(PlacedSegment(self.ends[1], 0, self._top(self.ends[1], top), wafers - 1))
        return tuple(made)

    def shares(self, wafers: int) -> list[int]:
        """Layers for each wafer, as even by rows as can be; empty where they do not fit."""
        most = [self._most(wafer, wafers) for wafer in range(wafers)]
        each = sum(_rows(part) for part in self.parts) / (self.full[0] // self.width)
        loads = [self._first_row(wafer, wafers) / each for wafer in range(wafers)]
        shares = [0] * wafers
        for _ in range(self.task.rolled.count):
            able = [w for w in range(wafers) if shares[w] < most[w]]
            if not able:
                return []
            least = min(able, key=lambda w: (loads[w], w))
            shares[least] += 1
            loads[least] += 1
        return shares

    def _most(self, wafer: int, wafers: int) -> int:
        """Layers that fit a wafer."""
        free = self._places(wafer, wafers, self.task.rolled.count)
        return sum(1 for _ in free) // len(self.parts)

    def _places(self, wafer: int, wafers: int, layers: int) -> Iterator[tuple[int, int]]:
        """Corners of the rectangles of so many layers, column after column and up and down, while there is room."""
        columns, top = self.full[0] // self.width, self._first_row(wafer, wafers)
        heights = [_rows(part) for part in self.parts] * layers
        column, y = 0, top
        for height in heights:
            at = self._free(column, y, height)
            while at is None and column + 1 < columns:
                column, y = column + 1, top
                at = self._free(column, y, height)
            if at is None:
                return
            yield column * self.width, at
            y = at + height

    def _free(self, column: int, y: int, height: int) -> int | None:
        """The first row from `y` on where a rectangle holds no dead core; None where there is none in the column."""
        x = column * self.width
        return _clear(self.task.machine.keep_outs, x, x + self.width, y, height, self.full[1])

    def _top(self, end: Laid, y: int = 0) -> int:
        found = _clear(self.task.machine.keep_outs, 0, self.full[0], y, _rows(end), self.full[1])
        return self.full[1] if found is None else found

    def _first_row(self, wafer: int, wafers: int) -> int:
        """The row below what is not of the layers."""
        y = 0
        for end, at in zip(self.ends, (0, wafers - 1), strict=True):
            if wafer == at:
                y = self._top(end, y) + _rows(end)
        return y


def _clear(boxes: Sequence[Box], x: int, right: int, y: int, height: int, bottom: int) -> int | None:
    for box in sorted((b for b in boxes if b.x < right and x <= b.right), key=lambda b: b.y):
        if box.y < y + height and y <= box.bottom:
            y = box.bottom + 1
    return y if y + height <= bottom else None


def _rows(laid: Laid) -> int:
    return laid.drafted.mesh.height


def _lowest(task: Task, segment: Segment, width: int, height: int) -> Laid | None:
    """The segment on the fewest rows found to hold it."""
    room = task.machine.core.sram_bytes
    names = {name for node in segment.inside(task.rolled) for name in task.rolled.graph[node].inputs}
    names |= {n for node in (*segment.before, *segment.after) for n in task.rolled.graph[node].inputs}
    held = sum(task.rolled.graph[n].type.bytes for n in names if task.rolled.graph[n].is_source)
    code = task.machine.core.runtime_code_bytes
    rows = max(1, ceil(_SPARE * held / (width * (room - code))))
    while rows <= height:
        try:
            laid = lay_out(task, segment, width, rows)
        except UnsupportedModel:
            return None
        if laid.bytes <= room:
            return _lower(task, laid, rows)
        rows = max(rows + 1, ceil(rows * min(_TALLER, 1.01 * laid.bytes / room)))
    return None


def _lower(task: Task, laid: Laid, rows: int) -> Laid:
    """The same cuts on fewer rows, as few as hold them."""
    mesh = laid.drafted.mesh
    if mesh["y0"].parts > 1:
        return laid
    while rows > 1:
        try:
            fewer = lay(
                task, laid.segment, mesh_of(1, rows - 1, mesh["x0"].parts, mesh["x1"].parts), laid.cuts
            )
        except Conflict:
            break
        if fewer.bytes > task.machine.core.sram_bytes:
            break
        laid, rows = fewer, rows - 1
    return laid
