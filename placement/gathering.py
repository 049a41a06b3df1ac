"""The last join of a fold: floorplans of the whole chain that fit the fabric, those of the shortest wire."""

from __future__ import annotations

import numpy as np

from wsc.placement.jit import jit
from wsc.placement.joining import box_of_rung, join, join_rung
from wsc.placement.labels import COLUMNS, COPY, FAR, PART_A, PART_B, PART_C, WIRE, Chain, Labels, Rules
from wsc.placement.tree import Int32s, Int64s


@jit
def gather(
    runs: Int32s,
    labels: Labels,
    scores: Int64s,
    chain: Chain,
    rules: Rules,
    rows: Labels,
    wires: Int64s,
) -> int:
    """Fills `rows` with the labels of the whole chain of the shortest wire, in no order; returns their number."""
    count = runs.shape[0]
    row, sums = np.zeros(COLUMNS, np.int32), np.zeros((5, 4), np.int64)
    state = np.array([0, FAR], np.int64)
    for cut in range(2):
        for at in range(1, count):
            _gather_joins(
                runs, labels, scores, (0, at, count), cut, chain, rules, row, sums, rows, wires, state
            )
        for low in range(1, min(rules.rung, count - 2) + 1):
            for high in range(max(low + 1, count - rules.rung), count):
                _gather_rungs(
                    runs,
                    labels,
                    scores,
                    (0, low, high, count),
                    cut,
                    chain,
                    rules,
                    row,
                    sums,
                    rows,
                    wires,
                    state,
                )
    return int(state[0])


@jit
def _gather_joins(
    runs: Int32s,
    labels: Labels,
    scores: Int64s,
    at: tuple[int, int, int],
    cut: int,
    chain: Chain,
    rules: Rules,
    row: Labels,
    sums: Int64s,
    rows: Labels,
    wires: Int64s,
    state: Int64s,
) -> None:
    """Adds the whole chain as two runs that fit the fabric."""
    one, two = runs[at[0], at[1]], runs[at[1], at[2]]
    across, along = cut, 1 - cut
    slots = rules.prices.shape[0]
    for bucket in range(scores.shape[2]):
        less = rules.most[across, bucket]
        for a in range(slots):
            if scores[one, across, bucket, a] >= COPY:
                continue
            for b in range(slots):
                left, right = labels[one, across, bucket, a], labels[two, across, bucket, b]
                if scores[two, across, bucket, b] >= COPY or max(left[across], right[across]) <= less:
                    continue
                row[across] = max(left[across], right[across])
                row[along] = left[along] + right[along]
                if row[along] > rules.sides[along] or np.int64(left[WIRE]) + right[WIRE] >= state[1]:
                    continue
                join(left, right, cut, at, chain, row)
                row[PART_A] = (across * scores.shape[2] + bucket) * slots + a
                row[PART_B] = (across * scores.shape[2] + bucket) * slots + b
                _add_whole(row, rows, wires, state)


@jit
def _gather_rungs(
    runs: Int32s,
    labels: Labels,
    scores: Int64s,
    at: tuple[int, int, int, int],
    cut: int,
    chain: Chain,
    rules: Rules,
    row: Labels,
    sums: Int64s,
    rows: Labels,
    wires: Int64s,
    state: Int64s,
) -> None:
    """Adds the whole chain as a rung and the run within, as long as there is room."""
    one, two, inner = runs[at[0], at[1]], runs[at[2], at[3]], runs[at[1], at[2]]
    across, along = cut, 1 - cut
    slots = rules.prices.shape[0]
    area, last = int(rules.sides[0] * rules.sides[1]), scores.shape[2] - 1
    for bucket in range(scores.shape[2]):
        less = rules.most[along, bucket]
        for a in range(slots):
            left = labels[one, along, bucket, a]
            if scores[one, along, bucket, a] >= COPY:
                continue
            for b in range(slots):
                right = labels[two, along, bucket, b]
                if scores[two, along, bucket, b] >= COPY or max(left[along], right[along]) <= less:
                    continue
                for c in range(slots):  # any that is no longer than the fabric is across
                    middle = labels[inner, across, last, c]
                    wire = np.int64(left[WIRE]) + right[WIRE] + middle[WIRE]
                    if scores[inner, across, last, c] >= COPY or wire >= state[1]:
                        continue
                    if box_of_rung(left, right, middle, cut, rules, row, area):
                        join_rung(left, right, middle, cut, at, chain, row, sums)
                        row[PART_A] = (along * scores.shape[2] + bucket) * slots + a
                        row[PART_C] = (along * scores.shape[2] + bucket) * slots + b
                        row[PART_B] = (across * scores.shape[2] + last) * slots + c
                        _add_whole(row, rows, wires, state)


@jit
def _add_whole(row: Labels, rows: Labels, wires: Int64s, state: Int64s) -> None:
    """Adds a label; `state` is how many rows there are, and a wire that is too long to add."""
    if row[WIRE] >= state[1]:
        return
    rows[state[0]], wires[state[0]] = row, row[WIRE]
    state[0] += 1
    if state[0] == rows.shape[0]:
        order = np.argsort(wires, kind="mergesort")
        rows[:], wires[:] = rows[order], wires[order]
        state[0] //= 2
        state[1] = wires[state[0]]
