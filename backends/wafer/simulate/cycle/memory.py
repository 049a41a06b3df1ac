"""Tiles in the memory of a kernel's cores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from wsc.backends.wafer.execute.compute import existing
from wsc.backends.wafer.execute.move import held
from wsc.backends.wafer.instructions import Append, Halo, ReduceInto
from wsc.backends.wafer.movement.streams import pads
from wsc.backends.wafer.program import RESIDENT, Buffer, Instruction, Kernel, Loop, Program
from wsc.backends.wafer.simulate.cycle.unroll import stride
from wsc.backends.wafer.simulate.cycle.works import Memory
from wsc.compiler.layout import Layout, Mesh
from wsc.compiler.ops.base import Array

Words = NDArray[np.uint32]  # [word, core]: the memory of a kernel's cores


def place(kernel: Kernel, copies: Mapping[str, int], banks: int) -> tuple[dict[str, Memory], int]:
    """Where the buffers lie, one after another, and the bytes that they take.

    A halo copies its tile two words a cycle: where the result lies half of the banks away, neither word is read from
    the bank that the other is written to.
    """
    found: dict[str, Memory] = {}
    end = 0
    for buffer in kernel.buffers:
        end += _gap(kernel, found, buffer, end, banks)
        found[buffer.name] = Memory(buffer, end)
        end += copies[buffer.name] * stride(buffer)
    for instruction in kernel.flat_instructions():
        if isinstance(instruction.op, Append):
            kind = kernel[instruction.operands[0]].tile_type
            for name in handed(instruction):
                found[name] = Memory(Buffer(name, kind, Layout(((),) * kind.rank), "local"), end)
                end += stride(found[name].buffer)
    return found, end


def handed(append: Instruction) -> tuple[str, str]:
    """Memory for the element that an append hands on, and for the one that comes."""
    return f"{append.result}'out", f"{append.result}'in"


def _gap(kernel: Kernel, found: Mapping[str, Memory], buffer: Buffer, address: int, banks: int) -> int:
    """Bytes to leave free before a buffer, so that a halo which fills it copies half of the banks further on."""
    for instruction in kernel.flat_instructions():
        op = instruction.op
        if instruction.result != buffer.name or not isinstance(op, Halo):
            continue
        source = found.get(instruction.operands[0])
        if source is not None:
            tile = buffer.tile_type
            copied = address + op.lo * prod(tile.shape[op.dim + 1 :]) * tile.dtype.bytes
            return 4 * ((source.address // 4 + banks // 2 - copied // 4) % banks)
    return 0


def tiles(view: Words, memory: Memory, copy: int, cores: Sequence[int]) -> Array:
    """The tiles of some cores, of shape (cores, *tile); `view` is the memory of a kernel's cores."""
    kind = memory.buffer.tile_type
    raw = _bytes(view, memory, copy, cores)[:, : kind.bytes]
    return np.ascontiguousarray(raw).view(kind.dtype.numpy).reshape(len(cores), *kind.shape)


def store(view: Words, memory: Memory, copy: int, cores: Sequence[int], value: Array) -> None:
    """Put tiles into the memory of some cores."""
    kind = memory.buffer.tile_type
    first = memory.at(copy) // 4
    raw = _bytes(view, memory, copy, cores)
    raw[:, : kind.bytes] = (
        np.ascontiguousarray(value, kind.dtype.numpy).reshape(len(cores), -1).view(np.uint8)
    )
    words = raw.view(np.uint32)
    view[first : first + words.shape[1], list(cores)] = words.T


def _bytes(view: Words, memory: Memory, copy: int, cores: Sequence[int]) -> NDArray[np.uint8]:
    """A copy of what the cores hold, up to the end of the last word: [core, byte]."""
    first = memory.at(copy) // 4
    count = stride(memory.buffer) // 4
    words = view[first : first + count, list(cores)]
    return np.ascontiguousarray(words.T).view(np.uint8).reshape(len(cores), 4 * count)


def load(
    program: Program, kernel: Kernel, view: Words, memories: Mapping[str, Memory],
    copies: Mapping[str, int], arrays: Mapping[str, Array],
) -> None:  # fmt: skip
    """Fill memory before the start: weights and inputs; zeros, or what a halo fills with, where tiles do not exist."""
    cores = range(kernel.cores)
    loops = [i.op for i in kernel.flat_instructions() if isinstance(i.op, Loop)]
    sums = {i.result for loop in loops for i in loop.body if isinstance(i.op, ReduceInto)}
    fills = {i.result: i.op.fill for i in kernel.flat_instructions() if isinstance(i.op, Halo)}
    padded = {s.target.buffer: pads(s) for s in program.streams if s.target.kernel == kernel.name}
    for buffer in kernel.buffers:
        memory = memories[buffer.name]
        if buffer.role in RESIDENT:
            for copy, dense in enumerate(_parts(kernel, buffer, arrays)):
                value = buffer.layout.distribute(kernel.mesh, dense)
                value = held(kernel.mesh, buffer.layout, value) if buffer.role == "input" else value
                store(
                    view,
                    memory,
                    copy,
                    cores,
                    value.reshape(kernel.cores, *value.shape[len(kernel.mesh.axes) :]),
                )
            continue
        for copy in range(copies[buffer.name]):
            _clear(view, memory, copy, kernel.mesh, fills.get(buffer.name, 0.0), padded.get(buffer.name))
            if buffer.name in sums:  # nothing else may be where no step puts anything
                store(view, memory, copy, cores, np.zeros_like(tiles(view, memory, copy, cores)))


def _parts(kernel: Kernel, buffer: Buffer, arrays: Mapping[str, Array]) -> list[Array]:
    """The contents of a buffer: for every chunk, or every step of a repeat."""
    if buffer.chunk_dim >= 0:
        return np.split(arrays[buffer.key], kernel.chunks, axis=buffer.chunk_dim)
    return [arrays[name].reshape(buffer.type.shape) for name in buffer.names]


def _clear(view: Words, memory: Memory, copy: int, mesh: Mesh, fill: float, pad: float | None) -> None:
    cores = range(view.shape[1])
    mask = existing(mesh, memory.buffer)
    value = tiles(view, memory, copy, cores)
    if pad is not None:
        value = np.full_like(value, pad)
    if mask is not None:
        value = np.where(mask, value, np.asarray(fill, value.dtype))
    store(view, memory, copy, cores, value)
