"""Instructions of one region in the making. Generators append to a block, so that what they make can be chained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from wsc.backends.wafer.algorithms.resident import resident_program
from wsc.backends.wafer.instructions import Move
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Buffer, Instruction, Loop, Program
from wsc.compiler.errors import AlgorithmError
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.layout import Cut, Layout, Mesh
from wsc.compiler.ops import Cast, Elementwise
from wsc.compiler.ops.base import Op


class Block:
    """Buffers and instructions on a mesh, in order; `buffers` and `instructions` may be read at any time.

    A generator is a function that takes a block and the buffers it works on, appends to the block and returns the
    buffer of its result. Every result is a buffer of its own; names are those asked for, numbered where taken.
    """

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self.instructions: list[Instruction] = []
        self._buffers: dict[str, Buffer] = {}
        self._in_place: dict[str, str] = {}

    @property
    def buffers(self) -> tuple[Buffer, ...]:
        """All buffers, in the order in which they were made."""
        return tuple(self._buffers.values())

    @property
    def in_place(self) -> dict[str, str]:
        """Buffers that take the memory of another: the name of each, and of the one that it overwrites."""
        return dict(self._in_place)

    def buffer(
        self, name: str, type: TensorType, layout: Layout, role: str = "local", key: str = ""
    ) -> Buffer:
        """A new buffer; raises AlgorithmError where the layout does not fit the type or the mesh."""
        check_layout(self.mesh, layout, type, name)
        made = Buffer(self._fresh(name), type, layout, role, key)
        self._buffers[made.name] = made
        return made

    def input(self, name: str, type: TensorType, layout: Layout) -> Buffer:
        """A tensor that the host fills before the start."""
        return self.buffer(name, type, layout, "input", name)

    def weight(self, name: str, type: TensorType, layout: Layout) -> Buffer:
        """A tensor that is there before the first run."""
        return self.buffer(name, type, layout, "weight", name)

    def output(self, buffer: Buffer, key: str) -> Buffer:
        """Let the host read a buffer, under a name, after the end."""
        self._buffers[buffer.name] = replace(buffer, role="output", key=key)
        return self._buffers[buffer.name]

    def add(
        self, op: Op | Move, operands: Sequence[Buffer], type: TensorType, layout: Layout, name: str = ""
    ) -> Buffer:
        """Append an instruction whose result is a new buffer."""
        result = self.buffer(name or (op.fn if isinstance(op, Elementwise) else op.kind), type, layout)
        self.append(op, operands, result)
        return result

    def append(self, op: Op | Move | Loop, operands: Sequence[Buffer], result: Buffer) -> None:
        """Append an instruction whose result is a buffer that there is."""
        self.instructions.append(Instruction(op, tuple(b.name for b in operands), result.name))

    def overwrite(self, op: Op | Move, operands: Sequence[Buffer], old: Buffer, name: str = "") -> Buffer:
        """Append an instruction whose result takes the memory of `old`, which nothing may read afterwards."""
        result = self.add(op, operands, old.type, old.layout, name or old.name)
        self._in_place[result.name] = old.name
        return result

    def elementwise(
        self, fn: str, operands: Sequence[Buffer], scalars: tuple[float | None, ...] = (), name: str = ""
    ) -> Buffer:
        """Append a local elementwise op on tensors of one rank that lie alike; raises AlgorithmError otherwise."""
        op = Elementwise(fn, scalars or (None,) * len(operands))
        type = op.infer([b.type for b in operands])
        return self.add(op, operands, type, _joint_layout(fn, operands, type), name)

    def cast(self, buffer: Buffer, dtype: DType) -> Buffer:
        """The buffer with elements of another type; the buffer itself where they are of that type."""
        if buffer.type.dtype == dtype:
            return buffer
        return self.add(Cast(dtype.value), [buffer], TensorType(dtype, buffer.type.shape), buffer.layout)

    def program(self, name: str, machine: Wafer) -> Program:
        """The program of this block alone; raises DoesNotFit."""
        return resident_program(name, machine, self.mesh, self.buffers, self.instructions, self._in_place)

    def _fresh(self, name: str) -> str:
        number, fresh = 1, name
        while fresh in self._buffers:
            number += 1
            fresh = f"{name}{number}"
        return fresh


def _joint_layout(fn: str, operands: Sequence[Buffer], type: TensorType) -> Layout:
    """How the result of an elementwise op lies: every dimension as in the operands that are not copied along it."""
    cuts = []
    for dim, extent in enumerate(type.shape):
        found = [b.layout.cuts[dim] for b in operands if b.type.shape[dim] == extent]
        if extent == 1:  # what is copied meets a single element wherever that is
            found = [c for c in found if c] or found
        if any(other != found[0] for other in found):
            layouts = " and ".join(str(b.layout) for b in operands)
            raise AlgorithmError(f"'{fn}' takes tensors that lie alike, not {layouts}: relayout one of them")
        cuts.append(found[0])
    if wrong := next((b for b in operands if b.layout.partial), None):
        raise AlgorithmError(f"'{fn}' takes whole values, and '{wrong.name}' is addends: {wrong.layout}")
    return Layout(tuple(cuts), tuple(dict.fromkeys(axis for b in operands for axis in b.layout.at)))


def cut_layout(mesh: Mesh, shape: Sequence[int], axes: Sequence[str | None]) -> Layout:
    """Every dimension cut in equal tiles along its axis, or along several, outermost first ("g/j"); None: not cut."""
    return Layout(tuple(_cuts(mesh, n, names) for n, names in zip(shape, axes, strict=True)))


def _cuts(mesh: Mesh, extent: int, names: str | None) -> tuple[Cut, ...]:
    cuts = []
    for name in names.split("/") if names else ():
        extent = -(-extent // mesh[name].parts)
        cuts.append(Cut(name, extent))
    return tuple(cuts)


def check_layout(mesh: Mesh, layout: Layout, type: TensorType, name: str) -> None:
    """Raise AlgorithmError unless the layout cuts this type along axes that the mesh has, each used once."""
    known = [axis.name for axis in mesh.axes]
    used = [*layout.axes, *layout.at, *layout.partial]
    if len(layout.cuts) != type.rank:
        raise AlgorithmError(f"layout {layout} has {len(layout.cuts)} dimensions, '{name}' is {type}")
    if wrong := [axis for axis in used if axis not in known or used.count(axis) > 1]:
        raise AlgorithmError(f"layout {layout} of '{name}': axis {wrong[0]} is not in mesh {mesh}, or twice")
    for cuts, extent in zip(layout.cuts, type.shape, strict=True):
        for cut in cuts:
            if not cut.tile > 0 or cut.tile * mesh[cut.axis].parts < extent:
                raise AlgorithmError(
                    f"layout {layout} of '{name}': {mesh[cut.axis].parts} tiles of {cut.tile} do not hold {extent}"
                )
            extent = min(cut.tile, extent)
