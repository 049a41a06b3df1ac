"""Layouts: how a tensor lies across a grid of units.

A mesh gives names to the directions of a region of units: each axis has a number of parts and runs along the region's
x or y. Several axes may share a direction; the first named is the slowest. A layout says, for each dimension of a
tensor, which axes cut it into tiles, and for each axis that cuts none whether its units hold copies of the tensor,
partial sums of it, or nothing but on part 0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import prod

import numpy as np
from numpy.typing import NDArray

from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops.base import Array

Index = NDArray[np.int64]
Place = tuple[Index, NDArray[np.bool_]]
Places = tuple[Place, ...]

KEPT_ELEMENTS = (
    1 << 14
)  # tensors with more elements than this, copies and overlaps counted, are looked at afresh


@dataclass(frozen=True)
class MeshAxis:
    """A direction of a mesh: `parts` units (or groups of units) along "x" or "y"."""

    name: str
    parts: int
    along: str

    def __post_init__(self) -> None:
        if self.parts < 1 or self.along not in ("x", "y"):
            raise ValueError(f"bad mesh axis {self.name}={self.parts} along {self.along}")


@dataclass(frozen=True)
class Mesh:
    """Named axes over a region; the region's width is the product of the parts along x, its height along y."""

    axes: tuple[MeshAxis, ...]

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Parts of every axis, in order."""
        return tuple(axis.parts for axis in self.axes)

    @cached_property
    def width(self) -> int:
        """Units along x."""
        return prod(axis.parts for axis in self.axes if axis.along == "x")

    @cached_property
    def height(self) -> int:
        """Units along y."""
        return prod(axis.parts for axis in self.axes if axis.along == "y")

    @cached_property
    def _places(self) -> dict[str, int]:
        return {axis.name: place for place, axis in reversed(list(enumerate(self.axes)))}

    def index(self, name: str) -> int:
        """Position of the axis called `name`; raises ValueError."""
        if name not in self._places:
            raise ValueError(f"'{name}' is no axis of the mesh {self}")
        return self._places[name]

    def __getitem__(self, name: str) -> MeshAxis:
        return self.axes[self.index(name)]

    def pitch(self, name: str) -> int:
        """Distance, in units, between neighbouring parts of an axis."""
        at = self.index(name)
        return prod(axis.parts for axis in self.axes[at + 1 :] if axis.along == self.axes[at].along)

    def folded(self, *names: str) -> Mesh:
        """The mesh with each "a*b" of `names` as one axis: neighbouring axes of one direction; raises ValueError."""
        if names not in self._folds:
            self._folds[names] = self._folded(names)
        return self._folds[names]

    @cached_property
    def _folds(self) -> dict[tuple[str, ...], Mesh]:
        return {}

    def _folded(self, names: tuple[str, ...]) -> Mesh:
        axes = list(self.axes)
        for name in dict.fromkeys(n for n in names if "*" in n):
            parts = name.split("*")
            at = [axis.name for axis in axes].index(parts[0])
            found = axes[at : at + len(parts)]
            if [a.name for a in found] != parts or len({a.along for a in found}) > 1:
                raise ValueError(f"'{name}' is no line of the mesh {self}")
            axes[at : at + len(parts)] = [MeshAxis(name, prod(a.parts for a in found), found[0].along)]
        return Mesh(tuple(axes))

    @cached_property
    def coordinates(self) -> tuple[Index, Index]:
        """x and y of every unit in the region, as arrays of the mesh's shape."""
        digits = np.indices(self.shape, dtype=np.int64)
        place = {"x": np.zeros(self.shape, np.int64), "y": np.zeros(self.shape, np.int64)}
        for axis, digit in zip(self.axes, digits, strict=True):
            place[axis.along] = place[axis.along] + digit * self.pitch(axis.name)
        return place["x"], place["y"]

    def __str__(self) -> str:
        return " ".join(f"{a.name}={a.parts}{a.along}" for a in self.axes) or "-"

    @staticmethod
    def parse(text: str) -> Mesh:
        """Read back what `str` printed; raises ValueError."""
        return Mesh(tuple(_parse_axis(part) for part in text.split() if part != "-"))


