"""Folds a chain into the fabric: slicing floorplans about the order of the chain, packed densely and with short wire.

Dynamic programming over runs of neighbouring blocks. Of each run the best floorplans are kept for every width and
every height there may be, at several prices of wasted area (labels.py); longer runs are put together of two that
follow one another, or of a run and two on either side of it that share a rung (joining.py). The sides of parts are
exact, so that what a label tells fits; labels tell the wire of their nets exactly but for blocks beyond two on a side
with nets out of the run, and for slack that blocks share when they slide.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from wsc.placement.gathering import gather
from wsc.placement.jit import jit, lean_jit
from wsc.placement.joining import beside, box_of_rung, join, join_rung, place_ends, wire_along
from wsc.placement.labels import (
    AT,
    COLUMNS,
    COPY,
    ENDS,
    FAR,
    FIRST,
    OUT_FIRST,
    OUT_LAST,
    PART_A,
    PART_B,
    PART_C,
    WIRE,
    Chain,
    H,
    Labels,
    Rules,
    W,
    close,
    insert,
    is_useful,
)
from wsc.placement.problem import Net
from wsc.placement.tree import Int32s, Int64s

_NEXT = 2  # buckets beyond a rung's own in which the run between is looked for


@dataclass(frozen=True, eq=False)
class Folds:
    """The labels of all runs of a chain, and which of the whole chain's are worth a look, the shortest wire first."""

    runs: Int32s
    labels: Labels
    wholes: Labels


def chain_of(order: Sequence[int], nets: Sequence[Net], cores: Sequence[int]) -> Chain:
    """The chain of blocks in this order, `cores[i]` being the least area of the block at position i."""
    place = {block: at for at, block in enumerate(order)}
    pairs = ((place[net.source], place[net.target], net.weight) for net in nets)
    spans = [(min(a, b), max(a, b), weight) for a, b, weight in pairs]
    count = len(order)
    ends = np.full((2, count + 1, ENDS), -1, np.int32)
    rows: list[tuple[int, int, int]] = []
    gaps = [0, 0]
    for gap in range(1, count):
        across = sorted(span for span in spans if span[0] < gap <= span[1])
        for side in (0, 1):
            known = sorted({span[side] for span in across}, reverse=side == 0)[:ENDS]
            ends[side, gap, : len(known)] = known
        rows += across
        gaps.append(len(rows))
    gaps.append(len(rows))
    return Chain(
        np.array(gaps, np.int32),
        np.array(rows, np.int32).reshape(-1, 3),
        ends,
        np.cumsum([0, *cores]).astype(np.int64),
    )


def fold(chain: Chain, fronts: Sequence[Sequence[tuple[int, int]]], rules: Rules, workers: int = 1) -> Folds:
    """The labels of all runs; `fronts[i]` are the (width, height) that the block at position i may have.

    Runs of one length are made by so many threads, each its own; how many there are never changes what is found.
    """
    count = len(fronts)
    runs = np.zeros((count, count + 1), np.int32)
    where = [(first, first + length) for length in range(1, count) for first in range(count - length + 1)]
    for index, (first, stop) in enumerate(where):
        runs[first, stop] = index
    labels = np.zeros((len(where), 2, rules.most.shape[1] - 1, len(rules.prices), COLUMNS), np.int32)
    scores = np.full(labels.shape[:-1], FAR, np.int64)
    for at, front in enumerate(fronts):
        least = int(chain.cores[at + 1] - chain.cores[at])
        _leaf(labels[at], scores[at], np.array(front, np.int32).reshape(-1, 2), rules.waste + least, rules)
    with ThreadPoolExecutor(workers) as pool:
        for length in range(2, count):
            made = [
                pool.submit(_fold, runs, labels, scores, chain, rules, length, worker, workers)
                for worker in range(workers)
            ]
            for it in made:
                it.result()
    return Folds(runs, labels.reshape(len(where), -1, COLUMNS), _wholes(runs, labels, scores, chain, rules))


def _wholes(runs: Int32s, labels: Labels, scores: Int64s, chain: Chain, rules: Rules) -> Labels:
    """Labels of the whole chain, each once, the shortest wire first."""
    rows = np.zeros((max(2, 2 * rules.wholes), COLUMNS), np.int32)
    wires = np.full(len(rows), FAR, np.int64)
    count = gather(runs, labels, scores, chain, rules, rows, wires)
    seen: set[tuple[int, ...]] = set()
    kept = list[Labels]()
    for index in np.argsort(wires[:count], kind="stable"):
        label = rows[index]
        key = (int(label[WIRE]), *sorted((int(label[W]), int(label[H]))), int(label[AT]))
        if key not in seen and len(kept) < rules.wholes:
            seen.add(key)
            kept.append(label)
    return np.array(kept, np.int32).reshape(-1, COLUMNS)


