"""Two shapes of one tensor, row by row, as one finer shape in whose dimensions the layouts of both can be written."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from wsc.compiler.errors import AlgorithmError
from wsc.compiler.layout import Cut, Layout

Shape = tuple[int, ...]


def common_shape(first: Shape, second: Shape) -> Shape:
    """The coarsest shape that refines both, without dimensions of extent 1; raises AlgorithmError if there is none."""
    if prod(first) != prod(second):
        raise AlgorithmError(f"shapes {list(first)} and {list(second)} are not of one tensor")
    a, b = ([n for n in shape if n > 1] for shape in (first, second))
    found: list[int] = []
    while a and b:
        outer = min(a[0], b[0])
        if a[0] % outer or b[0] % outer:
            raise AlgorithmError(f"shapes {list(first)} and {list(second)} have no common refinement")
        found.append(outer)
        for extents in (a, b):
            extents[0] //= outer
            if extents[0] == 1:
                del extents[0]
    return tuple(found)


def in_shape(layout: Layout, shape: Shape, finer: Shape) -> Layout:
    """A layout of a tensor of some shape in the dimensions of a finer one; raises AlgorithmError where it cannot be."""
    rest, cuts, at = list(finer), [], list(layout.at)
    for extent, own in zip(shape, layout.cuts, strict=True):
        if extent > 1:
            cuts += _cuts(own, _taken(rest, extent), layout)
        else:
            at += [cut.axis for cut in own]  # the only place is on part 0
    return Layout(tuple(cuts), tuple(at), layout.partial)


def _taken(rest: list[int], extent: int) -> list[int]:
    """The first of the finer extents, as many as make up an extent."""
    taken: list[int] = []
    while prod(taken) < extent:
        taken.append(rest.pop(0))
    return taken


def _cuts(own: Sequence[Cut], extents: Sequence[int], layout: Layout) -> list[tuple[Cut, ...]]:
    """Cuts of a dimension as cuts of the dimensions that it is made of, outermost first."""
    found: list[list[Cut]] = [[] for _ in extents]
    at, left = 0, extents[0]  # positions of the dimension at hand in a tile so far
    for cut in own:
        inner = prod(extents[at + 1 :])
        while cut.tile % inner and left == 1:
            at, left = at + 1, extents[at + 1]
            inner = prod(extents[at + 1 :])
        if cut.tile % inner or cut.lo or cut.hi:
            raise AlgorithmError(f"{layout} cannot be written in dimensions of {list(extents)}")
        left = cut.tile // inner
        found[at].append(Cut(cut.axis, left))
    return [tuple(cuts) for cuts in found]
