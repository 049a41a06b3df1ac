"""What a core computes for itself, carried out when its instruction is done: by the ops' own references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from wsc.backends.wafer.execute.compute import existing, on_tiles
from wsc.backends.wafer.execute.move import first_row, found_rows
from wsc.backends.wafer.execute.stepped import step_of
from wsc.backends.wafer.instructions import Lookup, MultiplyAdd
from wsc.backends.wafer.program import Kernel
from wsc.backends.wafer.simulate.cycle.memory import Words, store, tiles
from wsc.backends.wafer.simulate.cycle.unroll import Run
from wsc.backends.wafer.simulate.cycle.works import Memory
from wsc.compiler.layout import Mesh, MeshAxis
from wsc.compiler.ops.base import Op

Mask = NDArray[np.bool_]


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
        if isinstance(op, MultiplyAdd):
            total = tiles(self.view, result, run.result, cores)
            total = np.zeros_like(total) if run.fresh else total
            value = step_of(op, Mesh((MeshAxis("core", len(cores), "x"),)), run.step, operands, total)
        elif isinstance(op, Lookup):
            first = first_row(self.kernel[names[0]], self.kernel.mesh).ravel()
            value = found_rows(operands[0], operands[1], first[list(cores)])
        else:
            assert isinstance(op, Op)
            masks = [self._mask(name, cores) for name in names]
            value = on_tiles(op, operands, masks, self._mask(run.instruction.result, cores))
        store(self.view, result, run.result, cores, value)

    def _mask(self, name: str, cores: Sequence[int]) -> Mask | None:
        if name not in self._masks:
            self._masks[name] = existing(self.kernel.mesh, self.kernel[name])
        mask = self._masks[name]
        return None if mask is None else mask[list(cores)]