@jit
def _leaf(labels: Labels, scores: Int64s, front: Labels, area: int, rules: Rules) -> None:
    """The tables of one block, of shapes of so much area at most."""
    row = np.zeros(COLUMNS, np.int32)
    for index in range(front.shape[0]):
        width, height = front[index, 0], front[index, 1]
        if np.int64(width) * height > area:
            continue
        row[W], row[H] = width, height
        for column in range(FIRST, AT, 2):
            row[column], row[column + 1] = width, height
        insert(labels, scores, row, rules)
    close(labels, scores, rules)


@jit
def _fold(
    runs: Int32s,
    labels: Labels,
    scores: Int64s,
    chain: Chain,
    rules: Rules,
    length: int,
    start: int,
    step: int,
) -> None:
    """The tables of every `step`-th run of a length from `start` on, all shorter ones being made."""
    row, sums = np.zeros(COLUMNS, np.int32), np.zeros((5, 4), np.int64)
    least = np.zeros(rules.prices.shape[0], np.int64)
    for first in range(start, runs.shape[0] - length + 1, step):
        stop = first + length
        whole = runs[first, stop]
        for at in range(first + 1, stop):
            for cut in range(2):
                _join_all(runs, labels, scores, (first, at, stop), cut, chain, rules, row, least)
        for low in range(first + 1, min(first + rules.rung, stop - 2) + 1):
            for high in range(max(low + 1, stop - rules.rung), stop):
                for cut in range(2):
                    _join_rungs(runs, labels, scores, (first, low, high, stop), cut, chain, rules, row, sums)
        close(labels[whole], scores[whole], rules)


@lean_jit
def _join_all(
    runs: Int32s,
    labels: Labels,
    scores: Int64s,
    at: tuple[int, int, int],
    cut: int,
    chain: Chain,
    rules: Rules,
    row: Labels,
    least: Int64s,
) -> None:
    """Joins every label of one run with those of the next whose sides agree.

    What the wire of a join is at least, and from its ends out, is known of either part alone; `least` is room for that.
    """
    first, middle, stop = at
    one, two, whole = runs[first, middle], runs[middle, stop], runs[first, stop]
    own = scores[whole]
    across, along = cut, 1 - cut
    cores = chain.cores[stop] - chain.cores[first]
    slots = rules.prices.shape[0]
    for bucket in range(scores.shape[2]):
        side = rules.most[across, bucket + 1]
        if side * rules.sides[along] < cores:
            continue
        less = rules.most[across, bucket]
        for b in range(slots):
            right = labels[two, across, bucket, b]
            if scores[two, across, bucket, b] < COPY:
                least[b] = wire_along(right, 1, middle, (first, stop), along, chain) + right[OUT_LAST]
        for a in range(slots):
            if scores[one, across, bucket, a] >= COPY:
                continue
            left = labels[one, across, bucket, a]
            out = np.int64(left[WIRE]) + left[OUT_FIRST]
            out += wire_along(left, 0, middle, (first, stop), along, chain)
            for b in range(slots):
                right = labels[two, across, bucket, b]
                row[across] = max(left[across], right[across])
                row[along] = left[along] + right[along]
                if scores[two, across, bucket, b] >= COPY or row[across] <= less:
                    continue  # the bucket before has made it
                if not _fits(row, along, cores, rules):
                    continue
                row[PART_A] = (across * scores.shape[2] + bucket) * slots + a
                row[PART_B] = (across * scores.shape[2] + bucket) * slots + b
                _try_join(
                    labels[whole], own, left, right, out + right[WIRE] + least[b], at, cut, chain, rules, row
                )


