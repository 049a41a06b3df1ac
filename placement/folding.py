"""Folds a chain into the fabric: slicing floorplans in the order of the chain, packed densely and with short wire.

Dynamic programming over runs of neighbouring blocks. A run keeps labels: the box of a floorplan of it, the wire
inside, and where the blocks lie that have nets to the outside. Two runs that follow one another join side by side or
stacked where their sides about agree, each mirrored as brings the ends of the nets between them together. Of the many
labels of a run those stay that are best among boxes of about the same proportions, at three prices of wasted area.
Labels tell the wire of their nets exactly but for blocks beyond two on a side with nets out of the run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wsc.placement.jit import jit
from wsc.placement.problem import Net
from wsc.placement.tree import STACK, Int32s, Int64s

SLOTS = 3  # labels of a range of proportions, each best at its price of area
_ENDS = 2  # blocks with nets out of a run that a label knows on either side
_FAR = np.int64(1) << 60
_BEYOND = 80  # a floorplan may reach beyond the fabric by an eightieth: exact curves tell in the end
_UNEVEN = 10  # sides of parts that join may differ by a tenth
# columns of a label; positions are of centres, in half cells from the lower corner
_W, _H, _WIRE, _FIRST, _LAST, AT, DIRECTION, PART_A, PART_B, MIRRORS = 0, 1, 2, 3, 7, 11, 12, 13, 14, 15
_COLUMNS = 16
_LOG = np.array([0, *(round(4096 * math.log2(side)) for side in range(1, 16_000))], np.int64)

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
    """Sides of the fabric, labels of a run (buckets), the most waste, the prices of half a hop, of a line
    beyond the fabric and of waste, and how many labels of the whole chain are kept."""

    width: int
    height: int
    buckets: int
    waste: int
    half_hop: int
    beyond: int
    prices: Int64s
    wholes: int


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
    ends = np.full((2, count + 1, _ENDS), -1, np.int32)
    rows: list[tuple[int, int, int]] = []
    gaps = [0, 0]
    for gap in range(1, count):
        across = sorted(span for span in spans if span[0] < gap <= span[1])
        for side in (0, 1):
            known = sorted({span[side] for span in across}, reverse=side == 0)[:_ENDS]
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


def fold(chain: Chain, fronts: Sequence[Sequence[tuple[int, int]]], rules: Rules) -> Folds:
    """The labels of all runs; `fronts[i]` are the (width, height) that the block at position i may have."""
    count = len(fronts)
    runs = np.zeros((count, count + 1), np.int32)
    where = [(first, first + length) for length in range(1, count + 1) for first in range(count - length + 1)]
    for index, (first, stop) in enumerate(where):
        runs[first, stop] = index
    labels = np.zeros((len(where), rules.buckets * SLOTS, _COLUMNS), np.int32)
    scores = np.full(labels.shape[:2], _FAR, np.int64)
    for at, front in enumerate(fronts):
        _leaf(labels[at], scores[at], chain, at, np.array(front, np.int32).reshape(-1, 2), rules, _LOG)
    _fold(runs, labels, scores, chain, rules, _LOG)
    return Folds(runs, labels, _wholes(runs, labels, scores, chain, rules))


def _wholes(runs: Int32s, labels: Labels, scores: Int64s, chain: Chain, rules: Rules) -> Labels:
    """Labels of the whole chain, each once, the cheapest first."""
    rows = np.zeros((rules.wholes, _COLUMNS), np.int32)
    costs = np.full(rules.wholes, _FAR, np.int64)
    count = _gather(runs, labels, scores, chain, rules, rows, costs, _LOG)
    seen: set[tuple[int, ...]] = set()
    kept = list[Labels]()
    for index in np.argsort(costs[:count], kind="stable"):
        label = rows[index]
        key = (int(label[_WIRE]), *sorted((int(label[_W]), int(label[_H]))), int(label[AT]))
        if key not in seen:
            seen.add(key)
            kept.append(label)
    return np.array(kept, np.int32).reshape(-1, _COLUMNS)


@jit
def _bucket(width: int, cores: int, rules: Rules, log: Int64s) -> int:
    """The range of proportions that a box of a run of so many cores falls into."""
    low = log[max(1, cores // rules.height)]
    span = max(1, log[rules.width + rules.width // _BEYOND] - low)
    return int(min(max(0, (log[width] - low) * rules.buckets // (span + 1)), rules.buckets - 1))


@jit
def _leaf(
    labels: Labels, scores: Int64s, chain: Chain, at: int, front: Labels, rules: Rules, log: Int64s
) -> None:
    """Labels of one block: of each range of proportions the shapes of the least area."""
    cores = chain.cores[at + 1] - chain.cores[at]
    for row in range(front.shape[0]):
        width, height = front[row, 0], front[row, 1]
        waste = np.int64(width) * height - cores
        if waste > rules.waste:
            continue
        slot = _bucket(width, cores, rules, log) * SLOTS
        last = slot + SLOTS
        while slot < last and scores[slot] <= waste:
            slot += 1
        if slot == last:
            continue
        for other in range(last - 1, slot, -1):
            scores[other] = scores[other - 1]
            labels[other] = labels[other - 1]
        scores[slot] = waste
        labels[slot, _W], labels[slot, _H], labels[slot, _WIRE] = width, height, 0
        for column in range(_FIRST, AT, 2):
            labels[slot, column], labels[slot, column + 1] = width, height


@jit
def _fold(runs: Int32s, labels: Labels, scores: Int64s, chain: Chain, rules: Rules, log: Int64s) -> None:
    """Labels of all runs but the whole chain, the shorter ones first."""
    row = np.zeros(_COLUMNS, np.int32)
    for length in range(2, runs.shape[0]):
        for first in range(runs.shape[0] - length + 1):
            stop = first + length
            whole = runs[first, stop]
            for at in range(first + 1, stop):
                cut = (first, at, stop)
                one, two = runs[first, at], runs[at, stop]
                for a in range(labels.shape[1]):
                    if scores[one, a] < _FAR:
                        row[PART_A] = a
                        _extend(labels[one, a], labels[two], scores[two], labels[whole], scores[whole], cut, chain,
                                rules, row, log)  # fmt: skip


@jit
def _extend(
    one: Labels,
    others: Labels,
    known: Int64s,
    labels: Labels,
    scores: Int64s,
    cut: tuple[int, int, int],
    chain: Chain,
    rules: Rules,
    row: Labels,
    log: Int64s,
) -> None:
    """Joins one label with all of the run that follows, and keeps what is best of its proportions."""
    for direction in range(2):
        low, high = _about(one, direction, cut, chain, rules, log)
        for b in range(low, high):
            if known[b] == _FAR or not _joined(one, others[b], direction, cut, chain, rules, row):
                continue
            if _is_useful(row, cut, chain, rules, scores, log):
                _mirror_and_link(one, others[b], cut, chain, row)
                row[PART_B] = b
                _insert(labels, scores, row, cut, chain, rules, log)


@jit
def _gather(
    runs: Int32s,
    labels: Labels,
    scores: Int64s,
    chain: Chain,
    rules: Rules,
    rows: Labels,
    costs: Int64s,
    log: Int64s,
) -> int:
    """Fills `rows` with the cheapest labels of the whole chain, in no order; returns their number."""
    count = runs.shape[0]
    row = np.zeros(_COLUMNS, np.int32)
    state = np.array([0, _FAR], np.int64)
    for at in range(1, count):
        one, two = runs[0, at], runs[at, count]
        for a in range(labels.shape[1]):
            if scores[one, a] < _FAR:
                row[PART_A] = a
                _complete(labels[one, a], labels[two], scores[two], (0, at, count), chain, rules, row, rows, costs,
                          state, log)  # fmt: skip
    return int(state[0])


@jit
def _complete(
    one: Labels,
    others: Labels,
    known: Int64s,
    cut: tuple[int, int, int],
    chain: Chain,
    rules: Rules,
    row: Labels,
    rows: Labels,
    costs: Int64s,
    state: Int64s,
    log: Int64s,
) -> None:
    """Adds one label joined with all of the rest of the chain; `state` is how many rows there are, and a cost that
    is too much."""
    for direction in range(2):
        low, high = _about(one, direction, cut, chain, rules, log)
        for b in range(low, high):
            if known[b] == _FAR or not _joined(one, others[b], direction, cut, chain, rules, row):
                continue
            over = max(0, row[_W] - rules.width) + max(0, row[_H] - rules.height)
            if np.int64(row[_WIRE]) * rules.half_hop + over * rules.beyond >= state[1]:
                continue
            _mirror_and_link(one, others[b], cut, chain, row)
            row[PART_B] = b
            rows[state[0]], costs[state[0]] = row, np.int64(row[_WIRE]) * rules.half_hop + over * rules.beyond
            state[0] += 1
            if state[0] == rows.shape[0]:
                order = np.argsort(costs, kind="mergesort")
                rows[:], costs[:] = rows[order], costs[order]
                state[0] //= 2
                state[1] = costs[state[0]]


@jit
def _about(
    one: Labels, direction: int, cut: tuple[int, int, int], chain: Chain, rules: Rules, log: Int64s
) -> tuple[int, int]:
    """The slots of the labels of the run that follows whose side about agrees with that of `one`."""
    rest = chain.cores[cut[2]] - chain.cores[cut[1]]
    side = one[_W] if direction == STACK else one[_H]
    width = side if direction == STACK else rest // side
    low = _bucket(max(1, width - width // _UNEVEN), rest, rules, log)
    high = _bucket(width + width // _UNEVEN + 1, rest, rules, log)
    return low * SLOTS, high * SLOTS + SLOTS


@jit
def _joined(
    one: Labels,
    two: Labels,
    direction: int,
    cut: tuple[int, int, int],
    chain: Chain,
    rules: Rules,
    row: Labels,
) -> bool:
    """Fills a row with the box of two parts joined and the wire within them; False where it is no use."""
    along, across = (_H, _W) if direction == STACK else (_W, _H)
    less, more = min(one[across], two[across]), max(one[across], two[across])
    if (more - less) * _UNEVEN > more:
        return False
    row[along], row[across] = one[along] + two[along], more
    width, height = row[_W], row[_H]
    if width > rules.width + rules.width // _BEYOND or height > rules.height + rules.height // _BEYOND:
        return False
    if np.int64(width) * height - (chain.cores[cut[2]] - chain.cores[cut[0]]) > rules.waste:
        return False
    row[_WIRE], row[AT], row[DIRECTION] = one[_WIRE] + two[_WIRE], cut[1], direction
    return True


@jit
def _is_useful(
    row: Labels, cut: tuple[int, int, int], chain: Chain, rules: Rules, scores: Int64s, log: Int64s
) -> bool:
    """Whether a label without the wire between its parts could be the best of its proportions."""
    cores = chain.cores[cut[2]] - chain.cores[cut[0]]
    waste = np.int64(row[_W]) * row[_H] - cores
    slot = _bucket(row[_W], cores, rules, log) * SLOTS
    wire = np.int64(row[_WIRE]) * rules.half_hop * 64
    useful = False
    for price in range(SLOTS):
        useful |= wire + waste * rules.prices[price] < scores[slot + price]
    return useful


@jit
def _end(label: Labels, column: int, ends: Labels, block: int) -> int:
    """The column of a block's position among the ends of a label, or that of the first end."""
    for index in range(1, ends.shape[0]):
        if ends[index] == block:
            return column + 2 * index
    return column


