"""Arithmetic on 32-bit words: one element of 32 bits, or two of 16; sums of halves are rounded once, to nearest."""

# mypy: disallow-untyped-decorators = False

from __future__ import annotations

import numpy as np

from wsc.simulation.fabric.jit import inlined

SUM, MAX, MIN = 1, 2, 3
F32, F16, BF16, I32, I16 = range(5)
_SIGN, _INFINITE = np.uint32(0x80000000), np.uint32(0x7F800000)
_HALF_BIAS = np.uint32((127 - 15) << 23)
_SUBNORMAL = np.uint32(((127 - 15) + (23 - 10) + 1) << 23)


@inlined
def combine(fn: int, lanes: int, a: np.uint32, b: np.uint32) -> np.uint32:
    """Word by word: sum, maximum or minimum of the lanes of a and b; a maximum with what is no number is none."""
    if lanes == F32:
        return np.uint32(
            np.float32(_float(fn, np.uint32(a).view(np.float32), np.uint32(b).view(np.float32))).view(
                np.uint32
            )
        )
    if lanes == I32:
        return np.uint32(
            _whole(fn, np.int64(np.uint32(a).view(np.int32)), np.int64(np.uint32(b).view(np.int32)))
            & 0xFFFFFFFF
        )
    word = np.uint32(0)
    for shift in (0, 16):
        x, y = (
            np.uint32((a >> np.uint32(shift)) & np.uint32(0xFFFF)),
            np.uint32((b >> np.uint32(shift)) & np.uint32(0xFFFF)),
        )
        if lanes == F16:
            half = _to_half(_float(fn, _from_half(x), _from_half(y)))
        elif lanes == BF16:
            half = _to_bfloat(_float(fn, _from_bfloat(x), _from_bfloat(y)))
        else:
            half = np.uint32(_whole(fn, _from_short(x), _from_short(y)) & 0xFFFF)
        word = np.uint32(word | np.uint32(half << np.uint32(shift)))
    return np.uint32(word)


@inlined
def _float(fn: int, a: np.float32, b: np.float32) -> np.float32:
    if fn == SUM:
        return np.float32(a + b)
    if a != a or b != b:
        return np.float32(np.nan)
    if fn == MAX:
        return a if a > b else b
    return a if a < b else b


@inlined
def _whole(fn: int, a: int, b: int) -> int:
    if fn == SUM:
        return a + b
    if fn == MAX:
        return a if a > b else b
    return a if a < b else b


@inlined
def _from_short(x: np.uint32) -> int:
    value = np.int64(x)
    return value - 65536 if value >= 32768 else value


@inlined
def _from_bfloat(x: np.uint32) -> np.float32:
    return np.uint32(x << np.uint32(16)).view(np.float32)


@inlined
def _to_bfloat(x: np.float32) -> np.uint32:
    bits = np.float32(x).view(np.uint32)
    if x != x:
        return np.uint32(0x7FC0)
    odd = np.uint32((bits >> np.uint32(16)) & np.uint32(1))
    return np.uint32(np.uint32(bits + np.uint32(0x7FFF) + odd) >> np.uint32(16))


@inlined
def _from_half(x: np.uint32) -> np.float32:
    """Through a float whose exponent is scaled: exact for all halves, subnormal ones included."""
    sign = np.uint32((x & np.uint32(0x8000)) << np.uint32(16))
    rest = np.uint32(x & np.uint32(0x7FFF))
    if rest >= np.uint32(0x7C00):
        bits = np.uint32(_INFINITE | (rest << np.uint32(13)))
    else:
        scaled = np.uint32(rest << np.uint32(13)).view(np.float32) * np.float32(2.0**112)
        bits = np.float32(scaled).view(np.uint32)
    return np.uint32(bits | sign).view(np.float32)


@inlined
def _to_half(x: np.float32) -> np.uint32:
    """Rounded to the nearest, ties to even; subnormal halves by adding a number whose last bit is theirs."""
    bits = np.float32(x).view(np.uint32)
    sign = np.uint32((bits & _SIGN) >> np.uint32(16))
    rest = np.uint32(bits & ~_SIGN)
    if rest > _INFINITE:
        return np.uint32(sign | np.uint32(0x7E00))
    if rest >= np.uint32(0x47800000):
        return np.uint32(sign | np.uint32(0x7C00))
    if rest < np.uint32(0x38800000):
        moved = np.float32(np.uint32(rest).view(np.float32) + np.uint32(_SUBNORMAL).view(np.float32))
        return np.uint32(sign | np.uint32(np.float32(moved).view(np.uint32) - _SUBNORMAL))
    odd = np.uint32((rest >> np.uint32(13)) & np.uint32(1))
    rounded = np.uint32(rest - _HALF_BIAS + np.uint32(0xFFF) + odd)
    return np.uint32(sign | np.uint32(rounded >> np.uint32(13)))
