"""Two meshes over the same cores as one finer mesh, in whose axes the layouts of both can be written.

A direction of 24 cores that one mesh counts as 4 x 6 and another as 2 x 12 is counted as 2 x 2 x 6 by both: every axis
of either is one or several of the finer ones. So a tensor can be laid out anew from one phase of a model to the next,
whose axes are others.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod

from wsc.compiler.errors import AlgorithmError
from wsc.compiler.layout import Cut, Layout, Mesh, MeshAxis


@dataclass(frozen=True)
class Refinement:
    """A mesh, and for both meshes that it refines the finer axes that each of theirs is made of, slowest first."""

    mesh: Mesh
    first: dict[str, tuple[str, ...]]
    second: dict[str, tuple[str, ...]]

    def translate(self, layout: Layout, *, second: bool = False) -> Layout:
        """A layout of one of the meshes in finer axes; raises AlgorithmError for overlaps along an axis of several."""
        axes = self.second if second else self.first
        return Layout(
            tuple(
                tuple(fine for cut in cuts for fine in self._cuts(cut, axes[cut.axis]))
                for cuts in layout.cuts
            ),
            tuple(fine for axis in layout.at for fine in axes[axis]),
            tuple(fine for axis in layout.partial for fine in axes[axis]),
        )

    def _cuts(self, cut: Cut, fine: tuple[str, ...]) -> tuple[Cut, ...]:
        if len(fine) == 1:
            return (Cut(fine[0], cut.tile, cut.lo, cut.hi),)
        if cut.lo or cut.hi:
            raise AlgorithmError(
                f"cut {cut} overlaps, and its axis is made of {', '.join(fine)} in the finer mesh"
            )
        parts = [self.mesh[name].parts for name in fine]
        return tuple(Cut(name, cut.tile * prod(parts[n + 1 :])) for n, name in enumerate(fine))


def refine(first: Mesh, second: Mesh) -> Refinement:
    """The coarsest mesh that refines both; raises AlgorithmError where sizes differ or there is none."""
    if (first.width, first.height) != (second.width, second.height):
        raise AlgorithmError(
            f"mesh {first} is of {first.width} x {first.height} cores, and mesh {second} of"
            f" {second.width} x {second.height}: a relayout stays on its cores"
        )
    axes = [axis for along in "yx" for axis in _finer(first, second, along)]
    mesh = Mesh(tuple(axes))
    return Refinement(mesh, _made_of(first, mesh), _made_of(second, mesh))


def _finer(first: Mesh, second: Mesh, along: str) -> list[MeshAxis]:
    """Axes between all the pitches of both meshes in one direction, each of which has to divide the next."""
    extent = first.width if along == "x" else first.height
    pitches = {mesh.pitch(a.name) for mesh in (first, second) for a in mesh.axes if a.along == along}
    ordered = sorted({1, extent, *pitches}, reverse=True)
    if odd := next(((big, small) for big, small in pairwise(ordered) if big % small), None):
        raise AlgorithmError(
            f"meshes {first} and {second} have no common refinement along {along}: groups of {odd[0]} cores hold no"
            f" whole number of groups of {odd[1]}"
        )
    sizes = [big // small for big, small in pairwise(ordered)]
    return [MeshAxis(f"{along}{n}", parts, along) for n, parts in enumerate(sizes)]


def _made_of(coarse: Mesh, fine: Mesh) -> dict[str, tuple[str, ...]]:
    """For every axis of a mesh the finer axes between its pitch and the next; none for an axis of a single part."""
    found = {}
    for axis in coarse.axes:
        low = coarse.pitch(axis.name)
        high = low * axis.parts
        inside = (a for a in fine.axes if a.along == axis.along and low <= fine.pitch(a.name) < high)
        found[axis.name] = tuple(a.name for a in inside)
    return found
