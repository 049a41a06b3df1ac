"""Every movement as messages and the work of cores: one function a movement, found by its type."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from wsc.backends.wafer.instructions import Move
from wsc.backends.wafer.movement import exchange, reduce, scatter, spread
from wsc.backends.wafer.movement.parts import Expansion, Region
from wsc.backends.wafer.program import Buffer
from wsc.compiler.errors import AlgorithmError

__all__ = ["Expansion", "Region", "expand"]


def expand(op: Move, region: Region, operand: Buffer, result: Buffer) -> Expansion:
    """How a movement within a region is carried out; raises AlgorithmError for one that it is not known of yet."""
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
_expand.register(exchange.shift)
_expand.register(exchange.all_to_all)
