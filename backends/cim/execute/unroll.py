"""A contraction as products of a matrix by vectors: the unrolled input, the matrix, and the way back."""

from __future__ import annotations

from math import prod

import numpy as np

from wsc.backends.cim.program import Product
from wsc.compiler.ops.base import Array, Window


def matrix(product: Product, weight: Array) -> Array:
    """The weight as [groups, rows, columns]; groups that are packed into one matrix stand on its diagonal."""
    _, right, out = product.op.letters
    left = product.op.letters[0]
    groups = [c for c in right if c in left and c in out]
    rows = [c for c in right if c not in out]
    columns = [c for c in right if c in out and c not in left]
    order = [right.index(c) for c in (*groups, *rows, *columns)]
    n = product.packed
    single = weight.transpose(order).reshape(product.groups, n, product.rows // n, product.columns // n)
    if n == 1:
        return single[:, 0]
    whole = np.zeros((product.groups, n, product.rows // n, n, product.columns // n), weight.dtype)
    for i in range(n):
        whole[:, i, :, i] = single[:, i]
    return whole.reshape(product.groups, product.rows, product.columns)


def vectors(product: Product, operand: Array) -> Array:
    """The operand unrolled: [groups, positions, rows], windows laid out tap by tap."""
    left, right, out = product.op.letters
    array = operand
    for letter, tap, stride, dilation, lo, hi in product.op.windows:
        axis, taps = left.index(letter), product.weight_type.shape[right.index(tap)]
        array = _slide(array, axis, Window(taps, stride, dilation, lo, hi))
        left += tap
    groups = [c for c in right if c in left and c in out]
    rows = [c for c in right if c not in out]
    positions = [c for c in out if c in left and c not in groups]
    order = [left.index(c) for c in (*groups, *positions, *rows)]
    n = product.packed
    single = array.transpose(order).reshape(product.groups, n, product.positions, product.rows // n)
    return single.swapaxes(1, 2).reshape(product.groups, product.positions, product.rows)


def restored(product: Product, result: Array) -> Array:
    """[groups, positions, columns] as the op's result."""
    left, right, out = product.op.letters
    groups = [c for c in right if c in left and c in out]
    positions = [c for c in out if c in left and c not in groups]
    columns = [c for c in right if c in out and c not in left]
    letters = [*groups, *positions, *columns]
    size = dict(zip(out, product.type.shape, strict=True))
    if prod(size.values()) != result.size:
        raise ValueError(f"{result.shape} is not the result {product.type}")
    n = product.packed
    single = result.reshape(product.groups, product.positions, n, product.columns // n).swapaxes(1, 2)
    return single.reshape([size[c] for c in letters]).transpose([letters.index(c) for c in out])


def _slide(array: Array, axis: int, window: Window) -> Array:
    pads = [(window.lo, window.hi) if a == axis else (0, 0) for a in range(array.ndim)]
    array = np.pad(array, pads) if window.lo or window.hi else array
    view = np.lib.stride_tricks.sliding_window_view(array, window.dilation * (window.taps - 1) + 1, axis=axis)
    steps = tuple(slice(None, None, window.stride) if a == axis else slice(None) for a in range(array.ndim))
    return view[(*steps, slice(None, None, window.dilation))]
