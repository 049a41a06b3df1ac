"""Places cells of equal size on grids: traffic times distance, short where much is said.

Cells come in an order in which neighbours talk (a pipeline's); they are laid along a snake over each grid, and then
pairs are exchanged as long as that shortens the wire. Deterministic; every exchange is judged exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsc.compiler.errors import VerificationError

_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Wire:
    """Traffic between two cells, or from an edge of the grid to a cell, `weight` bytes an input."""

    source: int
    target: int
    weight: int


@dataclass(frozen=True)
class GridPlacement:
    """(x, y) of each cell, and the sum over the wires of weight times Manhattan distance."""

    places: tuple[tuple[int, int], ...]
    wire_length: int


def place_on_grid(cells: int, wires: Sequence[Wire], width: int, height: int) -> GridPlacement:
    """A place for each cell, no two at one; raises VerificationError where there are more cells than places."""
    if cells > width * height:
        raise VerificationError(f"{cells} cells on a grid of {width} x {height}")
    spots = _snake(width, height)
    weights = np.zeros((cells, cells), np.int64)
    for wire in wires:
        if wire.source != wire.target:
            weights[wire.source, wire.target] += wire.weight
            weights[wire.target, wire.source] += wire.weight
    at = _exchanged(weights, spots) if cells > 1 else spots[:cells]
    gaps = np.abs(at[:, None, :] - at[None, :, :]).sum(-1)
    return GridPlacement(tuple((int(x), int(y)) for x, y in at), int((weights * gaps).sum()) // 2)


def _snake(width: int, height: int) -> NDArray[np.int64]:
    """All places, row by row, every other row backwards."""
    rows = [[(x if y % 2 == 0 else width - 1 - x, y) for x in range(width)] for y in range(height)]
    return np.array([place for row in rows for place in row], np.int64)


def _exchanged(weights: NDArray[np.int64], spots: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places after exchanging cells (free places among them) pair by pair while the wire gets shorter."""
    count = len(spots)
    cells = len(weights)
    at = spots.copy()
    padded = np.zeros((count, count), np.int64)
    padded[:cells, :cells] = weights
    for _ in range(_ROUNDS):
        changed = False
        for cell in range(cells):
            gains = _gains(padded, at, cell)
            best = int(np.argmax(gains))
            if gains[best] > 0:
                at[[cell, best]] = at[[best, cell]]
                changed = True
        if not changed:
            break
    return at[:cells]


def _gains(weights: NDArray[np.int64], at: NDArray[np.int64], cell: int) -> NDArray[np.int64]:
    """By how much the wire gets shorter where a cell changes places with each other one."""
    distances = np.abs(at[:, None, :] - at[None, :, :]).sum(-1)
    own = weights[cell] @ distances  # cost of the cell at each place, the others where they are
    costs = np.einsum("ij,ij->i", weights, distances)
    moved = weights @ distances[cell]  # cost of each other cell at this cell's place
    shared = 2 * weights[cell] * distances[cell]  # the pair's own wire keeps its length
    return (own[cell] - own) + (costs - moved) - shared
