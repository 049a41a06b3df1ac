"""Shifts of tiles and of pieces of them: every core sends while it receives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from wsc.backends.wafer.instructions import Append, Rotate, Shift
from wsc.backends.wafer.movement.exchange import TASKS
from wsc.backends.wafer.movement.parts import (
    OPERAND,
    RESULT,
    Elements,
    Expansion,
    Leg,
    Region,
    Span,
    numbered,
    tile_words,
    words_of,
)
from wsc.backends.wafer.program import Buffer
from wsc.backends.wafer.trees import ring_numbers
from wsc.compiler.errors import AlgorithmError

_Move = tuple[int, int, int, int]  # part, piece of it, to part, as piece


def shift(op: Shift, region: Region, operand: Buffer, result: Buffer) -> Expansion:
    """Every part's tile, or its pieces, to the one that is to have it.

    What moves within its memory waits for its room: a part takes no word before it has sent the one in its place.
    """
    made = Expansion()
    parts, pieces = region.mesh[op.axis].parts, op.pieces or 1
    in_place = operand.name == result.name
    if in_place and pieces > 1 and parts == 1:
        raise AlgorithmError(
            "the cycle-level simulator shifts no pieces within one core: simulate at the fast level"
        )
    numbers = ring_numbers(parts, op.ring)
    order = np.arange(parts) if op.enter else np.argsort(numbers)
    cut = _Pieces.of(operand, op.dim, pieces)
    for line in region.lines(op.axis):
        by = op.by * _skew(op, region, line[0])
        moves = []
        for part in range(parts):
            for piece in range(pieces):
                place = (int(numbers[part]) * pieces + piece + by) % (parts * pieces)
                moves.append((int(order[place // pieces]), place % pieces, part, piece))
        _shift_line(made, region, line, moves, cut, in_place)
    return made


def rotate(op: Rotate, region: Region, operand: Buffer, result: Buffer) -> Expansion:
    """In run s piece s, modulo their number, by one part, within its memory."""
    made = Expansion(works=[{} for _ in range(op.pieces)])
    parts = region.mesh[op.axis].parts
    numbers = ring_numbers(parts, op.ring)
    source = np.argsort(numbers)[(numbers + 1) % parts]
    cut = _Pieces.of(operand, op.dim, op.pieces)
    for piece in range(op.pieces):
        moves = [(int(source[part]), piece, part, piece) for part in range(parts)]
        for line in region.lines(op.axis):
            _shift_line(made, region, line, moves, cut, True, piece)
    return made


def append(op: Append, region: Region, operand: Buffer, result: Buffer) -> Expansion:
    """Every part but the last hands one element on to the next, whether that takes it or not; nothing without balance.

    Its operand is the element that a part has taken out of its slots, its result the one that it may put into them.
    """
    made = Expansion()
    words = tile_words(operand)
    for line in region.lines(op.axis) if op.balanced else ():
        for here, there in pairwise(line):
            message = made.send(region.places[here], [region.places[there]], words)
            made.work(here).legs.append(Leg(words, sends=message, reads=Span(OPERAND), paced=True))
            made.work(there).legs.append(Leg(words, receives=message, writes=Span(RESULT), paced=True))
            made.work(here).tasks = made.work(there).tasks = TASKS
    return made


@dataclass(frozen=True, eq=False)
class _Pieces:
    """Elements of each piece of a tile (None for all of it), and words."""

    elements: list[Elements | None]
    words: list[int]

    @staticmethod
    def of(operand: Buffer, dim: int | None, pieces: int) -> _Pieces:
        if dim is None or pieces == 1:
            return _Pieces([None], [tile_words(operand)])
        extent = operand.tile_type.shape[dim] // pieces
        whole = numbered(operand.tile_type)
        found = [np.take(whole, range(p * extent, (p + 1) * extent), axis=dim).ravel() for p in range(pieces)]
        return _Pieces([*found], [words_of(e.size, operand.type.dtype.bytes) for e in found])


def _shift_line(
    made: Expansion, region: Region, line: Sequence[int], moves: Sequence[_Move], cut: _Pieces,
    in_place: bool, variant: int = 0,
) -> None:  # fmt: skip
    """Moves between the cores of a line: what a core sends, the farthest first, what comes, and what stays there.

    In place nothing is written before what lies there has been read.
    """
    moves = sorted(moves, key=lambda m: (-abs(m[0] - m[2]), m))
    going = [move for move in moves if move[0] != move[2]]
    staying = [move for move in moves if move[0] == move[2] and not (in_place and move[1] == move[3])]
    reader = _readers(going, staying) if in_place else {}
    works = [made.work(core, variant) for core in line]
    for work in works:
        work.tasks = TASKS
    latest: dict[int, int] = {}
    sent = {}
    for source, taken, target, _ in going:
        words, legs = cut.words[taken], works[source].legs
        message = made.send(region.places[line[source]], [region.places[line[target]]], words)
        reads = Span(OPERAND, cut.elements[taken])
        legs.append(Leg(words, sends=message, reads=reads, after=latest.get(source, -1), paced=True))
        latest[source] = len(legs) - 1
        sent[source, taken] = message
    for source, taken, target, piece in (*going, *staying):
        words, writes = cut.words[taken], Span(RESULT, cut.elements[piece])
        behind = reader.get((target, piece), -1)
        if source == target:
            reads = Span(OPERAND, cut.elements[taken])
            leg = Leg(words, reads=reads, writes=writes, behind=behind)
        else:
            leg = Leg(words, receives=sent[source, taken], writes=writes, behind=behind, paced=True)
        works[target].legs.append(leg)


def _readers(going: Sequence[_Move], staying: Sequence[_Move]) -> dict[tuple[int, int], int]:
    """For every piece of every part the number of the leg that reads it, as `_shift_line` makes them."""
    found: dict[tuple[int, int], int] = {}
    count: Counter[int] = Counter()
    for source, taken, _, _ in going:
        found[source, taken] = count[source]
        count[source] += 1
    count.update(move[2] for move in going)
    for source, taken, _, _ in staying:
        found[source, taken] = count[source]
        count[source] += 1
    return found


def _skew(op: Shift, region: Region, core: int) -> int:
    """How many times `by` the line of a core shifts."""
    if op.skew is None:
        return 1
    part = int(np.unravel_index(core, region.mesh.shape)[region.mesh.index(op.skew)])
    return int(ring_numbers(region.mesh[op.skew].parts, op.ring)[part])