@jit
def _mirror_and_link(one: Labels, two: Labels, cut: tuple[int, int, int], chain: Chain, row: Labels) -> None:
    """Mirrors the parts so that the nets between them are short, adds those, and places the ends of the whole."""
    first, at, stop = cut
    along = _H if row[DIRECTION] == STACK else _W
    across = 1 - along
    gap_one, gap_two = row[across] - one[across], row[across] - two[across]  # the smaller lies in the middle
    spare = gap_one + gap_two
    near = np.zeros(
        6, np.int64
    )  # along: of one as it is, mirrored, of two; across: same way, mirrored; weight
    for index in range(chain.gap_at[at], chain.gap_at[at + 1]):
        a, b, weight = chain.crossing[index, 0], chain.crossing[index, 1], chain.crossing[index, 2]
        if a < first or b >= stop:
            continue
        from_ = _end(one, _LAST, chain.ends[0, at], a)
        to = _end(two, _FIRST, chain.ends[1, at], b)
        near[0] += weight * (2 * one[along] - one[from_ + along])
        near[1] += weight * one[from_ + along]
        near[2] += weight * two[to + along]
        near[3] += weight * (2 * two[along] - two[to + along])
        y, other = one[from_ + across] + gap_one, two[to + across] + gap_two
        near[4] += weight * max(0, abs(y - other) - spare)
        near[5] += weight * max(0, abs(y - (2 * row[across] - other)) - spare)
    mirror_one, mirror_two, mirror_across = near[1] < near[0], near[3] < near[2], near[5] < near[4]
    row[_WIRE] += min(near[0], near[1]) + min(near[2], near[3]) + min(near[4], near[5])
    row[MIRRORS] = mirror_one << along | mirror_two << (2 + along) | mirror_across << (2 + across)
    for side in range(2):
        column = _FIRST if side == 0 else _LAST
        ends = chain.ends[1, first] if side == 0 else chain.ends[0, stop]
        for index in range(_ENDS):
            block = ends[index]
            target = column + 2 * index
            if block < first or block >= stop:
                row[target] = -1
                continue
            if block < at:
                source = _end(one, column, chain.ends[0, at], block) if side else column + 2 * index
                x, y = one[source + along], one[source + across] + gap_one
                row[target + along] = 2 * one[along] - x if mirror_one else x
                row[target + across] = y
            else:
                source = column + 2 * index if side else _end(two, column, chain.ends[1, at], block)
                x, y = two[source + along], two[source + across] + gap_two
                row[target + along] = 2 * one[along] + (2 * two[along] - x if mirror_two else x)
                row[target + across] = 2 * row[across] - y if mirror_across else y


@jit
def _insert(
    labels: Labels,
    scores: Int64s,
    row: Labels,
    cut: tuple[int, int, int],
    chain: Chain,
    rules: Rules,
    log: Int64s,
) -> None:
    """Keeps a label where it is the best of its proportions at some price of waste."""
    cores = chain.cores[cut[2]] - chain.cores[cut[0]]
    out = np.int64(row[_WIRE])
    for column in range(_FIRST, AT, 2):
        x, y = row[column], row[column + 1]
        if x >= 0:
            out += min(min(x, 2 * row[_W] - x), min(y, 2 * row[_H] - y))
    waste = np.int64(row[_W]) * row[_H] - cores
    slot = _bucket(row[_W], cores, rules, log) * SLOTS
    for price in range(SLOTS):
        score = out * rules.half_hop * 64 + waste * rules.prices[price]
        if score < scores[slot + price]:
            scores[slot + price] = score
            labels[slot + price] = row