@lean_jit
def _try_join(
    labels: Labels,
    own: Int64s,
    left: Labels,
    right: Labels,
    least: int,
    at: tuple[int, int, int],
    cut: int,
    chain: Chain,
    rules: Rules,
    row: Labels,
) -> None:
    """Joins two labels into the tables of their run, if the least wire that they may have together is of use there."""
    if not is_useful(own, rules.bucket_of, rules.most, rules.prices, least, row[W], row[H]):
        return
    join(left, right, cut, at, chain, row)
    wire = np.int64(row[WIRE]) + left[OUT_FIRST] + right[OUT_LAST]
    if is_useful(own, rules.bucket_of, rules.most, rules.prices, wire, row[W], row[H]):
        place_ends(left, right, cut, at, chain, row)
        insert(labels, own, row, rules)


@lean_jit
def _fits(row: Labels, along: int, cores: int, rules: Rules) -> bool:
    """Whether a box is on the fabric along, and no more of it is wasted than may be."""
    return bool(row[along] <= rules.sides[along] and np.int64(row[W]) * row[H] <= cores + rules.waste)


@lean_jit
def _join_rungs(
    runs: Int32s,
    labels: Labels,
    scores: Int64s,
    at: tuple[int, int, int, int],
    cut: int,
    chain: Chain,
    rules: Rules,
    row: Labels,
    sums: Int64s,
) -> None:
    """Joins every rung of two outer runs whose sides agree with labels of the run between that are about as long."""
    one, two = runs[at[0], at[1]], runs[at[2], at[3]]
    across, along = cut, 1 - cut
    cores = chain.cores[at[3]] - chain.cores[at[0]]
    outer = cores - (chain.cores[at[2]] - chain.cores[at[1]])
    slots = rules.prices.shape[0]
    for bucket in range(scores.shape[2]):
        side = rules.most[along, bucket + 1]
        if side * rules.sides[across] < outer:
            continue
        less = rules.most[along, bucket]
        for a in range(slots):
            if scores[one, along, bucket, a] >= COPY:
                continue
            left = labels[one, along, bucket, a]
            for b in range(slots):
                if scores[two, along, bucket, b] >= COPY:
                    continue
                right = labels[two, along, bucket, b]
                wide, tall = max(left[along], right[along]), left[across] + right[across]
                if wide <= less or tall > rules.sides[across] or np.int64(wide) * tall > outer + rules.waste:
                    continue
                row[PART_A] = (along * scores.shape[2] + bucket) * slots + a
                row[PART_C] = (along * scores.shape[2] + bucket) * slots + b
                _join_inner(runs, labels, scores, left, right, at, cut, chain, rules, row, sums)


@lean_jit
def _join_inner(
    runs: Int32s,
    labels: Labels,
    scores: Int64s,
    left: Labels,
    right: Labels,
    at: tuple[int, int, int, int],
    cut: int,
    chain: Chain,
    rules: Rules,
    row: Labels,
    sums: Int64s,
) -> None:
    """Joins a rung with labels of the run between that are about as long."""
    inner, whole = runs[at[1], at[2]], runs[at[0], at[3]]
    own = scores[whole]
    across = cut
    area = chain.cores[at[3]] - chain.cores[at[0]] + rules.waste
    slots = rules.prices.shape[0]
    out = np.int64(left[WIRE]) + left[OUT_FIRST] + right[WIRE] + right[OUT_LAST]
    out += wire_along(left, 0, at[1], (at[0], at[2]), 1 - across, chain)
    out += wire_along(right, 1, at[2], (at[1], at[3]), 1 - across, chain)
    out += beside(at, chain) * (left[across] + right[across])
    start = rules.bucket_of[across, left[across] + right[across]]
    for bucket in range(start, min(scores.shape[2], start + 1 + _NEXT)):
        less = rules.most[across, bucket]
        for c in range(slots):
            if scores[inner, across, bucket, c] >= COPY:
                continue
            middle = labels[inner, across, bucket, c]
            if bucket > start and middle[across] <= less:
                continue
            if not box_of_rung(left, right, middle, cut, rules, row, area):
                continue
            if not is_useful(
                own, rules.bucket_of, rules.most, rules.prices, out + middle[WIRE], row[W], row[H]
            ):
                continue
            wire = out + middle[WIRE] + wire_along(middle, 1, at[1], (at[0], at[2]), 1 - across, chain)
            wire += wire_along(middle, 0, at[2], (at[1], at[3]), 1 - across, chain)
            if is_useful(own, rules.bucket_of, rules.most, rules.prices, wire, row[W], row[H]):
                join_rung(left, right, middle, cut, at, chain, row, sums)
                row[PART_B] = (across * scores.shape[2] + bucket) * slots + c
                insert(labels[whole], own, row, rules)
