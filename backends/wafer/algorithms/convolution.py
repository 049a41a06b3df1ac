"""Convolution of an image that is cut over rows and columns of cores: overlaps of the tiles, then local products."""

from __future__ import annotations

from dataclasses import replace

from wsc.backends.wafer.algorithms.block import Block
from wsc.backends.wafer.algorithms.relayout import relayout
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Buffer
from wsc.compiler.errors import AlgorithmError
from wsc.compiler.ir.types import TensorType
from wsc.compiler.layout import Cut, Layout
from wsc.compiler.ops import Contract


def convolution(block: Block, x: Buffer, weights: Buffer, machine: Wafer, *, name: str = "y") -> Buffer:
    """y[o, h, w] of x[c, h, w] and weights[o, c, r, s] that every core holds, as large as x: zeros lie around it.

    Raises AlgorithmError where shapes do not fit, or where the overlap of a tile is larger than a tile.
    """
    if x.type.rank != 3 or weights.type.rank != 4 or weights.type.shape[1] != x.type.shape[0]:
        raise AlgorithmError(
            f"a convolution takes x[c, h, w] and weights[o, c, r, s], not {x.type}, {weights.type}"
        )
    if (
        x.layout.cuts[0]
        or any(len(cuts) > 1 for cuts in x.layout.cuts)
        or weights.layout != Layout(((),) * 4)
    ):
        raise AlgorithmError(
            f"a convolution's image is cut along h and w, its weights are on all cores, not {x.layout} and"
            f" {weights.layout}"
        )
    cuts, windows = list(x.layout.cuts), []
    for dim, letter, tap in ((1, "h", "r"), (2, "w", "s")):
        taps = weights.type.shape["ocrs".index(tap)]
        lo, hi = (taps - 1) // 2, taps // 2
        if cuts[dim]:
            cuts[dim] = (replace(cuts[dim][0], lo=lo, hi=hi),)
            lo = hi = 0
        windows.append((letter, tap, 1, 1, lo, hi))
    extended = relayout(block, x, replace(x.layout, cuts=tuple(cuts)), machine, name="halo")
    type = TensorType(x.type.dtype, (weights.type.shape[0], *x.type.shape[1:]))
    op = Contract("chw,ocrs->ohw", tuple(windows))
    return block.add(op, [extended, weights], type, Layout(((), *x.layout.cuts[1:])), name)


def image_layout(height: int, width: int, rows: int, columns: int) -> Layout:
    """An image [c, h, w] cut along h over rows (axis i) and along w over columns (j) of cores."""
    return Layout(((), (Cut("i", -(-height // rows)),), (Cut("j", -(-width // columns)),)))
