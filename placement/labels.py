"""Labels of floorplans of a run of a chain, and the tables in which the best of them are kept.

A label tells a floorplan's box, the wire inside and where the blocks lie that have nets to the outside. Of each run
there are two tables, one by width and one by height, cut evenly into buckets; a bucket holds the labels whose side is
no more than its own, each best at one price of area. The last price is so high that the label there is the lowest (or
narrowest) there is among those made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wsc.placement.jit import lean_jit
from wsc.placement.tree import Int32s, Int64s

ENDS = 2  # blocks with nets out of a run that a label knows on either side
FAR = np.int64(1) << 60
COPY = FAR - 1  # the score of a label that another price has kept already
HALF_HOP = 1024  # what half a hop counts in scores
# columns of a label; positions are of centres, in half cells from the lower corner
W, H, WIRE, FIRST, LAST, AT, CUT = 0, 1, 2, 3, 7, 11, 12
PART_A, PART_B, PART_C, BEYOND, MIRRORS = 13, 14, 15, 16, 17
OUT_FIRST, OUT_LAST = 18, 19  # the wire from the ends of either side to the nearest sides of the box
COLUMNS = 20
PAIR = 64  # bit of MIRRORS: the two outer parts of a rung change places

Labels = NDArray[np.int32]


class Chain(NamedTuple):
    """A chain of blocks by position, as the compiled search reads it.

    `crossing[gap_at[k]:gap_at[k + 1]]` are the nets (first, last, weight) between positions before k and from k on;
    `ends[0, k]` the positions before k that have nets to some from k on, the last first, `ends[1, k]` those from k on;
    -1 where there are fewer. `cores` are running sums of the least areas.
    """

    gap_at: Int32s
    crossing: Int32s
    ends: Int32s
    cores: Int64s


class Rules(NamedTuple):
    """What floorplans are kept of a run.

    `sides` are width and height of the fabric; `bucket_of[axis, side]` is the first bucket of a table that takes a
    side, `most[axis, bucket + 1]` the longest side that a bucket takes. `waste` is the most area that may be wasted,
    `prices` those of a cell beside `HALF_HOP`, `rung` how many blocks either outer part of a rung may have (0: there
    are no rungs), `wholes` how many floorplans of the whole chain are kept.
    """

    sides: tuple[int, int]
    bucket_of: Int32s
    most: Int64s
    waste: int
    prices: Int64s
    rung: int
    wholes: int


def rules_of(
    sides: tuple[int, int], buckets: int, waste: int, prices: Sequence[int], rung: int, wholes: int
) -> Rules:
    """Rules with tables cut into so many buckets, the last of which take the sides of the fabric."""
    bucket_of = np.zeros((2, max(sides) + 1), np.int32)
    most = np.zeros((2, buckets + 1), np.int64)
    for axis, length in enumerate(sides):
        step = -(-length // buckets)
        most[axis] = length - step * np.arange(buckets, -1, -1)
        bucket_of[axis, : length + 1] = np.maximum(0, buckets - 1 - np.arange(length, -1, -1) // step)
    return Rules(sides, bucket_of, most, waste, np.array(prices, np.int64), rung, wholes)


@lean_jit
def is_useful(
    scores: Int64s, bucket_of: Int32s, most: Int64s, prices: Int64s, wire: int, width: int, height: int
) -> bool:
    """Whether a label of at least so much wire, in and out, could be the best of its bucket at some price, in either
    table."""
    bucket = bucket_of[0, width]
    area = height * most[0, bucket + 1]
    for slot in range(prices.shape[0]):
        if wire * HALF_HOP + area * prices[slot] < scores[0, bucket, slot]:
            return True
    bucket = bucket_of[1, height]
    area = width * most[1, bucket + 1]
    useful = False
    for slot in range(prices.shape[0]):
        useful |= wire * HALF_HOP + area * prices[slot] < scores[1, bucket, slot]
    return useful


@lean_jit
def insert(labels: Labels, scores: Int64s, row: Labels, rules: Rules) -> None:
    """Keeps a label in both tables of its run, where it is the best at some price; it is told its wire out here."""
    row[OUT_FIRST], row[OUT_LAST] = _out(row, FIRST), _out(row, LAST)
    out = _wire_and_out(row)
    for axis in range(2):
        _insert(labels, scores, row, out, axis, rules.bucket_of[axis, row[axis]], rules)


@lean_jit
def _insert(
    labels: Labels, scores: Int64s, row: Labels, out: int, axis: int, bucket: int, rules: Rules
) -> None:
    area = row[1 - axis] * rules.most[axis, bucket + 1]
    for slot in range(rules.prices.shape[0]):
        score = out * HALF_HOP + area * rules.prices[slot]
        if score < scores[axis, bucket, slot]:
            scores[axis, bucket, slot] = score
            for column in range(COLUMNS):
                labels[axis, bucket, slot, column] = row[column]


@lean_jit
def _wire_and_out(row: Labels) -> int:
    """The wire inside, and from the ends to the nearest sides."""
    return int(np.int64(row[WIRE]) + row[OUT_FIRST] + row[OUT_LAST])


@lean_jit
def _out(row: Labels, first: int) -> int:
    """The wire from the ends of one side to the nearest sides of the box."""
    out = 0
    for column in range(first, first + 2 * ENDS, 2):
        x, y = row[column], row[column + 1]
        if x >= 0:
            out += min(min(x, 2 * row[W] - x), min(y, 2 * row[H] - y))
    return out


@lean_jit
def close(labels: Labels, scores: Int64s, rules: Rules) -> None:
    """Ends the making of a run's tables: what fits a bucket fits the next as well; copies are marked as such."""
    slots = rules.prices.shape[0]
    for axis in range(2):
        for bucket in range(1, scores.shape[1]):
            for slot in range(slots):
                if scores[axis, bucket - 1, slot] < FAR:
                    row = labels[axis, bucket - 1, slot]
                    _insert(labels, scores, row, _wire_and_out(row), axis, bucket, rules)
        for bucket in range(scores.shape[1]):
            for slot in range(1, slots):
                _mark_copy(labels[axis, bucket], scores[axis, bucket], slot)


@lean_jit
def _mark_copy(labels: Labels, scores: Int64s, slot: int) -> None:
    for other in range(slot):
        if scores[other] < COPY and scores[slot] < COPY:
            same = True
            for column in range(COLUMNS):
                same &= labels[slot, column] == labels[other, column]
            if same:
                scores[slot] = COPY


@lean_jit
def end(label: Labels, column: int, ends: Labels, block: int) -> int:
    """The column of a block's position among the ends of a label, or that of the first end."""
    for index in range(1, ends.shape[0]):
        if ends[index] == block:
            return column + 2 * index
    return column
