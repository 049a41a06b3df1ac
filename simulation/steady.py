"""The steady state: when the spacing of outputs repeats."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import ceil

WARM_UP = 8  # outputs before the spacing is looked at: a pipeline's buffers fill first
LONGEST_PERIOD = 6
TOLERANCE = 0.01


def steady_interval(times: Sequence[int]) -> int | None:
    """Cycles between outputs, rounded up, once their spacing has repeated; None before that.

    `times` are the cycles of the outputs so far. The spacing repeats if its last p values equal the p before them, for
    some p up to `LONGEST_PERIOD` and at least four values in all, or if the means of the last two runs of
    `LONGEST_PERIOD` values differ by no more than `TOLERANCE`.
    """
    if len(times) < WARM_UP:
        return None
    gaps = [after - before for before, after in pairwise(times)]
    for period in range(1, LONGEST_PERIOD + 1):
        span = period * max(2, -(-4 // period))
        tail = gaps[-span:]
        if len(tail) == span and tail[period:] == tail[:-period]:
            return ceil(sum(tail[-period:]) / period)
    if len(gaps) < 2 * LONGEST_PERIOD:
        return None
    older, newer = gaps[-2 * LONGEST_PERIOD : -LONGEST_PERIOD], gaps[-LONGEST_PERIOD:]
    if abs(sum(older) - sum(newer)) <= TOLERANCE * sum(newer):
        return ceil((sum(older) + sum(newer)) / (2 * LONGEST_PERIOD))
    return None


def mean_interval(times: Sequence[int]) -> int:
    """Cycles between outputs over the later half of `times`, rounded up; for a spacing that does not repeat."""
    half = len(times) // 2
    return ceil((times[-1] - times[half]) / max(1, len(times) - 1 - half))
