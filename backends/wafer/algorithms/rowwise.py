"""Norm and softmax across cores: a core reduces its tile, small all-reduces combine the rows, every core applies them.

Half-precision tensors are computed with in single precision and rounded once at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from wsc.backends.wafer.algorithms.block import Block
from wsc.backends.wafer.algorithms.combine import Combining, combine_all
from wsc.backends.wafer.program import Buffer
from wsc.compiler.errors import AlgorithmError
from wsc.compiler.ir.types import DType
from wsc.compiler.ops import Reduce

FORMS = ("layer", "rms")


def reduce_rows(
    block: Block, x: Buffer, dims: Sequence[int], fn: str, how: Combining, name: str = ""
) -> Buffer:
    """`fn` ("sum", "max", "min") over dimensions that stay with extent 1, on every core; no cut of them overlaps."""
    dims = tuple(d % x.type.rank for d in dims)
    cuts = [cut for d in dims for cut in x.layout.cuts[d]]
    if x.layout.partial or any(cut.lo or cut.hi for cut in cuts):
        raise AlgorithmError(f"'{fn}' over rows takes a whole tensor without overlaps, not {x.layout}")
    op = Reduce(fn, dims, keep=True)
    rest = tuple(() if d in dims else c for d, c in enumerate(x.layout.cuts))
    layout = replace(x.layout, cuts=rest, partial=tuple(cut.axis for cut in cuts))
    value = block.add(op, [x], op.infer([x.type]), layout, name or f"row_{fn}")
    return combine_all(block, value, how, fn=fn, name=name or f"row_{fn}")


def softmax(block: Block, x: Buffer, how: Combining, *, dim: int = -1, name: str = "softmax") -> Buffer:
    """exp(x - max) / sum(exp(x - max)) along a dimension: two all-reduces of one word a row."""
    wide = _single(block, x)
    powers, total = softmax_parts(block, wide, how, dim=dim)
    return block.cast(block.elementwise("div", [powers, total], name=name), x.type.dtype)


def softmax_parts(block: Block, x: Buffer, how: Combining, *, dim: int = -1) -> tuple[Buffer, Buffer]:
    """exp(x - max) and its sum along a dimension; a row of minus infinities gives zeros, and a sum above zero."""
    peak = reduce_rows(block, x, [dim], "max", how, "peak")
    peak = block.elementwise("max", [peak], (None, _LOWEST), "peak")
    powers = block.elementwise("exp", [block.elementwise("sub", [x, peak])], name="powers")
    total = reduce_rows(block, powers, [dim], "sum", how, "total")
    return powers, block.elementwise("max", [total], (None, _LEAST), "total")


_LOWEST = -3e38  # of the finite numbers
_LEAST = 1e-4  # less than any sum of powers, the largest of which is 1


def norm(
    block: Block,
    x: Buffer,
    how: Combining,
    *,
    form: str = "rms",
    dims: Sequence[int] = (-1,),
    eps: float = 1e-5,
    name: str = "norm",
) -> Buffer:
    """x over the root of its mean square ("rms"), or its distance from the mean over the deviation ("layer")."""
    if form not in FORMS:
        raise AlgorithmError(f"no norm is called '{form}'; there are {', '.join(FORMS)}")
    wide = _single(block, x)
    share = (None, 1.0 / prod(x.type.shape[d] for d in dims))
    if form == "layer":
        mean = block.elementwise("mul", [reduce_rows(block, wide, dims, "sum", how)], share, "mean")
        wide = block.elementwise("sub", [wide, mean])
    square = reduce_rows(block, block.elementwise("mul", [wide, wide], name="square"), dims, "sum", how)
    variance = block.elementwise("mul", [square], share, "variance")
    root = block.elementwise("rsqrt", [block.elementwise("add", [variance], (None, eps))])
    return block.cast(block.elementwise("mul", [wide, root], name=name), x.type.dtype)


def _single(block: Block, x: Buffer) -> Buffer:
    return block.cast(x, DType.F32) if x.type.dtype.is_float and x.type.dtype.bytes < 4 else x
