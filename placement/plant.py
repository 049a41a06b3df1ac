"""Grows the slicing trees that an annealing starts from: the chain in order, cut where the shape curves allow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

import numpy as np

from wsc.placement.folding import Folds
from wsc.placement.labels import AT, BEYOND, MIRRORS, PAIR, PART_A, PART_B, PART_C
from wsc.placement.labels import CUT as CUT_LABEL
from wsc.placement.slicing import Curves, Packing
from wsc.placement.snake import Snake
from wsc.placement.tree import ALIGN, CUT, FREE, LEFT, PARENT, RIGHT, ROW, STACK, Int32s, State


def plant(state: State, packing: Packing, rng: Random) -> None:
    """Fills a blank state with a tree for each box of strips of each piece.

    A generator's first trees take the most even cuts, by and large; others are cut with other chances.
    """
    state.links[:] = -1
    state.links[ALIGN] = 0
    state.port[:] = FREE
    free = iter(range(len(state.port), state.links.shape[1]))
    region = 0
    for piece in packing.pieces:
        for strip in piece.strips:
            side = strip.box.height if strip.across else strip.box.width
            state.cross[region] = strip.box.width, strip.box.height
            roots = [
                _grow(state.links, piece.curves, run, (side, strip.across), piece.order, free, rng)
                for run in strip.runs
            ]
            root = roots[0]
            for other in roots[1:]:
                root = _join(state.links, next(free), root, other, ROW if strip.across else STACK)
            state.roots[region] = root
            region += 1


def _join(links: Int32s, node: int, left: int, right: int, cut: int) -> int:
    links[LEFT, node], links[RIGHT, node], links[CUT, node] = left, right, cut
    links[PARENT, left] = links[PARENT, right] = node
    return node


def _grow(
    links: Int32s,
    curves: Curves,
    run: tuple[int, int],
    given: tuple[int, bool],
    order: Sequence[int],
    free: Iterator[int],
    rng: Random,
) -> int:
    """The root of a tree of a run of the chain in the least box of a height (where `given[1]`) or width."""
    start, stop = run
    if stop - start == 1:
        return order[start]
    side, is_height = given
    width = curves.width(start, stop, side) if is_height else side
    height = side if is_height else curves.height(start, stop, side)
    cut, at, _part = _cut(curves, start, stop, width, height, rng)
    across = height if cut == ROW else width
    node = next(free)
    parts = [
        _grow(links, curves, (a, b), (across, cut == ROW), order, free, rng)
        for a, b in ((start, at), (at, stop))
    ]
    return _join(links, node, parts[0], parts[1], cut)


def _cut(curves: Curves, start: int, stop: int, width: int, height: int, rng: Random) -> tuple[int, int, int]:
    """How to cut a run in a box that it fits, the first block of the second part, and the first part's side.

    The most even cut across the longer side, by and large: square-ish parts keep neighbours near.
    """
    best: tuple[int, int, int, int] | None = None
    length = stop - start
    for cut, least, across, along in (
        (STACK, curves.heights, width, height),
        (ROW, curves.widths, height, width),
    ):
        firsts = np.array([least[n - 1][start, across] for n in range(1, length)], np.int64)
        seconds = np.array([least[length - n - 1][start + n, across] for n in range(1, length)], np.int64)
        weight = across * (10 if along >= across else 13)
        for n in np.flatnonzero(firsts + seconds <= along):
            cost = int(max(firsts[n], seconds[n])) * weight * rng.randrange(4, 9)
            option = (cost, cut, start + int(n) + 1, int(firsts[n]))
            best = option if best is None or option < best else best
    assert best is not None, "a run that fits a box has a cut"
    return best[1:]


def plant_snake(state: State, snake: Snake, order: Sequence[int], room: tuple[int, int]) -> None:
    """Fills a blank state of one region with the rows of a snake, from the bottom up, the first from the left."""
    state.links[:] = -1
    state.links[ALIGN] = 0
    state.port[:] = FREE
    state.cross[0] = room
    free = iter(range(len(order), state.links.shape[1]))
    rows = []
    first = 0
    for row, stop in enumerate(snake.stops):
        bars = list(order[first:stop])
        rows.append(_balanced(state.links, bars[::-1] if row % 2 else bars, ROW, free))
        for node in _cuts(state.links, rows[-1]):
            state.links[ALIGN, node] = row % 2
        first = stop
    state.roots[0] = _balanced(state.links, rows, STACK, free)


def _balanced(links: Int32s, parts: list[int], cut: int, free: Iterator[int]) -> int:
    """A tree of the parts in order, all cuts alike, of the least depth."""
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    left, right = (_balanced(links, some, cut, free) for some in (parts[:half], parts[half:]))
    return _join(links, next(free), left, right, cut)


def _cuts(links: Int32s, root: int) -> list[int]:
    """The cuts of a tree."""
    found = [root] if links[LEFT, root] >= 0 else []
    for node in found:
        found += [int(links[side, node]) for side in (LEFT, RIGHT) if links[LEFT, links[side, node]] >= 0]
    return found


def plant_fold(state: State, folds: Folds, whole: int, order: Sequence[int], room: tuple[int, int]) -> None:
    """Fills a blank state of one region with the tree of a label of the whole chain."""
    state.links[:] = -1
    state.links[ALIGN] = 0
    state.port[:] = FREE
    state.cross[0] = room
    free = iter(range(len(order), state.links.shape[1]))
    state.roots[0] = _unfold(state.links, folds, folds.wholes[whole], (0, len(order)), order, 0, free)


def _unfold(
    links: Int32s,
    folds: Folds,
    label: Int32s,
    run: tuple[int, int],
    order: Sequence[int],
    mirrors: int,
    free: Iterator[int],
) -> int:
    """The root of the tree of a label of a run; bits 0 and 1 of `mirrors` turn it round along x and y."""
    first, stop = run
    if stop - first == 1:
        return order[first]
    at, beyond, cut, own = (int(label[column]) for column in (AT, BEYOND, CUT_LABEL, MIRRORS))

    def part(run: tuple[int, int], column: int, shift: int) -> int:
        label_of_part = folds.labels[folds.runs[run], label[column]]
        return _unfold(links, folds, label_of_part, run, order, mirrors ^ (own >> shift & 3), free)

    def joined(parts: list[int], cut: int) -> int:
        if mirrors >> (1 - cut) & 1:
            parts.reverse()
        return _join(links, next(free), parts[0], parts[1], cut)

    if not beyond:
        return joined([part((first, at), PART_A, 0), part((at, stop), PART_B, 2)], cut)
    pair = [part((first, at), PART_A, 0), part((beyond, stop), PART_C, 4)]
    if own & PAIR:
        pair.reverse()
    rung = joined(pair, 1 - cut)
    return joined([rung, part((at, beyond), PART_B, 2)], cut)
