"""What a core computes for itself, carried out when its instruction is done: by the ops' own references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsc.backends.wafer.execute.caches import Ring, filled, position
from wsc.backends.wafer.execute.compute import existing, on_tiles
from wsc.backends.wafer.execute.move import first_row, found_rows
from wsc.backends.wafer.execute.repeat import positions, replaced
from wsc.backends.wafer.execute.stepped import step_of
from wsc.backends.wafer.instructions import Append, Filled, Insert, Lookup, MultiplyAdd, Position, Positions
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Instruction, Kernel
from wsc.backends.wafer.simulate.costs import insert_cost, local_cost, lookup_cost, multiply_add_cost
from wsc.backends.wafer.simulate.cycle.memory import Words, handed, store, tiles
from wsc.backends.wafer.simulate.cycle.unroll import Run
from wsc.backends.wafer.simulate.cycle.works import Memory
from wsc.compiler.layout import Mesh, MeshAxis
from wsc.compiler.ops import Elementwise
from wsc.compiler.ops.base import Array, Op

_Computing = (Op, MultiplyAdd, Lookup, Insert, Positions, Filled, Position)
Mask = NDArray[np.bool_]


def computes(instruction: Instruction) -> bool:
    """Whether a core computes for itself, rather than moves something."""
    return isinstance(instruction.op, _Computing)


def computing_cycles(machine: Wafer, kernel: Kernel, instruction: Instruction) -> int:
    """Cycles of one run of an instruction that a core carries out for itself."""
    op = instruction.op
    types = [kernel[name].tile_type for name in instruction.operands]
    result = kernel[instruction.result].tile_type
    match op:
        case MultiplyAdd():
            return multiply_add_cost(machine, op, types, result).occupancy
        case Lookup():
            return lookup_cost(machine, types[0], types[1]).occupancy
        case Insert():
            return insert_cost(machine, types[1]).occupancy
        case Positions():
            return local_cost(machine, Elementwise("copy"), [result], result).occupancy
        case Filled() | Position():
            return machine.core.task_startup_cycles + -(-result.bytes // 4)
        case Append():  # one that is handed on starts its tasks there
            alone = not op.balanced or kernel.mesh.folded(op.axis)[op.axis].parts == 1
            return machine.core.task_startup_cycles + -(-types[0].bytes // 4) if alone else 1
    assert isinstance(op, Op)
    return local_cost(machine, op, types, result).occupancy


@dataclass(eq=False)
class Local:
    """A kernel's local instructions on the memory of its cores."""

    kernel: Kernel
    memories: Mapping[str, Memory]
    view: Words
    _masks: dict[str, Mask | None] = field(default_factory=dict)

    def carry_out(self, run: Run, cores: Sequence[int]) -> None:
        """Compute a run's result on some cores of the kernel, by their numbers in the region."""
        op, names = run.instruction.op, run.instruction.operands
        operands = [
            tiles(self.view, self.memories[name], copy, cores)
            for name, copy in zip(names, run.operands, strict=True)
        ]
        result = self.memories[run.instruction.result]
        if isinstance(op, Append):
            self._append(run, cores, *operands)
            return
        if run.fresh:  # a loop's result is zero at the start
            own = run.instruction.result
            operands = [np.zeros_like(a) if n == own else a for n, a in zip(names, operands, strict=True)]
        if isinstance(op, MultiplyAdd):
            total = tiles(self.view, result, run.result, cores)
            total = np.zeros_like(total) if run.fresh else total
            value = step_of(op, Mesh((MeshAxis("core", len(cores), "x"),)), run.step, operands, total)
        elif isinstance(op, Lookup):
            first = first_row(self.kernel[names[0]], self.kernel.mesh).ravel()
            value = found_rows(operands[0], operands[1], first[list(cores)])
        elif isinstance(op, (Insert, Positions, Filled, Position)):
            value = self._placed(run, cores, operands)
        else:
            assert isinstance(op, Op)
            masks = [self._mask(name, cores) for name in names]
            value = on_tiles(op, operands, masks, self._mask(run.instruction.result, cores))
        store(self.view, result, run.result, cores, value)

    def _append(self, run: Run, cores: Sequence[int], fresh: Array, cache: Array, length: Array) -> None:
        """Take the oldest elements out of their slots, or put the new ones in."""
        op, mesh = run.instruction.op, self.kernel.mesh
        assert isinstance(op, Append)
        mesh = mesh.folded(op.axis)
        axis = mesh.index(op.axis)
        parts = np.indices(mesh.shape)[axis].ravel()[list(cores)]
        ring = Ring.around(
            op, self.kernel[run.instruction.operands[1]], mesh.shape[axis], int(length.flat[0])
        )
        before, after, slots = ring
        out, into = (self.memories.get(name) for name in handed(run.instruction))
        assert out is not None
        assert into is not None
        rows = np.moveaxis(cache, 1 + op.dim, 1)
        one = np.arange(len(cores))
        if run.taking:
            oldest = np.moveaxis(rows[one, before.gone[parts] % slots][:, None], 1, 1 + op.dim)
            store(self.view, out, 0, cores, oldest)
            return
        came = tiles(self.view, into, 0, cores)
        came = np.where((parts == 0).reshape(-1, *[1] * (came.ndim - 1)), fresh, came)
        gains = after.put[parts] > before.put[parts]
        place = before.put[parts] % slots
        rows[one[gains], place[gains]] = np.moveaxis(came, 1 + op.dim, 1)[gains, 0]
        store(self.view, self.memories[run.instruction.result], run.result, cores, cache)

    def _placed(self, run: Run, cores: Sequence[int], operands: Sequence[Array]) -> Array:
        """What depends on where in the tensor a core's tile lies."""
        op, mesh, buffer = run.instruction.op, self.kernel.mesh, self.kernel[run.instruction.result]
        if isinstance(op, Positions):
            return self._of(positions(mesh, buffer), cores)
        if isinstance(op, Position):
            return self._of(position(op, mesh, buffer), cores)
        if isinstance(op, Filled):
            return self._of(filled(op, mesh, buffer, operands[0]), cores)
        assert isinstance(op, Insert)
        before = tiles(self.view, self.memories[buffer.name], run.result, cores)
        here, exists = (self._of(a, cores) for a in buffer.layout.positions(mesh, buffer.type.shape)[op.dim])
        return replaced(before, here, exists, op.dim, operands[0], operands[1])

    def _of(self, values: NDArray[Any], cores: Sequence[int]) -> Array:
        """Rows of some cores of an array of shape mesh + tile, whose extents may be 1."""
        mesh = self.kernel.mesh
        tile = values.shape[len(mesh.shape) :]
        full = np.broadcast_to(values, (*mesh.shape, *tile))
        return full.reshape(-1, *tile)[list(cores)]

    def _mask(self, name: str, cores: Sequence[int]) -> Mask | None:
        if name not in self._masks:
            self._masks[name] = existing(self.kernel.mesh, self.kernel[name])
        mask = self._masks[name]
        return None if mask is None else mask[list(cores)]
