"""Streams between regions: tiles leave the cores a route starts at and arrive at the cores where it ends."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from wsc.backends.wafer.execute.move import held, unwritten
from wsc.backends.wafer.program import HOST, Buffer, Endpoint, Kernel, Program, Stream
from wsc.compiler.errors import SimulationError
from wsc.compiler.layout import Mesh
from wsc.compiler.ops.base import Array


class Network:
    """What is under way: for each stream, the chunks (dense) that were sent and not yet received."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._sent: dict[str, list[Array]] = defaultdict(list)
        self._arrived: dict[str, list[Array]] = defaultdict(list)

    def feed(self, name: str, array: Array) -> None:
        """Give the host's tensor to every stream that starts at it."""
        for stream in self.program.streams:
            if (stream.source.kernel, stream.source.buffer) == (HOST, name):
                self._sent[stream.name].append(array)
                self._pass_on(stream)

    def send(self, name: str, kernel: Kernel, buffer: Buffer, tiles: Array) -> None:
        """Collect a chunk from the cores where the stream's route starts."""
        stream = self.program.stream(name)
        moved = _displaced(tiles, kernel.mesh, _offset(stream.source, kernel))
        self._sent[name].append(buffer.layout.collect(kernel.mesh, moved, buffer.type.shape))
        self._pass_on(stream)

    def receive(self, name: str, kernel: Kernel, buffer: Buffer) -> Array:
        """Deliver the next chunk to the cores where the stream's route ends."""
        if not self._arrived[name]:
            raise SimulationError(
                f"kernel '{kernel.name}' receives from stream {name}, where nothing was sent"
            )
        dense = self._arrived[name].pop(0)
        if dense.shape != buffer.type.shape:
            raise SimulationError(f"stream {name} brings {dense.shape} to %{buffer.name} of {buffer.type}")
        tiles = buffer.layout.distribute(kernel.mesh, dense)
        placed = held(kernel.mesh, buffer.layout, tiles)
        return _displaced(placed, kernel.mesh, _offset(self.program.stream(name).target, kernel, sign=-1))

    def output(self, name: str) -> Array:
        """The tensor that the host received under `name`."""
        for stream in self.program.streams:
            if (stream.target.kernel, stream.target.buffer) == (HOST, name):
                return (
                    np.concatenate(self._arrived[stream.name], axis=stream.target.dim)
                    if stream.target.type.rank
                    else self._arrived[stream.name][0]
                )
        raise SimulationError(f"no stream brings output '{name}' to the host")

    def _pass_on(self, stream: Stream) -> None:
        """Move what is complete from the source's chunks to the target's."""
        sent, source, target = self._sent[stream.name], stream.source, stream.target
        if source.chunks == target.chunks:
            self._arrived[stream.name].append(_view(stream, sent.pop()))
        elif len(sent) == source.chunks:
            whole = _view(stream, np.concatenate(sent, axis=source.dim))
            self._arrived[stream.name] += np.split(whole, target.chunks, axis=target.dim)
            sent.clear()


def _view(stream: Stream, dense: Array) -> Array:
    for op in stream.views:
        dense = op.reference([dense])
    return dense


def _offset(end: Endpoint, kernel: Kernel, sign: int = 1) -> tuple[int, int]:
    """How far the stream's stated corner lies from the region's."""
    return sign * (end.at[0] - kernel.x), sign * (end.at[1] - kernel.y)


def _displaced(tiles: Array, mesh: Mesh, offset: tuple[int, int]) -> Array:
    """What a reader sees that looks `offset` cores beside the place it means: unwritten memory outside the region."""
    if offset == (0, 0):
        return tiles
    x, y = mesh.coordinates
    grid = unwritten((mesh.height, mesh.width, *tiles.shape[len(mesh.axes) :]), tiles.dtype)
    grid[y, x] = tiles
    seen_x, seen_y = x + offset[0], y + offset[1]
    inside = (seen_x >= 0) & (seen_x < mesh.width) & (seen_y >= 0) & (seen_y < mesh.height)
    result = unwritten(tiles.shape, tiles.dtype)
    result[inside] = grid[seen_y[inside], seen_x[inside]]
    return result
