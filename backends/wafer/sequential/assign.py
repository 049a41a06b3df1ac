"""Which dimension is cut over which axes: one decision for all tensors that have it.

A dimension is cut over all rows of cores, over all columns, over one of the two axes that columns (or rows) are made
of, or not at all. Starting from nothing cut, the dimensions of most bytes first, each is put where the whole kernel is
cheapest, until nothing changes. Two starts are tried: plain, and with the dimension that most values have (the tokens)
over the rows. Ways that do not serve some op are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from wsc.backends.wafer.sequential.dims import Dims
from wsc.backends.wafer.sequential.draft import COLUMNS, ROWS, Axes
from wsc.compiler.ir.graph import Node

PLACES: tuple[Axes, ...] = (ROWS, COLUMNS, ("x0",), ("x1",), ("y1",), ("y0",))
_SWEEPS = 4

Cuts = Mapping[int, Axes]
Price = Callable[[Cuts], float]


def search(dims: Dims, nodes: Sequence[Node], price: Price, start: Cuts | None = None) -> tuple[Cuts, float]:
    """The cheapest cuts found for the atoms of some nodes; the price is infinite where even no cut serves."""
    order = _by_bytes(dims, nodes)
    starts: list[dict[int, Axes]] = [dict(start)] if start else [{}]
    tokens = _most_common(dims, nodes)
    if start is None and tokens is not None:
        starts.append({tokens: ROWS})
    known: dict[tuple[tuple[int, Axes], ...], float] = {}

    def priced(cuts: Cuts) -> float:
        key = tuple(sorted((a, axes) for a, axes in cuts.items() if axes))
        if key not in known:
            known[key] = price(dict(key))
        return known[key]

    found = [_descend(order, priced, cuts) for cuts in starts]
    return min(found, key=lambda pair: pair[1])


def _descend(order: Sequence[int], price: Price, cuts: dict[int, Axes]) -> tuple[Cuts, float]:
    best = price(cuts)
    for _ in range(_SWEEPS):
        before = best
        for atom in order:
            for place in (*PLACES, ()):
                other = {**cuts, atom: place}
                cost = price(other)
                if cost < best:
                    best, cuts = cost, other
        if best == before:
            break
    return cuts, best


def _by_bytes(dims: Dims, nodes: Sequence[Node]) -> list[int]:
    """Atoms that may be cut, those of the largest tensors first."""
    weight: Counter[int] = Counter()
    for node in nodes:
        for atom in set(dims.atoms(node.name)) - dims.whole:
            weight[atom] += node.type.bytes
    return [a for a, _ in sorted(weight.items(), key=lambda pair: (-pair[1], pair[0]))]


def _most_common(dims: Dims, nodes: Sequence[Node]) -> int | None:
    counts: Counter[int] = Counter()
    for node in nodes:
        if not node.is_source:
            counts.update(set(dims.atoms(node.name)) - dims.whole)
    if not counts:
        return None
    return min(counts, key=lambda a: (-counts[a], a))


def outer_parts(dims: Dims, nodes: Sequence[Node], columns: int) -> list[int]:
    """How many parts the outer axis of the columns may have: extents of dimensions that share a tensor, and 1."""
    shared = {
        a
        for node in nodes
        if len(dims.atoms(node.name)) > 1 and not node.is_weight
        for a in dims.atoms(node.name)
        if a not in dims.whole
    }
    extents = {dims.extent[a] // k for a in shared for k in (1, 2, 4) if dims.extent[a] % k == 0}
    return sorted({1, *(n for n in extents if 1 < n <= min(columns, 128))})
