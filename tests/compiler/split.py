"""An op computed in parts, by nothing but what its tiling says."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from wsc.compiler.ir.types import type_of
from wsc.compiler.ops import Contract, Expand, Op, Pool, Reshape, Tiling, Window
from wsc.compiler.ops.base import Array

Parts = Mapping[int, tuple[int, int]]  # axis: first and last + 1 of its positions


def cut(extent: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """One to three stretches that cover an extent."""
    inner = sorted({int(n) for n in rng.integers(0, extent, 2)} - {0})
    return list(zip([0, *inner], [*inner, extent], strict=True))


def combinations(cuts: Mapping[int, Sequence[tuple[int, int]]]) -> Iterator[Parts]:
    """Every choice of one stretch an axis."""
    for chosen in product(*cuts.values()):
        yield dict(zip(cuts, chosen, strict=True))


def compute_part(op: Op, operands: Sequence[Array], tiling: Tiling, parts: Parts) -> Array:
    """The op over the operands' share of these stretches."""
    shares = []
    for i, array in enumerate(operands):
        for d, axis in enumerate(tiling.operands[i]):
            if axis is None or axis not in parts:
                continue
            window = tiling.window(i, d)
            start, stop = parts[axis]
            if window:
                start, stop, lo, hi = reach(window, start, stop, array.shape[d])
                op = _with_padding(op, d, lo, hi)
            array = array[(slice(None),) * d + (slice(start, stop),)]
        shares.append(array)
    return _with_shape(op, operands, shares, tiling, parts).reference(shares)


def reach(window: Window, start: int, stop: int, extent: int) -> tuple[int, int, int, int]:
    """First and last + 1 of the elements under positions [start, stop), and the padding before and after them."""
    first = start * window.stride - window.lo
    last = (stop - 1) * window.stride - window.lo + (window.taps - 1) * window.dilation + 1
    lo, hi = (min(max(outside, 0), last - first) for outside in (-first, last - extent))
    start, stop = (min(max(n, 0), extent) for n in (first, last))
    return start, stop, lo, hi


def _with_padding(op: Op, dim: int, lo: int, hi: int) -> Op:
    """The windowed op with this padding of dimension `dim` of its first operand."""
    if isinstance(op, Pool):
        return replace(op, windows=tuple((*w[:4], lo, hi) if w[0] == dim else w for w in op.windows))
    assert isinstance(op, Contract)
    letter = op.letters[0][dim]
    return replace(op, windows=tuple((*w[:4], lo, hi) if w[0] == letter else w for w in op.windows))


def _with_shape(
    op: Op, operands: Sequence[Array], shares: Sequence[Array], tiling: Tiling, parts: Parts
) -> Op:
    """The op with the part's shape, where its attributes tell the whole result's."""
    if not isinstance(op, Reshape | Expand):
        return op
    shape = list(op.infer([type_of(array) for array in operands]).shape)
    for d, axis in enumerate(tiling.result):
        if axis is not None and axis in parts:
            shape[d] = parts[axis][1] - parts[axis][0]
    return replace(op, shape=tuple(shape[op.batch :]))
