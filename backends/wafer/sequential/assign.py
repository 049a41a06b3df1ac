"""Which dimension is cut over which axes: one decision for all tensors that have it.

A dimension is cut over all rows of cores, over all columns, over one of the two axes that columns (or rows) are made
of, or not at all. The start is by rule: heads over the outer axis of the columns and what is within a head over the
inner one; the dimension of most bytes (of all, or of those beside heads) over the rows (or the columns), or on square
meshes that of the tokens, so that products shift; every other one over all columns, or rows, whichever nothing beside
it is cut over. From there each dimension is put where the whole kernel is cheapest, the longest first, until nothing
changes. Ways that do not serve some op are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from math import inf

from wsc.backends.wafer.sequential.dims import Dims
from wsc.backends.wafer.sequential.draft import COLUMNS, ROWS, Axes
from wsc.compiler.ir.graph import Node
from wsc.compiler.layout import Mesh

PLACES: tuple[Axes, ...] = (
    ("x0",),
    ("x1",),
    ("y0",),
    ("y1",),
    ROWS,
    COLUMNS,
)  # narrow ones leave room for others
_SWEEPS = 2

Cuts = Mapping[int, Axes]
Price = Callable[[Cuts, float], float]  # of cuts, if it is not above a limit


def search(dims: Dims, nodes: Sequence[Node], mesh: Mesh, price: Price) -> tuple[Cuts, float]:
    """The cheapest cuts found for the atoms of some nodes; the price is infinite where even no cut serves."""
    known: dict[tuple[tuple[int, Axes], ...], float] = {}
    cutting = {axis.name for axis in mesh.axes if axis.parts > 1}

    def priced(cuts: Cuts, limit: float) -> float:
        # An axis of one part cuts nothing: with it or without it the kernel is the same.
        told = ((a, tuple(axis for axis in axes if axis in cutting)) for a, axes in cuts.items())
        key = tuple(sorted((a, axes) for a, axes in told if axes))
        if key not in known:
            known[key] = price(dict(key), limit)
        return known[key]  # infinite where it is above a limit from before, which was no lower

    starts = (
        {},
        *(_Start(dims, nodes, mesh, *way).cuts() for way in product((ROWS, COLUMNS), (False, True))),
    )
    start, best = starts[0], inf
    for cuts in starts:
        cost = priced(cuts, best)
        if cost < best:
            start, best = cuts, cost
    order = sorted(by_bytes(dims, nodes), key=lambda a: -dims.extent[a])
    return _descend(order, priced, dict(start), best)


class _Start:
    """Cuts by rule, so that no two dimensions of a tensor are cut over one axis."""

    def __init__(self, dims: Dims, nodes: Sequence[Node], mesh: Mesh, first: Axes, heads_last: bool) -> None:
        self.dims, self.nodes, self.mesh, self.first, self.heads_last = dims, nodes, mesh, first, heads_last
        self.square = mesh["y0"].parts == mesh["x0"].parts and mesh["y1"].parts == mesh["x1"].parts
        self.tokens = most_common(dims, nodes)
        self.found: dict[int, Axes] = {}
        self.beside = self._neighbours()

    def cuts(self) -> dict[int, Axes]:
        """The cuts."""
        order = by_bytes(self.dims, self.nodes)
        group = self._heads()
        sized = [a for a in order if not (self.heads_last and a in group)]
        first = self.tokens if self.square else next(iter(sized), None)
        if first is not None:
            self._put(first, (ROWS if self.square else self.first,))
        if group:
            self._put(group[0], (("x0",),))
        for atom in sorted(group[1:], key=lambda a: -self.dims.extent[a]):
            self._put(atom, (("x1",),))
        for atom in order:
            if atom not in group:
                self._put(atom, (COLUMNS, ROWS, ("x1",), ("x0",)))
        return self.found

    def _put(self, atom: int, places: Sequence[Axes]) -> None:
        taken = {axis for other in self.beside.get(atom, ()) for axis in self.found.get(other, ())}
        free = next((place for place in places if not taken & set(place)), None)
        if free is not None and atom not in self.found:
            self.found[atom] = free

    def _heads(self) -> list[int]:
        """A dimension that the outer axis divides and that is the outer one of a product, then its inner ones."""
        outer = self.mesh["x0"].parts
        groups = [atoms for node in self.nodes for atoms in self.dims.of[node.name] if len(atoms) > 1]
        heads = [g[0] for g in groups if g[0] not in self.dims.whole and self.dims.extent[g[0]] % outer == 0]
        if not heads or outer == 1:
            return []
        inner = dict.fromkeys(a for g in groups if g[0] == heads[0] for a in g[1:])
        return [heads[0], *(a for a in inner if a not in self.dims.whole)]

    def _neighbours(self) -> dict[int, set[int]]:
        """Atoms that share a tensor; where products shift, a weight's summed atoms are cut apart from the others."""
        with_tokens = {
            a
            for node in self.nodes
            if not node.is_weight and self.tokens in self.dims.atoms(node.name)
            for a in self.dims.atoms(node.name)
        }
        found: dict[int, set[int]] = {}
        for node in self.nodes:
            atoms = set(self.dims.atoms(node.name))
            if self.square and node.is_weight and atoms <= with_tokens:
                continue
            for atom in atoms:
                found.setdefault(atom, set()).update(atoms - {atom})
            if node.name in self.dims.apart:
                found.setdefault(self.dims.apart[node.name], set()).update(atoms)
        return found


