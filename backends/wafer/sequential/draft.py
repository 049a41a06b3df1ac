"""A kernel that runs in order, in the making: values with their layouts, and what is combined across the cores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod

from wsc.backends.wafer.algorithms.choose import ReduceChoice, choose_all_reduce
from wsc.backends.wafer.instructions import AllReduce, Keep, Move
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Buffer, Instruction, Loop, Repeat
from wsc.backends.wafer.sequential.dims import Dims
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.layout import Cut, Layout, Mesh
from wsc.compiler.ops import Elementwise, Op, Permute, Reshape

Axes = tuple[str, ...]
ROWS: Axes = ("y0", "y1")
COLUMNS: Axes = ("x0", "x1")
ACROSS = {"x0": "y0", "x1": "y1", "y0": "x0", "y1": "x1"}  # an axis and its like in the other direction


class Conflict(Exception):
    """The way dimensions are cut does not serve some op; another way may."""


@dataclass(frozen=True)
class Value:
    """A buffer whose dimension d is walked by atom `slots[d]`, or has extent 1 where that is None."""

    buffer: Buffer
    slots: tuple[int | None, ...]

    @cached_property
    def atoms(self) -> tuple[int, ...]:
        """The atoms that the value has."""
        return tuple(a for a in self.slots if a is not None)

    @property
    def dtype(self) -> DType:
        """Element type."""
        return self.buffer.type.dtype


@dataclass
class Draft:
    """Builds the instructions of a kernel on a mesh whose axes cut atoms as `cuts` says."""

    machine: Wafer
    dims: Dims
    mesh: Mesh
    cuts: Mapping[int, Axes]
    buffers: dict[str, Buffer] = field(default_factory=dict)
    sections: list[list[Instruction]] = field(default_factory=lambda: [[]])
    blocks: dict[int, int] = field(default_factory=dict)  # extents of atoms that are a tile of another
    _joined: dict[tuple[int, ...], int] = field(default_factory=dict)
    _axes: dict[int, Axes] = field(default_factory=dict)
    _types: dict[tuple[DType, tuple[int | None, ...]], TensorType] = field(default_factory=dict)
    _layouts: dict[tuple[int | None, ...], Layout] = field(default_factory=dict)

    # ---- shapes and layouts

    def extent(self, atom: int) -> int:
        """Positions of an atom."""
        return self.blocks[atom] if atom in self.blocks else self.dims.extent[atom]

    def block(self, atom: int) -> int:
        """A new atom that walks one tile of another."""
        made = -1 - len(self.blocks)
        self.blocks[made] = self.layout([atom]).tile((self.extent(atom),))[0]
        return made

    def kept(self, value: Value, dim: int, apart: int) -> Value:
        """Of a value that is whole along a dimension, the tile that each core has where another atom walks it."""
        slots = tuple(apart if d == dim else a for d, a in enumerate(value.slots))
        wanted = self.layout(slots)
        for n, cut in enumerate(wanted.cuts[dim], 1):
            cuts = tuple(c[:n] if d == dim else c for d, c in enumerate(wanted.cuts))
            layout = replace(value.buffer.layout, cuts=cuts)
            value = self.add(Keep(cut.axis, dim), [value], value.dtype, slots, layout)
        return value

    def filled(self, atom: int) -> int:
        """An atom that walks the same tiles, all of them full; the atom itself where they come out even."""
        axes = self.axes(atom)
        parts = prod(self.mesh[a].parts for a in axes)
        if self.extent(atom) % parts == 0:
            return atom
        made = -1 - len(self.blocks)
        self.blocks[made] = self.layout([atom]).tile((self.extent(atom),))[0] * parts
        self.cuts = {**self.cuts, made: axes}
        return made

    def joined(self, atoms: Sequence[int]) -> int:
        """An atom that walks all places of some that are not cut; the atom itself where there is one."""
        if len(atoms) == 1:
            return atoms[0]
        if any(self.axes(a) for a in atoms):
            raise Conflict("a part is taken of what is cut over cores")
        if tuple(atoms) not in self._joined:
            made = self._joined[tuple(atoms)] = -1 - len(self.blocks)
            self.blocks[made] = prod(self.extent(a) for a in atoms)
        return self._joined[tuple(atoms)]

    def merged(self, value: Value, atoms: Sequence[int]) -> Value:
        """The value with one dimension in place of those of some atoms that are not cut."""
        if len(atoms) == 1:
            return value
        at = value.slots.index(atoms[0])
        rest = [a for a in value.slots if a not in atoms]
        before = sum(a not in atoms for a in value.slots[:at])
        value = self.aligned(value, (*rest[:before], *atoms, *rest[before:]))
        return self.shaped(value, (*rest[:before], self.joined(atoms), *rest[before:]))

    def part(self, atom: int) -> int:
        """A new atom with a place for each part that an atom is cut into."""
        axes = self.axes(atom)
        made = -1 - len(self.blocks)
        self.blocks[made] = prod(self.mesh[a].parts for a in axes)
        self.cuts = {**self.cuts, made: axes}
        return made

    def axes(self, atom: int | None) -> Axes:
        """The axes of more than one part that cut an atom."""
        if atom is None:
            return ()
        if atom not in self._axes:
            self._axes[atom] = tuple(a for a in self.cuts.get(atom, ()) if self.mesh[a].parts > 1)
        return self._axes[atom]

    @property
    def read(self) -> set[int]:
        """The atoms of the graph whose cuts were asked for."""
        return {atom for atom in self._axes if atom >= 0}

    def type(self, dtype: DType, slots: Sequence[int | None]) -> TensorType:
        """The type of a buffer with these slots."""
        key = (dtype, tuple(slots))
        if key not in self._types:
            self._types[key] = TensorType(dtype, tuple(1 if a is None else self.extent(a) for a in slots))
        return self._types[key]

    def layout(self, slots: Sequence[int | None], other: Mapping[int, Axes] | None = None) -> Layout:
        """The layout of a buffer with these slots, cut as everywhere but for `other`; raises Conflict."""
        if other:
            return self._layout(slots, other)
        key = tuple(slots)
        if key not in self._layouts:
            self._layouts[key] = self._layout(slots, {})
        return self._layouts[key]

    def _layout(self, slots: Sequence[int | None], other: Mapping[int, Axes]) -> Layout:
        cuts = []
        for slot in slots:
            axes = other[slot] if slot is not None and slot in other else self.axes(slot)
            cuts.append(self._cut(slot, axes))
        names = [c.axis for found in cuts for c in found]
        if len(set(names)) < len(names):
            raise Conflict(f"two dimensions are cut over one of {names}")
        return Layout(tuple(cuts))

    def _cut(self, slot: int | None, axes: Axes) -> tuple[Cut, ...]:
        """Cuts as if the axes were one: tiles come out full from the first part on, for movements along the line."""
        if not axes:
            return ()
        extent = 1 if slot is None else self.extent(slot)
        tile = -(-extent // prod(self.mesh[axis].parts for axis in axes))
        found = []
        for axis in reversed(axes):
            found.append(Cut(axis, tile))
            tile *= self.mesh[axis].parts
        return tuple(reversed(found))

    # ---- buffers and instructions

    def emit(self, instruction: Instruction) -> None:
        """Append an instruction to the section at hand."""
        self.sections[-1].append(instruction)

    def buffer(
        self, does: str, type: TensorType, layout: Layout, role: str = "local", key: str = ""
    ) -> Buffer:
        """A new buffer, named after what it holds."""
        buffer = Buffer(f"{does}{len(self.buffers)}", type, layout, role, key)
        self.buffers[buffer.name] = buffer
        return buffer

    def add(
        self,
        op: Op | Move,
        operands: Sequence[Value],
        dtype: DType,
        slots: Sequence[int | None],
        layout: Layout | None = None,
    ) -> Value:
        """Append an instruction with a new buffer as its result."""
        does = op.fn if isinstance(op, Elementwise) else op.kind
        made = self.buffer(does, self.type(dtype, slots), layout or self.layout(slots))
        self.emit(Instruction(op, tuple(v.buffer.name for v in operands), made.name))
        return Value(made, tuple(slots))

    def again(self, op: Op | Move, operands: Sequence[Value], result: Value) -> None:
        """Append an instruction that writes a buffer there is."""
        self.emit(Instruction(op, tuple(v.buffer.name for v in operands), result.buffer.name))

    def loop(self, steps: int, operands: Sequence[Value], result: Value) -> None:
        """Close the section at hand as the body of a loop whose result is `result`."""
        body = tuple(self.sections.pop())
        names = tuple(dict.fromkeys(v.buffer.name for v in operands))
        self.emit(Instruction(Loop(steps, body), names, result.buffer.name))

    def repeat(self, steps: int) -> None:
        """Close the section at hand as the body of a repeat."""
        body = tuple(self.sections.pop())
        self.emit(Instruction(Repeat(steps, body)))

    def open(self) -> None:
        """Begin the body of a loop or repeat."""
        self.sections.append([])

    # ---- values side by side

    def aligned(self, value: Value, slots: Sequence[int | None]) -> Value:
        """The value with its dimensions in the order of `slots`, and extent 1 for those it does not have."""
        order = [a for a in slots if a is not None and a in value.atoms]
        if len(order) < len(value.atoms):
            raise Conflict("a value has dimensions that its reader does not")
        if value.atoms != tuple(order):
            bare = self.shaped(value, value.atoms)
            turned = Permute(tuple(bare.atoms.index(a) for a in order))
            value = self.add(turned, [bare], value.dtype, order, self._moved(bare, order))
        return self.shaped(value, tuple(a if a in value.atoms else None for a in slots))

    def _moved(self, value: Value, slots: Sequence[int | None]) -> Layout:
        known = dict(zip(value.slots, value.buffer.layout.cuts, strict=True))
        return replace(
            value.buffer.layout, cuts=tuple(known.get(a, ()) if a is not None else () for a in slots)
        )

    def shaped(self, value: Value, slots: Sequence[int | None]) -> Value:
        """The same memory with dimensions of extent 1 added or left out."""
        if tuple(slots) == value.slots:
            return value
        type = self.type(value.dtype, slots)
        layout = self._moved(value, slots)
        tile = layout.tile(type.shape)
        return self.add(Reshape(tile), [value], value.dtype, slots, layout)

    def elementwise(
        self, fn: str, operands: Sequence[Value], scalars: tuple[float | None, ...] = ()
    ) -> Value:
        """A scalar function over values that are broadcast against each other."""
        most = max(operands, key=lambda v: len(v.atoms))
        extra = [a for v in operands for a in v.atoms if a not in most.atoms]
        slots = (*most.atoms, *dict.fromkeys(extra))
        op = Elementwise(fn, scalars or (None,) * len(operands))
        aligned = [self.aligned(v, slots) for v in operands]
        dtype = op.infer([v.buffer.type for v in aligned]).dtype
        return self.add(op, aligned, dtype, slots)

    # ---- across cores

    def all_reduce(self, value: Value, axes: Sequence[str], fn: str = "sum") -> Value:
        """Partial results over axes combined on all parts, line by line."""
        left = list(dict.fromkeys(a for a in axes if self.mesh[a].parts > 1))
        layout = replace(value.buffer.layout, partial=tuple(left))
        if left:
            self._replace(value, layout)
            value = replace(value, buffer=self.buffers[value.buffer.name])
        for line in lines(left):
            names = line.split("*")
            left = [a for a in left if a not in names]
            done = replace(layout, partial=tuple(left))
            value = self.add(self._all_reduce_op(line, fn, value), [value], value.dtype, value.slots, done)
        return value

    def _all_reduce_op(self, line: str, fn: str, value: Value) -> AllReduce:
        mesh = self.mesh.folded(line)
        pitch = mesh.pitch(line)
        words = -(-value.buffer.tile_type.bytes // self.machine.fabric.link_bytes_per_cycle) * pitch
        choice = _chosen(words, mesh[line].parts, self.machine, pitch)
        return AllReduce(line, fn, choice.algorithm, choice.group, choice.root or None)

    def _replace(self, value: Value, layout: Layout) -> None:
        self.buffers[value.buffer.name] = replace(value.buffer, layout=layout)


_CHOICES: dict[tuple[object, ...], ReduceChoice] = {}


def _chosen(words: int, parts: int, machine: Wafer, pitch: int) -> ReduceChoice:
    """The choice of an all-reduce, made once for the many that are alike."""
    core, fabric = machine.core, machine.fabric
    key = (words, parts, pitch, core, fabric)
    if key not in _CHOICES:
        _CHOICES[key] = choose_all_reduce(words, parts, machine, pitch)
    return _CHOICES[key]


def lines(axes: Sequence[str]) -> list[str]:
    """Axes as lines: both axes of one direction together."""
    found = []
    for pair in (ROWS, COLUMNS):
        held = [a for a in pair if a in axes]
        if held:
            found.append("*".join(held))
    return found
