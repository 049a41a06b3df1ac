"""Flows of a tensor that goes as it is from one layout to another, by boxes instead of element by element.

Along each dimension, the tiles of both layouts cut the extent in runs whose elements have one owner in either; a box is
a run of every dimension. A large tensor has a thousand times fewer boxes than elements.
"""

from __future__ import annotations

from functools import reduce

import numpy as np
from numpy.typing import NDArray

from wsc.compiler.layout import Layout, Mesh

Index = NDArray[np.int64]


def flows_by_boxes(
    shape: tuple[int, ...], source: tuple[Mesh, Layout], target: tuple[Mesh, Layout]
) -> tuple[Index, Index, Index]:
    """Cores of the owners in both layouts and the elements between them: pairs sorted by target, then source.

    Neither layout has overlaps; cores are counted along the rows of their region.
    """
    ends = [_by_dimension(mesh, layout, shape) for mesh, layout in (source, target)]
    found = [_runs(a, b) for a, b in zip(*ends, strict=True)]
    old, new = (_outer(np.add, [run[end] for run in found]) for end in (0, 1))
    elements = _outer(np.multiply, [run[2] for run in found])
    base = int(old.max(initial=0)) + 1
    pairs, place = np.unique(new * base + old, return_inverse=True)
    return pairs % base, pairs // base, np.bincount(place, elements, pairs.size).astype(np.int64)


def _by_dimension(mesh: Mesh, layout: Layout, shape: tuple[int, ...]) -> list[Index]:
    """What the place along each dimension adds to the number of an element's owner."""
    parts = layout.owners(mesh, shape)
    weights = [mesh.pitch(a.name) * (1 if a.along == "x" else mesh.width) for a in mesh.axes]
    found = []
    for cuts, extent in zip(layout.cuts, shape, strict=True):
        added = np.zeros(extent, np.int64)
        for cut in cuts:
            at = mesh.index(cut.axis)
            added += np.broadcast_to(parts[at].ravel(), (extent,)) * weights[at]
        found.append(added)
    return found


def _runs(old: Index, new: Index) -> tuple[Index, Index, Index]:
    """Places along a dimension at which either owner changes: both owners, and how many elements follow."""
    starts = np.flatnonzero(np.concatenate([[True], (old[1:] != old[:-1]) | (new[1:] != new[:-1])]))
    return old[starts], new[starts], np.diff(starts, append=old.size)


def _outer(combine: np.ufunc, vectors: list[Index]) -> Index:
    one = np.full(1, combine.identity, np.int64)
    return np.asarray(reduce(lambda a, b: combine.outer(a, b).ravel(), vectors, one))
