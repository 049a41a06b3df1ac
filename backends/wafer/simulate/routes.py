"""Words on every link of the fabric, from flows and their dimension-ordered routes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]
Words = NDArray[np.float64]
EAST, WEST, SOUTH, NORTH = range(4)


@dataclass(frozen=True, eq=False)
class LinkLoads:
    """`words[d, j, i]` leave core (x + i, y + j) in direction d: 0 east (x grows), 1 west, 2 south (y grows), 3 north.

    Column -1 is the wafer's west edge, where the host's tensors come in.
    """

    x: int
    y: int
    words: Words

    @property
    def busiest(self) -> int:
        """Words on the most loaded link."""
        return int(self.words.max(initial=0))


@dataclass(frozen=True, eq=False)
class Flights:
    """Flows by place: from (`sx`, `sy`) to (`tx`, `ty`), `words` each; arrays of one length."""

    sx: Index
    sy: Index
    tx: Index
    ty: Index
    words: Index

    @property
    def hops(self) -> Index:
        """Links on the way of each flow."""
        return np.asarray(np.abs(self.tx - self.sx) + np.abs(self.ty - self.sy))


def link_loads(flights: Flights, route: str) -> LinkLoads:
    """Loads of the links, every flow going first along x ("xy") or first along y ("yx")."""
    if not flights.words.size:
        return LinkLoads(0, 0, np.zeros((4, 1, 1)))
    f = flights
    x, y = int(min(f.sx.min(), f.tx.min())), int(min(f.sy.min(), f.ty.min()))
    shape = int(max(f.sy.max(), f.ty.max())) - y + 1, int(max(f.sx.max(), f.tx.max())) - x + 1
    row, column = (f.sy, f.tx) if route == "xy" else (f.ty, f.sx)
    words = np.zeros((4, *shape))
    words[EAST], words[WEST] = _along_rows(shape, row - y, f.sx - x, f.tx - x, f.words)
    south, north = _along_rows(shape[::-1], column - x, f.sy - y, f.ty - y, f.words)
    words[SOUTH], words[NORTH] = south.T, north.T
    return LinkLoads(x, y, words)


def _along_rows(
    shape: tuple[int, int], row: Index, start: Index, stop: Index, words: Index
) -> tuple[Words, Words]:
    """Words that leave each place of `shape` (rows, places) upwards and downwards.

    Upwards a flow leaves start .. stop - 1, downwards stop + 1 .. start: each adds at one end of its interval and
    takes off behind the other, and a running sum fills the interval.
    """
    up = start < stop
    down = start > stop
    return (
        _running_sum(shape, row[up], start[up], stop[up], words[up]),
        _running_sum(shape, row[down], stop[down] + 1, start[down] + 1, words[down]),
    )


def _running_sum(shape: tuple[int, int], row: Index, first: Index, behind: Index, words: Index) -> Words:
    if not words.size:
        return np.zeros(shape)
    width = shape[1] + 1
    size = shape[0] * width
    steps = np.bincount(row * width + first, words, size) - np.bincount(row * width + behind, words, size)
    return np.asarray(steps.reshape(shape[0], width).cumsum(axis=1)[:, :-1])