def _parse_axis(text: str) -> MeshAxis:
    match = re.fullmatch(r"(\w+)=(\d+)([xy])", text)
    if match is None:
        raise ValueError(f"not a mesh axis: {text!r}")
    return MeshAxis(match[1], int(match[2]), match[3])


@dataclass(frozen=True)
class Cut:
    """A dimension cut along `axis` into tiles of `tile` elements, each with `lo` and `hi` elements of overlap."""

    axis: str
    tile: int
    lo: int = 0
    hi: int = 0

    def __str__(self) -> str:
        overlap = f"~{self.lo}+{self.hi}" if self.lo or self.hi else ""
        return f"{self.axis}:{self.tile}{overlap}"


_CUT = re.compile(r"(\w+):(\d+)(?:~(\d+)\+(\d+))?")


@dataclass(frozen=True)
class Layout:
    """`cuts[d]` are the cuts of dimension d, outermost first (at most one with overlap, the last).

    `at` names the axes whose part 0 alone holds the tensor, `partial` those whose parts hold addends of it; every
    other axis that cuts nothing holds copies.
    """

    cuts: tuple[tuple[Cut, ...], ...]
    at: tuple[str, ...] = ()
    partial: tuple[str, ...] = ()

    def tile(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Extents of the tile that a unit holds of a tensor of this shape, overlap included."""
        return tuple(
            cuts[-1].tile + cuts[-1].lo + cuts[-1].hi if cuts else n
            for cuts, n in zip(self.cuts, shape, strict=True)
        )

    def tile_type(self, type: TensorType) -> TensorType:
        """Type of the tile of a tensor."""
        return TensorType(type.dtype, self.tile(type.shape))

    @property
    def axes(self) -> tuple[str, ...]:
        """Axes that cut some dimension, in order of dimensions."""
        return tuple(cut.axis for cuts in self.cuts for cut in cuts)

    def positions(self, mesh: Mesh, shape: tuple[int, ...]) -> Places:
        """For each dimension, the global index of every tile element and whether it exists.

        The arrays broadcast against `mesh.shape + tile`.
        """
        find = _positions if self._is_small(mesh, shape) else _positions.__wrapped__
        return find(self, mesh, shape)

    def valid(self, mesh: Mesh, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
        """Mask over `mesh.shape + tile` of the elements that exist; None where all do."""
        find = _valid if self._is_small(mesh, shape) else _valid.__wrapped__
        return find(self, mesh, shape)

    def _is_small(self, mesh: Mesh, shape: tuple[int, ...]) -> bool:
        """Whether what is known of all tiles is worth keeping: large ones take long themselves, and much memory."""
        return prod(mesh.shape) * prod(self.tile(shape)) <= KEPT_ELEMENTS

    def distribute(self, mesh: Mesh, dense: Array, fill: float | int = 0) -> Array:
        """Tiles of a dense tensor, shape `mesh.shape + tile`; what does not exist is `fill`, every unit gets a copy."""
        found = self.positions(mesh, dense.shape)
        index = tuple(
            np.clip(place, 0, max(n - 1, 0)) for (place, _), n in zip(found, dense.shape, strict=True)
        )
        full = mesh.shape + self.tile(dense.shape)
        tiles = np.array(np.broadcast_to(dense[index] if index else dense, full), order="C")
        mask = self.valid(mesh, dense.shape)
        if mask is not None:
            tiles[~mask] = fill
        return tiles

    def collect(self, mesh: Mesh, tiles: Array, shape: tuple[int, ...]) -> Array:
        """The dense tensor from its tiles, read where `owners` says."""
        return np.asarray(tiles[(*self.owners(mesh, shape), *self._offsets(mesh, shape))])

    def owners(self, mesh: Mesh, shape: tuple[int, ...]) -> tuple[Index, ...]:
        """For each mesh axis, which part owns each element; arrays that broadcast to `shape`."""
        rank = len(shape)
        parts = [np.zeros((1,) * rank, np.int64) for _ in mesh.axes]
        for d, cuts in enumerate(self.cuts):
            rest = np.arange(shape[d])
            for cut in cuts:
                part = np.minimum(rest // cut.tile, mesh[cut.axis].parts - 1)
                parts[mesh.index(cut.axis)] = _along(part, d, rank)
                rest = rest - part * cut.tile
        return tuple(parts)

    def _offsets(self, mesh: Mesh, shape: tuple[int, ...]) -> tuple[Index, ...]:
        offsets = []
        for d, cuts in enumerate(self.cuts):
            rest = np.arange(shape[d])
            for cut in cuts:
                rest = rest - np.minimum(rest // cut.tile, mesh[cut.axis].parts - 1) * cut.tile
            offsets.append(_along(rest + (cuts[-1].lo if cuts else 0), d, len(shape)))
        return tuple(offsets)

    def __str__(self) -> str:
        dims = ",".join("/".join(map(str, cuts)) or "." for cuts in self.cuts)
        at = f" at {','.join(self.at)}" if self.at else ""
        partial = f" partial {','.join(self.partial)}" if self.partial else ""
        return f"[{dims}]{at}{partial}"

    @staticmethod
    def parse(text: str) -> Layout:
        """Read back what `str` printed; raises ValueError."""
        match = re.fullmatch(r"\[(.*?)\](?: at (\S+))?(?: partial (\S+))?", text)
        if match is None:
            raise ValueError(f"not a layout: {text!r}")
        cuts = tuple(_parse_cuts(part) for part in match[1].split(",")) if match[1] else ()
        return Layout(
            cuts,
            tuple((match[2] or "").split(",")) if match[2] else (),
            tuple((match[3] or "").split(",")) if match[3] else (),
        )


def _parse_cuts(text: str) -> tuple[Cut, ...]:
    if text == ".":
        return ()
    found = [_CUT.fullmatch(part) for part in text.split("/")]
    if None in found:
        raise ValueError(f"not a cut: {text!r}")
    return tuple(Cut(m[1], int(m[2]), int(m[3] or 0), int(m[4] or 0)) for m in found if m)


def _along(values: Index, axis: int, rank: int) -> Index:
    """A vector as an array of `rank` dimensions that runs along `axis`."""
    return np.asarray(values, np.int64).reshape([-1 if a == axis else 1 for a in range(rank)])


@lru_cache(maxsize=1024)
def _positions(layout: Layout, mesh: Mesh, shape: tuple[int, ...]) -> Places:
    return tuple(_along_dimension(layout, mesh, shape, d) for d in range(len(shape)))


def _along_dimension(layout: Layout, mesh: Mesh, shape: tuple[int, ...], dim: int) -> Place:
    rank = len(mesh.axes) + len(shape)
    cuts = layout.cuts[dim]
    local = _along(np.arange(layout.tile(shape)[dim]), len(mesh.axes) + dim, rank)
    start, end = np.zeros_like(local), np.asarray(shape[dim])
    for cut in cuts:
        start = start + _along(np.arange(mesh[cut.axis].parts) * cut.tile, mesh.index(cut.axis), rank)
        end = np.minimum(end, start + cut.tile + cut.hi)
    place = start + local - (cuts[-1].lo if cuts else 0)
    exists = (place >= 0) & (place < np.minimum(end, shape[dim]))
    place.flags.writeable = exists.flags.writeable = False  # shared by all who ask
    return place, exists


@lru_cache(maxsize=1024)
def _valid(layout: Layout, mesh: Mesh, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    masks = [exists for _, exists in layout.positions(mesh, shape) if not exists.all()]
    if not masks:
        return None
    full = np.ones((1,) * (len(mesh.axes) + len(shape)), np.bool_)
    for mask in masks:
        full = full & mask
    return np.broadcast_to(full, mesh.shape + layout.tile(shape))
