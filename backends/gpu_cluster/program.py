"""The program of a cluster: what each rank does, written once for all ranks that do the same.

Ranks lie in a mesh of named axes, the last the fastest: rank = position in row-major order. A rank class names those
ranks that have certain coordinates. Blocks are lists of instructions that are called, such as one layer forward.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from wsc.backends.gpu_cluster.instructions import Alloc, Call, Free, Instruction, Repeat
from wsc.compiler.ir.types import TensorType
from wsc.compiler.layout import Layout, Mesh, MeshAxis
from wsc.compiler.ops.base import Op


@dataclass(frozen=True)
class Buffer:
    """A tensor of which every rank of a class holds a tile: `type` is the whole tensor, `layout` cuts it.

    `role` is "input" (number `key` of the model's inputs), "weight" (of that `key`, after `views`) or "local".
    """

    name: str
    type: TensorType
    layout: Layout
    role: str = "local"
    key: str = ""
    views: tuple[Op, ...] = ()

    @cached_property
    def tile(self) -> TensorType:
        """Type of what one rank holds."""
        return self.layout.tile_type(self.type)


@dataclass(frozen=True)
class Block:
    """Instructions under a name."""

    name: str
    body: tuple[Instruction, ...]


@dataclass(frozen=True)
class RankClass:
    """The ranks whose coordinates are `where`, as (axis, index), and what each of them does for one run.

    `outputs` are the model's results that the class holds, as (number, buffer).
    """

    where: tuple[tuple[str, int], ...]
    body: tuple[Instruction, ...]
    buffers: tuple[Buffer, ...] = ()
    outputs: tuple[tuple[int, str], ...] = ()

    @property
    def place(self) -> str:
        """`where` as text, a space before each; nothing where it is all ranks."""
        return "".join(f" {axis}={index}" for axis, index in self.where)

    @cached_property
    def _by_name(self) -> dict[str, Buffer]:
        return {b.name: b for b in self.buffers}

    def __getitem__(self, name: str) -> Buffer:
        return self._by_name[name]

    def __contains__(self, name: str) -> bool:
        return name in self._by_name


@dataclass(frozen=True)
class Program:
    """`machine` is the cluster's name, `runs` how many inputs (or steps) one run of all ranks serves.

    `graphs` says that kernels are launched from CUDA graphs.
    """

    name: str
    machine: str
    mesh: Mesh
    runs: int
    graphs: bool
    inputs: tuple[tuple[str, TensorType], ...]
    outputs: tuple[tuple[str, TensorType], ...]
    blocks: tuple[Block, ...]
    classes: tuple[RankClass, ...]

    @cached_property
    def _blocks(self) -> dict[str, Block]:
        return {b.name: b for b in self.blocks}

    def block(self, name: str) -> Block:
        """The block of a name; raises KeyError."""
        return self._blocks[name]

    @property
    def ranks(self) -> int:
        """Number of ranks."""
        return prod(self.mesh.shape)


def rank_mesh(sizes: Mapping[str, int]) -> Mesh:
    """A mesh of ranks from the sizes of its axes, outermost first."""
    return Mesh(tuple(MeshAxis(name, size, "x") for name, size in sizes.items()))


def flat(body: tuple[Instruction, ...]) -> Iterator[Instruction]:
    """The instructions one after another, repeats written out."""
    for instruction in body:
        if isinstance(instruction, Repeat):
            inner = tuple(flat(instruction.body))
            for _ in range(instruction.times):
                yield from inner
        else:
            yield instruction


def once(body: tuple[Instruction, ...]) -> Iterator[Instruction]:
    """Every instruction a single time, those inside repeats too."""
    for instruction in body:
        if isinstance(instruction, Repeat):
            yield from once(instruction.body)
        else:
            yield instruction


def class_of_ranks(program: Program) -> NDArray[np.int64]:
    """The index of the class of each rank, -1 where there is none."""
    places = np.indices(program.mesh.shape).reshape(len(program.mesh.axes), -1)
    found = np.full(program.ranks, -1, np.int64)
    for number, ranks in enumerate(program.classes):
        mask = np.ones(program.ranks, np.bool_)
        for axis, index in ranks.where:
            mask &= places[program.mesh.index(axis)] == index
        found[mask] = number
    return found


def peak_bytes(program: Program, ranks: RankClass) -> int:
    """Most memory, in bytes, that a rank of the class holds at one time."""
    return _peak(program, ranks.body, {})[0]


def _peak(
    program: Program, body: tuple[Instruction, ...], known: dict[str, tuple[int, int]]
) -> tuple[int, int]:
    """(peak, what is left), in bytes over what was held before."""
    sizes: dict[str, int] = {}
    held = peak = 0
    for instruction in flat(body):
        if isinstance(instruction, Alloc):
            sizes[instruction.name] = instruction.bytes
            held += instruction.bytes
        elif isinstance(instruction, Free):
            held -= sizes[instruction.name]
        elif isinstance(instruction, Call):
            if instruction.block not in known:
                known[instruction.block] = _peak(program, program.block(instruction.block).body, known)
            peak = max(peak, held + known[instruction.block][0])
        peak = max(peak, held)
    return peak, held
