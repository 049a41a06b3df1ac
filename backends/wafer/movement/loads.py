"""Loads of weights over the wafer's edge: every tile comes once, and is copied on its way to all cores that hold it."""

from __future__ import annotations

import numpy as np

from wsc.backends.wafer.movement.parts import (
    OPERAND,
    RESULT,
    Expansion,
    Leg,
    Region,
    Span,
    Work,
    holders,
    tile_words,
)
from wsc.backends.wafer.program import Buffer, Kernel


def expand_load(kernel: Kernel, region: Region, result: Buffer) -> Expansion:
    """A message for every tile, from the west edge on the row of the first core that holds it.

    A host's core has the tiles that it sends one after another, as words.
    """
    made = Expansion()
    words = tile_words(result)
    size = words * 4 // result.type.dtype.bytes
    for cores in _tiles(region, result):
        places = [region.places[core] for core in cores]
        row = min(y for _, y in places)
        work, tiles = made.edge.setdefault((-1, row), (Work(tasks=0), []))
        message = made.send((-1, row), places, words)
        first = len(tiles) * size
        work.legs.append(
            Leg(
                words,
                sends=message,
                reads=Span(OPERAND, np.arange(first, first + size)),
                after=len(work.legs) - 1,
            )
        )
        tiles.append(cores[0])
        for core in cores:
            made.work(core).legs.append(Leg(words, receives=message, writes=Span(RESULT)))
    return made


def _tiles(region: Region, result: Buffer) -> list[list[int]]:
    """Cores that hold the same tile, for every tile."""
    mesh, layout = region.mesh, result.layout
    parts = np.indices(mesh.shape).reshape(len(mesh.shape), -1)
    cutting = [mesh.index(axis) for axis in dict.fromkeys(layout.axes)]
    found: dict[tuple[int, ...], list[int]] = {}
    for core in holders(mesh, layout.at):
        found.setdefault(tuple(int(parts[axis, core]) for axis in cutting), []).append(core)
    return list(found.values())
