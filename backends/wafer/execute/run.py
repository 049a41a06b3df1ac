"""Runs a program kernel by kernel: every tile, layout and movement is really carried out; nothing else is known.

Memory that nothing has written yet is NaN, so a wrong route, layout or missing movement shows in the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from graphlib import TopologicalSorter

import numpy as np

from wsc.backends.wafer.execute.compute import compute
from wsc.backends.wafer.execute.move import held, move
from wsc.backends.wafer.execute.network import Network
from wsc.backends.wafer.execute.repeat import Contents, insert, positions
from wsc.backends.wafer.execute.stepped import Stepped, step_of
from wsc.backends.wafer.instructions import Insert, Load, Positions, Recv, Send, Wait
from wsc.backends.wafer.program import HOST, Buffer, Instruction, Kernel, Loop, Program, Repeat
from wsc.compiler.errors import InputMismatch
from wsc.compiler.ops.base import Array, Op

Progress = Callable[[str, int, int], None]


def execute(
    program: Program, weights: Mapping[str, Array], inputs: Sequence[Array], progress: Progress | None = None
) -> tuple[Array, ...]:
    """Outputs of the program for one input; raises InputMismatch where an array or a weight does not fit."""
    _check(program, weights, inputs)
    network = Network(program)
    given = {name: array for (name, _), array in zip(program.inputs, inputs, strict=True)}
    for name, array in given.items():
        network.feed(name, array)
    found: dict[str, Array] = {}
    order = _topological(program)
    for number, kernel in enumerate(order):
        if progress is not None:
            progress(kernel.name, number, len(order))
        region = _Region(kernel, {**weights, **given}, network)
        region.run()
        found |= region.outputs()
    return tuple(
        found[name].reshape(type.shape) if name in found else network.output(name)
        for name, type in program.outputs
    )


def _check(program: Program, weights: Mapping[str, Array], inputs: Sequence[Array]) -> None:
    if len(inputs) != len(program.inputs):
        raise InputMismatch(f"'{program.name}' takes {len(program.inputs)} inputs, {len(inputs)} were given")
    for (name, wanted), array in zip(program.inputs, inputs, strict=True):
        if array.shape != wanted.shape or array.dtype != wanted.dtype.numpy:
            raise InputMismatch(
                f"input '{name}' must be {wanted}, {array.dtype}{list(array.shape)} was given"
            )
    held = (b for kernel in program.kernels for b in kernel.buffers if b.role in ("weight", "fetched"))
    keys = {name for buffer in held for name in buffer.names}
    if missing := sorted(keys - set(weights)):
        raise InputMismatch(
            f"'{program.name}' was compiled without the bytes of {len(missing)} weights ({missing[0]}, ...): "
            "a model on the meta device can be compiled and simulated, but not executed"
        )


def _topological(program: Program) -> list[Kernel]:
    order: TopologicalSorter[str] = TopologicalSorter({k.name: () for k in program.kernels})
    for stream in program.streams:
        if HOST not in (stream.source.kernel, stream.target.kernel):
            order.add(stream.target.kernel, stream.source.kernel)
    return [program.kernel(name) for name in order.static_order()]


class _Region:
    """One kernel at work: the tiles of its buffers, as arrays of shape mesh + tile."""

    def __init__(self, kernel: Kernel, weights: Mapping[str, Array], network: Network) -> None:
        self.kernel = kernel
        self.network = network
        self.chunked: dict[str, list[Array]] = {}
        self.tiles: dict[str, Array] = {}
        self.contents = Contents(kernel, weights)
        for buffer in kernel.buffers:
            if buffer.role == "state" or (buffer.role in ("weight", "input") and buffer.keys):
                self.contents.fill(buffer)
            elif buffer.role == "weight":
                self._load(buffer, weights[buffer.key])
            elif buffer.role == "input":
                dense = weights[buffer.key].reshape(buffer.type.shape)
                tiles = buffer.layout.distribute(kernel.mesh, dense)
                self.tiles[buffer.name] = held(kernel.mesh, buffer.layout, tiles)

    def _load(self, buffer: Buffer, dense: Array) -> None:
        mesh = self.kernel.mesh
        if buffer.chunk_dim < 0:
            self.tiles[buffer.name] = buffer.layout.distribute(mesh, dense.reshape(buffer.type.shape))
            return
        parts = np.split(dense, self.kernel.chunks, axis=buffer.chunk_dim)
        self.chunked[buffer.name] = [buffer.layout.distribute(mesh, part) for part in parts]

    def run(self) -> None:
        for instruction in self.kernel.once:
            self._step(instruction)
        for chunk in range(self.kernel.chunks):
            for name, parts in self.chunked.items():
                self.tiles[name] = parts[chunk]
            for instruction in self.kernel.body:
                self._step(instruction)

    def outputs(self) -> dict[str, Array]:
        """What the host reads after the end."""
        buffers = [b for b in self.kernel.buffers if b.role == "output"]
        mesh = self.kernel.mesh
        single = [b for b in buffers if not b.keys]
        found = {b.key: b.layout.collect(mesh, self.tiles[b.name], b.type.shape) for b in single}
        for buffer in self.kernel.buffers:
            if buffer.role == "state" or (buffer.role == "output" and buffer.keys):
                found |= self.contents.collected(buffer, buffer.after or buffer.keys)
        return found

    def _read(self, name: str) -> Array:
        buffer = self.kernel[name]
        if buffer.keys or buffer.role in ("state", "fetched"):
            return self.contents.read(buffer)
        return self.tiles[name]

    def _write(self, name: str, tiles: Array) -> None:
        buffer = self.kernel[name]
        if buffer.role == "state" or buffer.keys:
            self.contents.write(buffer, tiles)
        else:
            self.tiles[name] = tiles

    def _loop(self, loop: Loop, result: str) -> None:
        kernel = self.kernel
        kept = kernel[result]
        self.tiles[result] = np.zeros((*kernel.mesh.shape, *kept.tile_type.shape), kept.type.dtype.numpy)
        for step in range(loop.steps):
            for inner in loop.body:
                if isinstance(inner.op, Stepped):
                    operands = [self._read(name) for name in inner.operands]
                    before = self.tiles.get(inner.result)
                    tiles = step_of(inner.op, kernel.mesh, step, operands, before)
                    self.tiles[inner.result] = tiles
                elif not isinstance(inner.op, Wait):
                    self._step(inner)

    def _step(self, instruction: Instruction) -> None:
        op, kernel = instruction.op, self.kernel
        if isinstance(op, Repeat):
            for self.contents.step in range(op.steps):
                for inner in op.body:
                    self._step(inner)
            return
        if isinstance(op, Loop):
            self._loop(op, instruction.result)
            return
        operands = [self._read(name) for name in instruction.operands]
        if isinstance(op, Send):
            self.network.send(op.stream, kernel, kernel[instruction.operands[0]], operands[0])
            return
        result = kernel[instruction.result]
        if isinstance(op, Load):
            self.contents.load(result, op.ahead)
            return
        self._write(result.name, self._computed(instruction, result, operands))

    def _computed(self, instruction: Instruction, result: Buffer, operands: list[Array]) -> Array:
        op, kernel = instruction.op, self.kernel
        if isinstance(op, Recv):
            return self.network.receive(op.stream, kernel, result)
        if isinstance(op, Positions):
            return positions(kernel.mesh, result)
        if isinstance(op, Insert):
            return insert(kernel.mesh, result, op.dim, self._read(result.name), *operands)
        sources = [kernel[name] for name in instruction.operands]
        if isinstance(op, Op):
            return compute(op, kernel.mesh, sources, result, operands)
        return move(op, kernel.mesh, sources, result, operands)  # type: ignore[arg-type]
