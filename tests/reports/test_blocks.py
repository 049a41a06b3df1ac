import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsc.reports.blocks import block_majority, block_mean


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_blocks_agree_with_loops(height: int, width: int, rows: int, columns: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    labels = random.integers(-2, 3, (height, width)).astype(np.int32)
    values = np.where(labels < 0, np.nan, random.normal(size=labels.shape))
    means, majority = block_mean(values, rows, columns), block_majority(labels, rows, columns)
    assert means.shape == majority.shape == (-(-height // rows), -(-width // columns))
    for (row, column), mean in np.ndenumerate(means):
        block = slice(row * rows, (row + 1) * rows), slice(column * columns, (column + 1) * columns)
        known = values[block][~np.isnan(values[block])]
        assert mean == pytest.approx(known.mean() if known.size else np.nan, nan_ok=True)
        cells = labels[block].ravel().tolist()
        assert majority[row, column] == min(cells, key=lambda label: (-cells.count(label), label))
