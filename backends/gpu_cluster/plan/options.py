"""How one node of a graph may be spread over a tensor group: what of its operands it needs, and what it gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops import AxisKind, Contract, Op, Reduce, Reshape

WHOLE = -1  # every rank holds all of it
PARTIAL = -2  # every rank holds an addend; any other share is the dimension that is cut


@dataclass(frozen=True)
class Option:
    """Shares of the operands that a node reads, and the share of its result."""

    operands: tuple[int, ...]
    result: int


def options(op: Op, operands: Sequence[TensorType], result: TensorType, parts: int) -> tuple[Option, ...]:
    """Every way to spread a node over `parts` ranks in equal tiles; the first is not to spread it."""
    found = [Option((WHOLE,) * len(operands), WHOLE)]
    if parts > 1:
        found += (
            _reshaped(operands[0], result, parts)
            if isinstance(op, Reshape)
            else _cut(op, operands, result, parts)
        )
    return tuple(dict.fromkeys(found))


def _cut(op: Op, operands: Sequence[TensorType], result: TensorType, parts: int) -> Iterator[Option]:
    """One for each axis of the iteration space that may be cut."""
    tiling = op.tiling(operands, result)
    slid = {tiling.operands[i][d] for i, d, _ in tiling.windows}
    for number, axis in enumerate(tiling.axes):
        if axis.extent % parts or axis.extent == 0 or number in slid:
            continue
        places = [
            [d for d, walked in enumerate(row) if walked == number]
            for row in (*tiling.operands, tiling.result)
        ]
        if any(len(dims) > 1 for dims in places) or not _divide(places, (*operands, result), parts):
            continue
        shares = [dims[0] if dims else WHOLE for dims in places]
        if axis.kind is AxisKind.PARALLEL and shares[-1] != WHOLE:
            yield Option(tuple(shares[:-1]), shares[-1])
        if axis.kind is AxisKind.SUM and _adds_up(op):
            yield Option(tuple(shares[:-1]), PARTIAL)


def _divide(places: Sequence[Sequence[int]], types: Sequence[TensorType], parts: int) -> bool:
    return all(t.shape[d] % parts == 0 for dims, t in zip(places, types, strict=True) for d in dims)


def _adds_up(op: Op) -> bool:
    """Whether parts of a summed axis give addends of the result."""
    return isinstance(op, Contract) or (isinstance(op, Reduce) and op.fn == "sum")


def _reshaped(before: TensorType, after: TensorType, parts: int) -> Iterator[Option]:
    """A cut of the outermost dimension of what is split or merged carries over: heads out of a row of heads."""
    for outer, inner in _groups(before.shape, after.shape):
        if before.shape[outer] % parts == 0 and after.shape[inner] % parts == 0:
            yield Option((outer,), inner)


def _groups(before: Sequence[int], after: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Outermost dimensions, longer than one, of stretches of both shapes that hold the same elements."""
    starts = {prod(after[d:]): d for d in reversed(range(len(after))) if after[d] > 1}
    for dim, extent in enumerate(before):
        rest = prod(before[dim:])
        if extent > 1 and rest in starts:
            yield dim, starts[rest]
