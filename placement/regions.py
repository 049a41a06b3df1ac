"""Rectangles, and the ways to cut a fabric with blocked cells into rectangles of free ones."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from wsc.placement.problem import Fabric

Cells = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Box:
    """The rectangle of cores x..x+width-1 by y..y+height-1."""

    x: int
    y: int
    width: int
    height: int

    @property
    def cores(self) -> int:
        """Cores in the rectangle."""
        return self.width * self.height

    def meets(self, other: Box) -> bool:
        """Whether the two share a core."""
        across = self.x < other.x + other.width and other.x < self.x + self.width
        return across and self.y < other.y + other.height and other.y < self.y + self.height

    def holds(self, other: Box) -> bool:
        """Whether the other lies within this one."""
        across = self.x <= other.x and other.x + other.width <= self.x + self.width
        return across and self.y <= other.y and other.y + other.height <= self.y + self.height

    def covers(self, cell: tuple[int, int]) -> bool:
        """Whether the cell lies in the rectangle."""
        return self.x <= cell[0] < self.x + self.width and self.y <= cell[1] < self.y + self.height


def around(area: Box, obstacles: list[Box]) -> list[Box]:
    """Disjoint boxes that make up the area without the obstacles: each cut keeps one side's strip as long as it is."""
    obstacle = next((it for it in obstacles if it.meets(area)), None)
    if obstacle is None:
        return [area]
    left, below = max(area.x, obstacle.x), max(area.y, obstacle.y)
    right = min(area.x + area.width, obstacle.x + obstacle.width)
    above = min(area.y + area.height, obstacle.y + obstacle.height)
    top = area.y + area.height
    parts = [
        Box(area.x, area.y, left - area.x, area.height),
        Box(right, area.y, area.x + area.width - right, area.height),
        Box(left, area.y, right - left, below - area.y),
        Box(left, above, right - left, top - above),
    ]
    return [box for part in parts if part.cores for box in around(part, obstacles)]


def partitions(fabric: Fabric) -> list[tuple[Box, ...]]:
    """Ways to cut the free cells into disjoint boxes that hold no blocked cell, each in an order to fill them.

    All are conservative: a cut gives up the free cells of the line it takes. Whole rows with a blocked cell suit
    faults in a row, whole columns those in a column, and cuts that stop at other cuts suit scattered ones.
    """
    whole = Box(0, 0, fabric.width, fabric.height)
    if not fabric.blocked:
        return [(whole,)]
    rows = _between(sorted({y for _, y in fabric.blocked}), fabric.height)
    columns = _between(sorted({x for x, _ in fabric.blocked}), fabric.width)
    ways = [
        tuple(Box(0, y, fabric.width, height) for y, height in rows),
        tuple(Box(x, 0, width, fabric.height) for x, width in columns),
        _guillotine(whole, fabric.blocked),
    ]
    return sorted(set(ways), key=lambda boxes: (-sum(box.cores for box in boxes), ways.index(boxes)))


def _between(lines: list[int], end: int) -> list[tuple[int, int]]:
    """The stretches (start, length) of 0..end-1 that hold none of the lines."""
    return [(a + 1, b - a - 1) for a, b in pairwise([-1, *lines, end]) if b - a > 1]


def _guillotine(whole: Box, blocked: Cells) -> tuple[Box, ...]:
    """Cuts each box along the blocked line that gives up the fewest free cells; of equals the most central."""
    done: list[Box] = []
    waiting = [(whole, blocked)]
    while waiting:
        box, cells = waiting.pop()
        if not cells:
            done.append(box)
            continue
        parts = reversed(_cut(box, cells))
        waiting += [(part, tuple(cell for cell in cells if _inside(part, cell))) for part in parts]
    return tuple(done)


def _cut(box: Box, cells: Cells) -> list[Box]:
    """The box without its best blocked line, in two parts at most."""
    x, y = (
        min({cell[axis] for cell in cells}, key=lambda at: _loss(box, cells, axis, at)) for axis in (0, 1)
    )
    right, top = box.x + box.width, box.y + box.height
    if _loss(box, cells, 0, x) < _loss(box, cells, 1, y):
        parts = [Box(box.x, box.y, x - box.x, box.height), Box(x + 1, box.y, right - x - 1, box.height)]
    else:
        parts = [Box(box.x, box.y, box.width, y - box.y), Box(box.x, y + 1, box.width, top - y - 1)]
    return [part for part in parts if part.cores]


def _loss(box: Box, cells: Cells, axis: int, at: int) -> tuple[int, int, int]:
    """Free cells given up by taking the column (axis 0) or row (axis 1) `at`, distance from the middle, line."""
    start, side, length = ((box.x, box.width, box.height), (box.y, box.height, box.width))[axis]
    return length - sum(cell[axis] == at for cell in cells), abs(2 * (at - start) + 1 - side), at


def _inside(box: Box, cell: tuple[int, int]) -> bool:
    return box.x <= cell[0] < box.x + box.width and box.y <= cell[1] < box.y + box.height
