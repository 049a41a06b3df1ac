"""Integers in cells and in digits: whatever goes in comes out, and products digit by digit are products."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cim.models import random_integers
from wsc.backends.cim.encoding import drive, encode

WEIGHTS = st.sampled_from(
    ["offset", "twos_complement", "differential_columns", "differential_rows", "differential_cells"]
)
INPUTS = st.sampled_from(["twos_complement", "sign_phases", "bipolar"])


@given(WEIGHTS, st.integers(2, 16), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_cells_hold_the_weights(encoding: str, bits: int, cell_bits: int, seed: int) -> None:
    cell_bits = 1 if encoding == "twos_complement" else cell_bits
    weights = random_integers(np.random.default_rng(seed), (3, 4), bits).astype(np.int64)
    cells = encode(weights, bits, cell_bits, encoding)
    assert cells.levels.min() >= 0
    assert cells.levels.max() < 2**cell_bits
    np.testing.assert_array_equal(cells.decode(), weights)


@given(INPUTS, st.integers(2, 16), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_digits_make_the_inputs(encoding: str, bits: int, digit_bits: int, seed: int) -> None:
    inputs = random_integers(np.random.default_rng(seed), (5,), bits).astype(np.int64)
    digits = drive(inputs, bits, digit_bits, encoding)
    factors = np.array(digits.factors)[:, None]
    assert np.abs(digits.values).max() < 2**digit_bits
    np.testing.assert_array_equal((digits.values * factors).sum(0), inputs)


@given(WEIGHTS, INPUTS, st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_the_sum_over_digits_and_slices_is_the_product(
    weights_as: str, inputs_as: str, digit_bits: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    x = random_integers(rng, (4, 6), 8).astype(np.int64)
    w = random_integers(rng, (6, 3), 8).astype(np.int64)
    cells = encode(w, 8, 1 if weights_as == "twos_complement" else 2, weights_as)
    digits = drive(x, 8, digit_bits, inputs_as)
    total = sum(
        f * g * (values @ level)
        for f, values in zip(digits.factors, digits.values, strict=True)
        for g, level in zip(cells.factors, cells.levels, strict=True)
    )
    np.testing.assert_array_equal(total - cells.offset * x.sum(1, keepdims=True), x @ w)


def test_an_encoding_that_there_is_not() -> None:
    zero = np.zeros((1, 1), np.int64)
    with pytest.raises(ValueError, match="no encoding of weights 'gray'"):
        encode(zero, 8, 2, "gray")
    with pytest.raises(ValueError, match="no encoding of inputs 'gray'"):
        drive(zero, 8, 1, "gray")