def _descend(order: Sequence[int], price: Price, cuts: dict[int, Axes], best: float) -> tuple[Cuts, float]:
    for _ in range(_SWEEPS):
        before = best
        for atom in order:
            for place in (*PLACES, ()):
                other = {**cuts, atom: place}
                cost = price(other, best)
                if cost < best:
                    best, cuts = cost, other
        if best == before:
            break
    return cuts, best


def by_bytes(dims: Dims, nodes: Sequence[Node]) -> list[int]:
    """Atoms that may be cut, those of the largest tensors first."""
    weight: Counter[int] = Counter()
    for node in nodes:
        for atom in set(dims.atoms(node.name)) - dims.whole:
            weight[atom] += node.type.bytes
        if node.name in dims.apart:  # its scores
            keys = dims.apart[node.name]
            weight[keys] += node.type.bytes // node.type.shape[-1] * dims.extent[keys]
    return [a for a, _ in sorted(weight.items(), key=lambda pair: (-pair[1], pair[0]))]


def most_common(dims: Dims, nodes: Sequence[Node]) -> int | None:
    """The dimension that most computed values have: that of tokens, as a rule."""
    counts: Counter[int] = Counter()
    for node in nodes:
        if not node.is_source:
            counts.update(set(dims.atoms(node.name)) - dims.whole)
    if not counts:
        return None
    return min(counts, key=lambda a: (-counts[a], a))


def outer_parts(dims: Dims, nodes: Sequence[Node], columns: int) -> list[int]:
    """How many parts the outer axis of the columns may have: what divides the heads, and 1."""
    heads = {dims.extent[a] for a in head_atoms(dims, nodes)}
    return sorted({1, *(k for n in heads for k in range(2, min(n, columns) + 1) if n % k == 0)})


def head_atoms(dims: Dims, nodes: Sequence[Node]) -> set[int]:
    """Dimensions that are the outermost factor of some larger one."""
    products = (atoms for node in nodes for atoms in dims.of[node.name] if len(atoms) > 1)
    return {atoms[0] for atoms in products} - dims.whole


def has_tokens(dims: Dims, nodes: Sequence[Node]) -> bool:
    """Whether there is a dimension that most values have and that is no product's."""
    tokens = most_common(dims, nodes)
    inner = {a for node in nodes for atoms in dims.of[node.name] if len(atoms) > 1 for a in atoms}
    return tokens is not None and tokens not in inner
