"""Nets that share a fabric: which of several ways each goes, and on which of few channels, as one exact choice.

Two nets may not pass a cell on one channel, and through a room at most so many channels go in all. Sets of ways that
pass one cell are what counts, so that a fabric of any size is a few hundred of them (CP-SAT, one worker, a limit in
deterministic time).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from ortools.sat.python import cp_model

Cells = NDArray[np.bool_]
_EFFORT = 10.0  # deterministic seconds


@dataclass(frozen=True)
class Room:
    """Rows and columns of cells, and how many channels may pass through them."""

    where: tuple[slice, slice]
    most: int


def choose_channels(
    ways: Sequence[Sequence[Cells]], channels: int, rooms: Sequence[Room]
) -> list[tuple[int, int]] | None:
    """A way and a channel for every net, each by number; None where none is found.

    `ways[net]` are the cells that each of its ways passes, of one shape (height, width) for all.
    """
    model = cp_model.CpModel()
    numbers = [(net, way) for net, of in enumerate(ways) for way in range(len(of))]
    takes = {
        (i, channel): model.new_bool_var(f"{i} {channel}")
        for i, channel in product(range(len(numbers)), range(channels))
    }
    for net in range(len(ways)):
        model.add_exactly_one(
            takes[i, c] for i, (other, _) in enumerate(numbers) if other == net for c in range(channels)
        )
    for together in meetings([ways[net][way] for net, way in numbers]):
        for channel in range(channels):
            model.add_at_most_one(takes[i, channel] for i in together)
    for room in rooms:
        through = [i for i, (net, way) in enumerate(numbers) if ways[net][way][room.where].any()]
        used = [model.new_bool_var("") for _ in range(channels)]
        for i, channel in product(through, range(channels)):
            model.add_implication(takes[i, channel], used[channel])
        model.add(sum(used) <= room.most)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.max_deterministic_time = _EFFORT
    if solver.solve(model) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    chosen = {
        numbers[i][0]: (numbers[i][1], channel) for (i, channel), var in takes.items() if solver.value(var)
    }
    return [chosen[net] for net in range(len(ways))]


def meetings(ways: Sequence[Cells]) -> list[list[int]]:
    """Ways that pass one cell together, by number, without the sets that lie in others."""
    marks = np.random.default_rng(0).integers(2**63, size=len(ways), dtype=np.uint64)
    sums = np.zeros(ways[0].shape if ways else 0, np.uint64)
    for mark, cells in zip(marks, ways, strict=True):
        sums[cells] += mark
    _, first = np.unique(sums, return_index=True)
    passing = np.array([cells.ravel()[first] for cells in ways])
    sets = sorted(
        {frozenset(np.flatnonzero(at).tolist()) for at in passing.T}, key=lambda s: (-len(s), sorted(s))
    )
    largest: list[frozenset[int]] = []
    for found in sets:
        if len(found) > 1 and not any(found < other for other in largest):
            largest.append(found)
    return [sorted(found) for found in largest]
