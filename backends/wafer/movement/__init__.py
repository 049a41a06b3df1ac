"""Every movement as messages and the work of cores: one function a movement, found by its type."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from wsc.backends.wafer.instructions import Move, lines_of
from wsc.backends.wafer.movement import exchange, reduce, scatter, shifts, spread
from wsc.backends.wafer.movement.parts import Expansion, Region
from wsc.backends.wafer.program import Buffer
from wsc.compiler.errors import AlgorithmError

__all__ = ["Expansion", "Region", "expand"]


def expand(op: Move, region: Region, operand: Buffer, result: Buffer) -> Expansion:
    """How a movement within a region is carried out; raises AlgorithmError for one that it is not known of yet."""
    lines = lines_of(op)
    mesh = region.mesh.folded(*lines) if any("*" in line for line in lines) else region.mesh
    idle = set(operand.layout.at) & set(result.layout.at) - set(lines)
    region = Region(mesh, region.places, tuple(sorted(idle)))
    return _expand(op, region, operand, result)


@singledispatch
def _expand(op: Any, region: Region, operand: Buffer, result: Buffer) -> Expansion:
    raise AlgorithmError(
        f"the cycle-level simulator does not carry out {op.kind}: simulate at the fast level"
    )


_expand.register(spread.multicast)
_expand.register(spread.broadcast)
_expand.register(spread.all_gather)
_expand.register(reduce.reduce_to)
_expand.register(reduce.all_reduce)
_expand.register(scatter.reduce_scatter)
_expand.register(exchange.halo)
_expand.register(exchange.keep)
_expand.register(exchange.all_to_all)
_expand.register(exchange.exchange)
_expand.register(reduce.reduce_into)
_expand.register(shifts.append)
_expand.register(shifts.shift)
_expand.register(shifts.rotate)
