"""How integers lie in cells that hold a few bits and no sign, and how inputs go in digit by digit.

Weights, W bits in cells of c:
    offset           w + 2^(W-1), cut into digits of c bits; the inputs' sum times 2^(W-1) is taken off again
    twos_complement  the bits of w, a cell each; the highest bit's column counts negatively
    differential_*   the digits of max(w, 0) in one cell and of max(-w, 0) in another, subtracted: in two columns, in
                     two rows with opposite inputs, or in one cell of several devices
Inputs, B bits in digits of d:
    twos_complement  the bits of x; the highest digit is signed, or counts negatively where it is one bit
    sign_phases      the digits of max(x, 0), then those of max(-x, 0)
    bipolar          the digits of |x|, each driven with the sign of x
    unsigned         the digits of x, which is never negative
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Cells:
    """`levels` [slices, rows, columns], from 0; `factors` [slices] and `offset`: w = sum of factor * level - offset."""

    levels: Integers
    factors: tuple[int, ...]
    offset: int

    def decode(self) -> Integers:
        """The weights that the cells hold."""
        factors = np.array(self.factors, np.int64)[:, None, None]
        return np.asarray((self.levels * factors).sum(axis=0) - self.offset)


@dataclass(frozen=True)
class Digits:
    """`values` [phases, ...] of an input and their `factors`: x = sum of factor * value."""

    values: Integers
    factors: tuple[int, ...]


def encode(weights: Integers, bits: int, cell_bits: int, encoding: str) -> Cells:
    """The cells of weights [rows, columns] of `bits` bits; raises ValueError for an encoding that there is not."""
    if encoding == "offset":
        offset = 1 << (bits - 1)
        levels, factors = _digits(weights + offset, bits, cell_bits)
        return Cells(levels, factors, offset)
    if encoding == "twos_complement":
        levels, factors = _digits(weights & ((1 << bits) - 1), bits, 1)
        return Cells(levels, (*factors[:-1], -factors[-1]), 0)
    if encoding.startswith("differential"):
        # The lowest number has no positive counterpart: it takes one digit value more than the grids use.
        plus, factors = _digits(np.maximum(weights, 0), bits - 1, cell_bits)
        minus, _ = _digits(np.maximum(-weights, 0), bits - 1, cell_bits)
        return Cells(np.concatenate([plus, minus]), (*factors, *(-f for f in factors)), 0)
    raise ValueError(f"no encoding of weights '{encoding}'")


def drive(inputs: Integers, bits: int, digit_bits: int, encoding: str) -> Digits:
    """The digits of inputs of `bits` bits; raises ValueError for an encoding that there is not."""
    if encoding == "twos_complement":
        values, factors = _digits(inputs & ((1 << bits) - 1), bits, digit_bits)
        top = bits - digit_bits * (len(factors) - 1)  # bits of the highest digit
        if top == 1:  # driven as it is, and what it makes is subtracted
            return Digits(values, (*factors[:-1], -factors[-1]))
        values[-1] -= (values[-1] >> (top - 1)) << top
        return Digits(values, factors)
    if encoding == "sign_phases":
        plus, factors = _digits(np.maximum(inputs, 0), bits - 1, digit_bits)
        minus, _ = _digits(np.maximum(-inputs, 0), bits - 1, digit_bits)
        return Digits(np.concatenate([plus, minus]), (*factors, *(-f for f in factors)))
    if encoding == "unsigned":
        return Digits(*_digits(inputs, bits, digit_bits))
    if encoding == "bipolar":
        values, factors = _digits(np.abs(inputs), bits - 1, digit_bits)
        return Digits(values * np.sign(inputs), factors)
    raise ValueError(f"no encoding of inputs '{encoding}'")


def _digits(numbers: Integers, bits: int, digit_bits: int) -> tuple[Integers, tuple[int, ...]]:
    """Digits of numbers from 0, the lowest first; the highest takes whatever is left."""
    count = max(1, ceil(bits / digit_bits))
    mask = (1 << digit_bits) - 1
    digits = [numbers >> (digit_bits * i) for i in range(count)]
    cut = [digit & mask for digit in digits[:-1]] + [digits[-1]]
    return np.stack(cut).astype(np.int64), tuple(1 << (digit_bits * i) for i in range(count))
