"""Places cells of equal size on grids: traffic times distance, short where much is said.

Cells come in an order in which neighbours talk (a pipeline's). They are laid along snakes through bands of several
heights, pairs are exchanged as long as that shortens the wire, and of what comes out the one whose busiest link (routes
go along x, then y) carries least is kept. Deterministic; every exchange is judged exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from wsc.compiler.errors import VerificationError

_ROUNDS = 4
_BANDS = (1, 2, 3, 4, 6, 12)


@dataclass(frozen=True, slots=True)
class Wire:
    """Traffic between two cells, or from an edge of the grid to a cell, `weight` bytes an input."""

    source: int
    target: int
    weight: int


@dataclass(frozen=True)
class GridPlacement:
    """(x, y) of each cell, the sum over the wires of weight times Manhattan distance, and the busiest link's weight."""

    places: tuple[tuple[int, int], ...]
    wire_length: int
    busiest: int


def place_on_grid(cells: int, wires: Sequence[Wire], width: int, height: int) -> GridPlacement:
    """A place for each cell, no two at one; raises VerificationError where there are more cells than places."""
    if cells > width * height:
        raise VerificationError(f"{cells} cells on a grid of {width} x {height}")
    weights = np.zeros((cells, cells), np.int64)
    for wire in wires:
        if wire.source != wire.target:
            weights[wire.source, wire.target] += wire.weight
    found = []
    for band in sorted({min(band, height) for band in _BANDS}):
        spots = _snake(width, height, band)
        ways = (spots[:cells], _exchanged(weights + weights.T, spots))
        found += [(*_judge(weights, at, width, height), band, at) for at in ways]
    busiest, length, _, at = min(found, key=lambda f: f[:3])
    return GridPlacement(tuple((int(x), int(y)) for x, y in at), length, busiest)


def _judge(weights: NDArray[np.int64], at: NDArray[np.int64], width: int, height: int) -> tuple[int, int]:
    """The weight on the busiest link, and weight times distance."""
    across = np.zeros((2, height, width + 1), np.int64)
    down = np.zeros((2, width, height + 1), np.int64)
    sources, targets = np.nonzero(weights)
    (x0, y0), (x1, y1), weight = at[sources].T, at[targets].T, weights[sources, targets]
    for loads, line, a, b in ((across, y0, x0, x1), (down, x1, y0, y1)):
        np.add.at(loads, ((b < a).astype(int), line, np.minimum(a, b)), weight)
        np.add.at(loads, ((b < a).astype(int), line, np.maximum(a, b)), -weight)
    length = int((weight * (np.abs(x1 - x0) + np.abs(y1 - y0))).sum())
    return int(max(loads.cumsum(-1).max() for loads in (across, down))), length


def _snake(width: int, height: int, band: int) -> NDArray[np.int64]:
    """All places: bands of `band` rows one below the other, in each column by column, turning at every end."""
    places = []
    for number, top in enumerate(range(0, height, band)):
        rows = range(top, min(top + band, height))
        columns = range(width) if number % 2 == 0 else range(width - 1, -1, -1)
        for turn, x in enumerate(columns):
            places += [(x, y) for y in (rows if turn % 2 == 0 else reversed(rows))]
    return np.array(places, np.int64)


def _exchanged(weights: NDArray[np.int64], spots: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places after exchanging cells (free places among them) pair by pair while the wire gets shorter."""
    count, cells = len(spots), len(weights)
    at = spots.copy()
    sparse = csr_array(weights)
    sparse.resize((count, count))
    distances = np.abs(at[:, None, :] - at[None, :, :]).sum(-1)
    for _ in range(_ROUNDS):
        changed = False
        for cell in range(cells):
            gains = _gains(sparse, distances, cell)
            best = int(np.argmax(gains))
            if gains[best] > 0:
                pair = [cell, best]
                at[pair] = at[pair[::-1]]
                distances[pair] = distances[pair[::-1]]
                distances[:, pair] = distances[:, pair[::-1]]
                changed = True
        if not changed:
            break
    return at[:cells]


def _gains(weights: csr_array, distances: NDArray[np.int64], cell: int) -> NDArray[np.int64]:
    """By how much the wire gets shorter where a cell changes places with each other one."""
    some = slice(weights.indptr[cell], weights.indptr[cell + 1])
    friends, amounts = weights.indices[some], weights.data[some]
    own = amounts @ distances[friends]  # cost of the cell at each place, the others where they are
    rows = np.repeat(np.arange(len(distances)), np.diff(weights.indptr))
    change = weights.data * (distances[rows, weights.indices] - distances[cell, weights.indices])
    saved = np.bincount(rows, change, len(distances)).astype(
        np.int64
    )  # by each other cell at this cell's place
    shared = np.zeros(len(distances), np.int64)
    shared[friends] = 2 * amounts * distances[cell, friends]  # the pair's own wire keeps its length
    return np.asarray((own[cell] - own) + saved - shared)
