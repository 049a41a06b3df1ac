"""Contraction of two tensors: einsum whose left operand may be walked by sliding windows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops.base import Array, Axis, AxisKind, Op, Tiling, Window, wide

_EQUATION = re.compile(r"(\w*),(\w*)->(\w*)")


@dataclass(frozen=True)
class Contract(Op):
    """`result = sum over shared letters of lhs * rhs`, e.g. linear `abk,nk->abn`, conv2d `nchw,ocrs->nohw`.

    Each window `(letter, tap, stride, dilation, lo, hi)` says that the lhs dimension named `letter` is walked at
    `out * stride + t * dilation - lo`, with t running over the rhs dimension named `tap`; lo and hi count zero padding.
    Letters of lhs and rhs that are not in the result are summed. A letter occurs at most once in each tensor.
    """

    kind: ClassVar[str] = "contract"
    equation: str
    windows: tuple[tuple[str, str, int, int, int, int], ...] = ()

    @property
    def letters(self) -> tuple[str, str, str]:
        """The letters of lhs, rhs and result."""
        match = _EQUATION.fullmatch(self.equation)
        if match is None:
            raise ValueError(f"'{self.equation}' is no contraction of two tensors")
        return match[1], match[2], match[3]

    def extents(self, operands: Sequence[TensorType]) -> dict[str, int]:
        """Extent of every letter of the iteration space (outputs where a window slides); raises ValueError."""
        lhs, rhs, result = self.letters
        extents: dict[str, int] = {}
        for letters, operand in zip((lhs, rhs), operands, strict=True):
            if not len(set(letters)) == len(letters) == operand.rank:
                raise ValueError(f"'{letters}' does not name each dimension of {operand} once")
            for letter, extent in zip(letters, operand.shape, strict=True):
                if extents.setdefault(letter, extent) != extent:
                    raise ValueError(f"extents of '{letter}' differ: {extents[letter]} and {extent}")
        for letter, tap, *rest in self.windows:
            if letter not in lhs or tap not in rhs or letter in rhs or tap in lhs:
                raise ValueError(f"'{self.equation}' has no window over '{letter}' with taps '{tap}'")
            extents[letter] = Window(extents[tap], *rest).outputs(extents[letter])
        if (missing := set(result) - set(extents)) or len(set(result)) < len(result):
            raise ValueError(
                f"letters {sorted(missing or result)} of the result are in no operand, or repeated"
            )
        return extents

    def infer(self, operands: Sequence[TensorType]) -> TensorType:
        if len(operands) != 2 or operands[0].dtype != operands[1].dtype:
            raise ValueError("contract takes two tensors of one element type")
        extents = self.extents(operands)
        return TensorType(operands[0].dtype, tuple(extents[letter] for letter in self.letters[2]))

    def reference(self, operands: Sequence[Array]) -> Array:
        lhs, rhs, result = self.letters
        left, right = wide(operands[0]), wide(operands[1])
        for letter, tap, stride, dilation, lo, hi in self.windows:
            axis, taps = lhs.index(letter), operands[1].shape[rhs.index(tap)]
            left = _windowed(left, axis, Window(taps, stride, dilation, lo, hi))
            lhs += tap
        return _batched_matmul(lhs, rhs, result, left, right).astype(operands[0].dtype, copy=False)

    def tiling(self, operands: Sequence[TensorType], result: TensorType) -> Tiling:
        lhs, rhs, out = self.letters
        extents = self.extents(operands)
        taps = {tap for _, tap, *_ in self.windows}
        names = [*out, *(letter for letter in dict.fromkeys(lhs + rhs) if letter not in out)]
        axes = tuple(Axis(n, extents[n], _axis_kind(n, out, taps)) for n in names)
        index = {n: i for i, n in enumerate(names)}
        windows = tuple(
            (0, lhs.index(letter), Window(extents[tap], *rest)) for letter, tap, *rest in self.windows
        )
        rows = (tuple(index[n] for n in lhs), tuple(index[n] for n in rhs))
        return Tiling(axes, rows, tuple(index[n] for n in out), windows)

    def lifted(self) -> Contract:
        free = next(c for c in "ZYXWVU" if c not in self.equation)
        lhs, rhs, out = self.letters
        return Contract(f"{free}{lhs},{free}{rhs}->{free}{out}", self.windows)

    def vector_run(self, result: TensorType) -> int:
        """Extent of the longest run of the result's dimensions that one operand, and only one, has in the same order.

        Along such a run a product is one scaled addition of neighbouring elements. Extents of 1 do not interrupt it.
        """
        extents = dict(zip(self.letters[2], result.shape, strict=True))
        lhs, rhs, out = ("".join(c for c in side if extents.get(c) != 1) for side in self.letters)
        slid = {letter for letter, *_ in self.windows}
        best = max((1, *result.shape))
        for one, other in ((lhs, rhs), (rhs, lhs)):
            for start in range(len(out)):
                for stop in range(start + 1, len(out) + 1):
                    run = out[start:stop]
                    if run in one and not set(run) & (set(other) | slid):
                        best = max(best, prod(extents[letter] for letter in run))
        return best

    def arithmetic(self, operands: Sequence[TensorType], result: TensorType) -> tuple[int, int]:
        return prod(self.extents(operands).values()), 0


def _axis_kind(letter: str, out: str, taps: set[str]) -> AxisKind:
    if letter in taps:
        return AxisKind.WHOLE
    return AxisKind.PARALLEL if letter in out else AxisKind.SUM


def _windowed(array: Array, axis: int, window: Window) -> Array:
    """View with the taps of a window as one more dimension at the end."""
    if window.lo or window.hi:
        pads = [(window.lo, window.hi) if a == axis else (0, 0) for a in range(array.ndim)]
        array = np.pad(array, pads)
    span = window.dilation * (window.taps - 1) + 1
    view = np.lib.stride_tricks.sliding_window_view(array, span, axis=axis)
    steps = tuple(slice(None, None, window.stride) if a == axis else slice(None) for a in range(array.ndim))
    return view[(*steps, slice(None, None, window.dilation))]


def _summed(letters: str, kept: str, array: Array) -> Array:
    """The array summed over the dimensions that nothing else has."""
    alone = tuple(i for i, c in enumerate(letters) if c not in kept)
    return array.sum(axis=alone) if alone else array  # a sum over no axes would copy


def _batched_matmul(lhs: str, rhs: str, out: str, left: Array, right: Array) -> Array:
    """Einsum of two tensors by way of one batched matrix product (BLAS does the work)."""
    left, right = _summed(lhs, rhs + out, left), _summed(rhs, lhs + out, right)
    lhs, rhs = "".join(c for c in lhs if c in rhs + out), "".join(c for c in rhs if c in lhs + out)
    batch = [c for c in lhs if c in rhs and c in out]
    rows = [c for c in lhs if c not in rhs]
    cols = [c for c in rhs if c not in lhs]
    shared = [c for c in lhs if c in rhs and c not in out]
    size = dict(zip(lhs, left.shape, strict=True)) | dict(zip(rhs, right.shape, strict=True))

    def packed(array: Array, letters: str, groups: Sequence[list[str]]) -> Array:
        order = [letters.index(c) for group in groups for c in group]
        shape = [prod(size[c] for c in group) for group in groups]
        return array.transpose(order).reshape(shape)

    product = packed(left, lhs, (batch, rows, shared)) @ packed(right, rhs, (batch, shared, cols))
    letters = batch + rows + cols
    full = product.reshape([size[c] for c in letters])
    return full.transpose([letters.index(c) for c in out])
