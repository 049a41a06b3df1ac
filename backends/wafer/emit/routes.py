"""Which way each stream goes: along rows first ("xy") or along columns first ("yx"), so that no link gets too much.

A stream leaves its region on the columns (or rows) over which the result is spread and enters the next on the rows
(or columns) over which that one's operand is spread; each carries an equal share. The busiest streams choose first,
each the way on which the fullest link it would use is emptier; then all choose again, knowing the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

Leg = tuple[str, tuple[slice, slice], float]  # direction, cores, words on the link of each
Links = dict[str, NDArray[np.float64]]

_ROUNDS = 4  # the first chooses, the others choose again knowing the rest


@dataclass(frozen=True)
class End:
    """A region's corner and size, and over how many of its columns and rows the stream is spread."""

    x: int
    y: int
    width: int
    height: int
    columns: int
    rows: int


@dataclass(frozen=True)
class Trip:
    """A stream to route, with the words it carries for one input."""

    source: End
    target: End
    words: float


def choose_routes(trips: Sequence[Trip], width: int, height: int) -> list[str]:
    """A route for each trip, in order."""
    links = {
        "x": np.zeros((height, width)),
        "y": np.zeros((height, width)),
    }  # words on the links of each core
    routes = [""] * len(trips)
    for _ in range(_ROUNDS):
        for number in sorted(range(len(trips)), key=lambda i: (-trips[i].words, i)):
            trip = trips[number]
            if routes[number]:
                _load(links, trip, routes[number], -1)
            routes[number] = min(("yx", "xy"), key=partial(_fullest, links, trip))
            _load(links, trip, routes[number], 1)
    return routes


def _load(links: Links, trip: Trip, route: str, sign: int) -> None:
    for direction, where, words in _legs(trip, route):
        links[direction][where] += sign * words


def _legs(trip: Trip, route: str) -> list[Leg]:
    """The two rectangles of links that a trip uses, with the words each link carries."""
    a, b = trip.source, trip.target
    if route == "yx":
        vertical = (_between(a.y, a.height, b.y, b.height), slice(a.x, a.x + a.width))
        horizontal = (slice(b.y, b.y + b.height), _between(a.x, a.width, b.x, b.width))
        return [("y", vertical, trip.words / a.columns), ("x", horizontal, trip.words / b.rows)]
    horizontal = (slice(a.y, a.y + a.height), _between(a.x, a.width, b.x, b.width))
    vertical = (_between(a.y, a.height, b.y, b.height), slice(b.x, b.x + b.width))
    return [("x", horizontal, trip.words / a.rows), ("y", vertical, trip.words / b.columns)]


def _between(a: int, size_a: int, b: int, size_b: int) -> slice:
    """From the middle of one span to the middle of the other."""
    first, second = a + size_a // 2, b + size_b // 2
    return slice(min(first, second), max(first, second) + 1)


def _fullest(links: Links, trip: Trip, route: str) -> float:
    return max(
        float(links[direction][where].max(initial=0.0)) + words
        for direction, where, words in _legs(trip, route)
    )
