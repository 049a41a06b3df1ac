"""What a repeat needs beyond its instructions: which content of a buffer is seen in a step, and what inserts do."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from wsc.backends.wafer.program import Buffer, Kernel
from wsc.compiler.layout import Mesh
from wsc.compiler.ops.base import Array

FAR = 1 << 30  # the place of what lies past the end of a tensor


class Contents:
    """The contents of buffers that have one for every step of a repeat, or that are loaded: tiles by step."""

    def __init__(self, kernel: Kernel, arrays: Mapping[str, Array]) -> None:
        self.kernel, self.arrays = kernel, arrays
        self.step = 0
        self._tiles: dict[tuple[str, int], Array] = {}

    def fill(self, buffer: Buffer) -> None:
        """Put in what a buffer holds before the start."""
        for step, key in enumerate(buffer.names):
            self._tiles[buffer.name, step] = self._distributed(buffer, self.arrays[key])

    def load(self, buffer: Buffer, ahead: int) -> None:
        """Fetch the content of a later step, over that of the oldest step."""
        step = self.step + ahead if buffer.keys else 0
        if step < len(buffer.names):
            self._tiles.pop((buffer.name, step - buffer.copies), None)
            self._tiles[buffer.name, step] = self._distributed(buffer, self.arrays[buffer.names[step]])

    def read(self, buffer: Buffer) -> Array:
        """Tiles that are seen in this step."""
        return self._tiles[buffer.name, self.step if buffer.keys else 0]

    def write(self, buffer: Buffer, tiles: Array) -> None:
        """Replace what is seen in this step."""
        self._tiles[buffer.name, self.step if buffer.keys else 0] = tiles

    def collected(self, buffer: Buffer, names: tuple[str, ...]) -> dict[str, Array]:
        """What the host reads of a buffer after the end, by name."""
        mesh, shape = self.kernel.mesh, buffer.type.shape
        return {
            name: buffer.layout.collect(mesh, self._tiles[buffer.name, step], shape)
            for step, name in enumerate(names)
        }

    def _distributed(self, buffer: Buffer, dense: Array) -> Array:
        return buffer.layout.distribute(self.kernel.mesh, dense.reshape(buffer.type.shape))


def insert(mesh: Mesh, buffer: Buffer, dim: int, tiles: Array, places: Array, value: Array) -> Array:
    """The tiles with slices along `dim` at global places replaced; `places` and `value` are tiles too."""
    here, exists = buffer.layout.positions(mesh, buffer.type.shape)[dim]
    lead = len(mesh.axes)
    return _replaced(tiles, here, exists, dim, places, value, lead)


def replaced(tiles: Array, here: Array, exists: Array, dim: int, places: Array, value: Array) -> Array:
    """As `insert`, on some cores, whose number is the first extent of every array."""
    return _replaced(tiles, here, exists, dim, places, value, 1)


def _replaced(
    tiles: Array, here: Array, exists: Array, dim: int, places: Array, value: Array, lead: int
) -> Array:
    result = tiles.copy()
    rank = tiles.ndim - lead
    for n in range(places.shape[lead]):
        place = places[..., n].reshape(places.shape[:lead] + (1,) * rank)
        piece = np.take(value, [n], axis=lead + dim)
        result = np.where((here == place) & exists, piece, result)
    return result


def positions(mesh: Mesh, buffer: Buffer) -> Array:
    """Global places of every tile's elements, those past the end far away."""
    here, exists = buffer.layout.positions(mesh, buffer.type.shape)[0]
    full = (*mesh.shape, *buffer.tile_type.shape)
    return np.broadcast_to(np.where(exists, here, FAR), full).astype(buffer.type.dtype.numpy)
