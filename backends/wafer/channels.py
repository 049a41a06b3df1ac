"""Freedom from deadlock: no stream's routes wait for each other in a circle.

A wavelet holds the queue of a link until there is room in the queue of the next one on its way: the *channel dependency
graph* of the routes has an edge from each link to the next, and routes without a circle in it never lock (Dally and
Seitz, IEEE Trans. Computers 1987). Streams have colours of their own, hence queues of their own, and kernels pass
inputs on in one order (`wsc.backends.wafer.verify`), so that each stream is looked at by itself.

A circle of links is one of straight lines, and that is one of turns (Glass and Ni, ISCA 1992). So the graph is made of
directions first; only where that has a circle of lines, and only where these have one too, of the pieces of lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from wsc.compiler.errors import VerificationError

if TYPE_CHECKING:
    from wsc.backends.wafer.simulate.routes import Runs, Ways

Point = tuple[int, int]
_NAMES = {(1, 0): "east", (-1, 0): "west", (0, 1): "south", (0, -1): "north"}


@dataclass(frozen=True, order=True)
class Piece:
    """Links of one direction between two points of a line."""

    direction: Point
    start: Point
    stop: Point

    def __str__(self) -> str:
        return f"{_NAMES[self.direction]} from {self.start} to {self.stop}"


def check_routes(name: str, ways: Ways) -> None:
    """Raise VerificationError, with the circle, where the routes of a stream wait for each other."""
    if not ways.flights.words.size:
        return
    turns = _turns(ways)
    if nx.is_directed_acyclic_graph(nx.DiGraph({(a, b) for (a, _), (b, _) in turns})):
        return
    lines: nx.DiGraph[tuple[Point, int]] = nx.DiGraph(turns)
    circles = [c for c in nx.strongly_connected_components(lines) if len(c) > 1]
    if not circles:
        return
    if circle := find_circle(set(_corners(ways))):
        waits = " -> ".join(str(piece) for piece in [*circle, circle[0]])
        raise VerificationError(f"stream {name}: its routes wait for each other in a circle: {waits}")


def find_circle(routes: Iterable[Sequence[Point]]) -> list[Piece]:
    """Pieces of lines that wait for each other, in turn; none where the routes, given by their corners, never lock."""
    routes = sorted(tuple(route) for route in routes)
    graph: nx.DiGraph[Piece] = nx.DiGraph()
    stops = _stops(routes)
    for route in routes:
        nx.add_path(graph, [piece for a, b in pairwise(route) for piece in _pieces(a, b, stops)])
    try:
        return [edge[0] for edge in nx.find_cycle(graph)]
    except nx.NetworkXNoCycle:
        return []


def _stops(routes: Iterable[Sequence[Point]]) -> dict[tuple[Point, int], list[int]]:
    """Where routes start, turn and end on each line: by direction and row, or column."""
    found: dict[tuple[Point, int], set[int]] = {}
    for route in routes:
        for a, b in pairwise(route):
            line, along = _line(a, b)
            found.setdefault(line, set()).update((a[along], b[along]))
    return {line: sorted(places, reverse=sum(line[0]) < 0) for line, places in found.items()}


def _pieces(a: Point, b: Point, stops: dict[tuple[Point, int], list[int]]) -> Iterator[Piece]:
    line, along = _line(a, b)
    low, high = sorted((a[along], b[along]))
    for first, second in pairwise(at for at in stops[line] if low <= at <= high):
        ends = ((first, a[1]), (second, a[1])) if along == 0 else ((a[0], first), (a[0], second))
        yield Piece(line[0], *ends)


def _line(a: Point, b: Point) -> tuple[tuple[Point, int], int]:
    """The direction and the row (or column) of a straight piece, and which coordinate changes."""
    along = 0 if a[1] == b[1] else 1
    step = 1 if b[along] > a[along] else -1
    return (((step, 0), a[1]) if along == 0 else ((0, step), a[0])), along


# ---- corners and turns of flows


def _turns(ways: Ways) -> set[tuple[tuple[Point, int], tuple[Point, int]]]:
    """From which line flows turn into which; flows of one turn at once, those that go round something one by one."""
    f = ways.flights
    rows, columns = _long(ways.rows), _long(ways.columns)
    pieces = np.bincount(np.concatenate([rows.flow, columns.flow]), minlength=f.words.size)
    found = {
        turn
        for route in _corners(ways, pieces > 2)
        for turn in pairwise(_line(a, b)[0] for a, b in pairwise(route))
    }
    row, column = _by_flow(rows, pieces), _by_flow(columns, pieces)
    both = np.flatnonzero((pieces == 2) & (row >= 0) & (column >= 0))
    r, c = rows[row[both]], columns[column[both]]  # type: ignore[index]
    first = (r.start == f.sx[both]) & (r.at == f.sy[both])
    kinds = np.stack([r.stop > r.start, c.stop > c.start, first]).astype(np.int64)
    far = int(max(r.at.max(initial=0), c.at.max(initial=0))) + 1
    keys = ((kinds[0] * 2 + kinds[1]) * 2 + kinds[2]) * far * far + r.at * far + c.at
    for key in np.unique(keys).tolist():
        kind, (y, x) = key // far**2, divmod(key % far**2, far)
        one, other = ((1 if kind & 4 else -1, 0), y), ((0, 1 if kind & 2 else -1), x)
        found.add((one, other) if kind & 1 else (other, one))
    return found


def _long(runs: Runs) -> Runs:
    return runs[runs.start != runs.stop]


def _by_flow(runs: Runs, pieces: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each flow the number of its (last) run, -1 where it has none."""
    found = np.full(pieces.size, -1)
    found[runs.flow] = np.arange(runs.flow.size)
    return found


def _corners(ways: Ways, which: NDArray[np.bool_] | None = None) -> Iterator[tuple[Point, ...]]:
    """Routes of flows (all, or those of `which`) as the points where they start, turn and end."""
    f = ways.flights
    runs: dict[int, dict[Point, list[Point]]] = {}
    for straight, along_x in ((_long(ways.rows), True), (_long(ways.columns), False)):
        chosen = straight if which is None else straight[which[straight.flow]]
        for flow, at, start, stop in zip(*(column.tolist() for column in chosen.columns), strict=True):
            ends = ((start, at), (stop, at)) if along_x else ((at, start), (at, stop))
            runs.setdefault(flow, {}).setdefault(ends[0], []).append(ends[1])
    for flow, steps in runs.items():
        route = [(int(f.sx[flow]), int(f.sy[flow]))]
        while steps.get(route[-1]):
            route.append(steps[route[-1]].pop())
        yield tuple(route)
