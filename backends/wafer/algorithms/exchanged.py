"""Modelled cycles of an exchange: the boxes of elements that go from one core to another, and what they load.

No simulator uses this. Along each dimension, tiles of the old and of the new layout cut the extent in runs; a box is a
run of every dimension, has one owner in either layout, and goes first along x and then along y.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from wsc.backends.wafer.machine import Wafer
from wsc.compiler.ir.types import TensorType
from wsc.compiler.layout import Layout, Mesh

Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Boxes:
    """Boxes by the places of their old core and of their new one, and the elements of each."""

    old_x: Index
    old_y: Index
    new_x: Index
    new_y: Index
    elements: Index


def exchange_cycles(machine: Wafer, mesh: Mesh, type: TensorType, old: Layout, new: Layout) -> int:
    """Cycles until every element is with its new owner; a core starts a task for each core that it hears from."""
    boxes = _moved(_boxes(mesh, type, old, new))
    core, fabric = machine.core, machine.fabric
    words = -(-boxes.elements * type.dtype.bytes // fabric.link_bytes_per_cycle)
    width, height = mesh.width, mesh.height
    cores = [y * width + x for x, y in ((boxes.old_x, boxes.old_y), (boxes.new_x, boxes.new_y))]
    ramp = max(int(np.bincount(at, words, 1).max()) for at in cores)
    pairs = np.unique(cores[1] * (width * height) + cores[0]) // (width * height)
    heard = int(np.bincount(pairs, minlength=1).max())
    across = _busiest(boxes.old_y, boxes.old_x, boxes.new_x, words, height, width)
    down = _busiest(boxes.new_x, boxes.old_y, boxes.new_y, words, width, height)
    hops = np.abs(boxes.new_x - boxes.old_x) + np.abs(boxes.new_y - boxes.old_y)
    far = int(hops.max(initial=0)) * fabric.hop_cycles + 2 * fabric.ramp_cycles
    return core.task_startup_cycles * (1 + heard) + max(ramp, across, down) + far


def _boxes(mesh: Mesh, type: TensorType, old: Layout, new: Layout) -> _Boxes:
    """All boxes: along every dimension a core's place and the elements of a run, then all combinations."""
    owners = [layout.owners(mesh, type.shape) for layout in (old, new)]
    found: list[list[Index]] = []
    for dim, extent in enumerate(type.shape):
        places = [
            _places(mesh, layout, parts, dim, extent)
            for layout, parts in zip((old, new), owners, strict=True)
        ]
        rows = np.stack([column for pair in places for column in pair])
        starts = np.flatnonzero(np.concatenate([[True], (rows[:, 1:] != rows[:, :-1]).any(axis=0)]))
        found.append([*rows[:, starts], np.diff(starts, append=extent)])
    if not found:
        found.append([np.zeros(1, np.int64)] * 4 + [np.ones(1, np.int64)])
    old_x, old_y, new_x, new_y = (_outer(np.add, [rows[n] for rows in found]) for n in range(4))
    return _Boxes(old_x, old_y, new_x, new_y, _outer(np.multiply, [rows[4] for rows in found]))


def _outer(combine: np.ufunc, vectors: list[Index]) -> Index:
    return np.asarray(reduce(lambda a, b: combine.outer(a, b).ravel(), vectors))


def _places(
    mesh: Mesh, layout: Layout, parts: tuple[Index, ...], dim: int, extent: int
) -> tuple[Index, Index]:
    """What a dimension adds to x and y of an element's owner, for every index along it."""
    place = {"x": np.zeros(extent, np.int64), "y": np.zeros(extent, np.int64)}
    for cut in layout.cuts[dim]:
        along = np.broadcast_to(parts[mesh.index(cut.axis)].ravel(), (extent,))
        place[mesh[cut.axis].along] = place[mesh[cut.axis].along] + along * mesh.pitch(cut.axis)
    return place["x"], place["y"]


def _moved(boxes: _Boxes) -> _Boxes:
    """Those that leave their core."""
    moves = (boxes.old_x != boxes.new_x) | (boxes.old_y != boxes.new_y)
    columns = (boxes.old_x, boxes.old_y, boxes.new_x, boxes.new_y, boxes.elements)
    return _Boxes(*(column[moves] for column in columns))


def _busiest(line: Index, start: Index, stop: Index, words: Index, lines: int, places: int) -> int:
    """Most words on a link of all lines, in either direction."""
    most = 0
    for first, behind in ((start, stop), (places - 1 - start, places - 1 - stop)):
        up = first < behind
        ends = [np.bincount(line[up] * places + at[up], words[up], lines * places) for at in (first, behind)]
        loads = (ends[0] - ends[1]).reshape(lines, places).cumsum(axis=1)
        most = max(most, int(loads.max(initial=0)))
    return most
