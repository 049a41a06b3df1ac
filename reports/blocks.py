"""Coarser grids: every block of rows x columns cores becomes one cell. Blocks at the right and bottom edges may
be cut off; only the cores that exist count."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def block_mean(values: NDArray[np.float64], rows: int, columns: int) -> NDArray[np.float64]:
    """The mean of each block's values that are not NaN; NaN where there is none."""
    known = ~np.isnan(values)
    totals = block_sum(np.where(known, values, 0.0), rows, columns)
    counts = block_sum(known.astype(np.float64), rows, columns)
    means = np.full(totals.shape, np.nan)
    np.divide(totals, counts, out=means, where=counts > 0)
    return means


def block_majority(labels: NDArray[np.int32], rows: int, columns: int) -> NDArray[np.int32]:
    """The most frequent label of each block; the smallest of those equally frequent."""
    if rows == columns == 1:
        return labels
    distinct = np.unique(labels)
    counts = [block_sum((labels == label).astype(np.float64), rows, columns) for label in distinct]
    return np.asarray(distinct[np.argmax(counts, axis=0)], dtype=np.int32)


def block_sum(values: NDArray[np.float64], rows: int, columns: int) -> NDArray[np.float64]:
    """The sum of each block."""
    down = np.add.reduceat(values, np.arange(0, values.shape[0], rows), axis=0)
    return np.asarray(np.add.reduceat(down, np.arange(0, values.shape[1], columns), axis=1))
