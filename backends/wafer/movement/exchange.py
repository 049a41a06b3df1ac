"""Movements in which a core sends tiles, or parts of them, while it receives others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wsc.backends.wafer.instructions import AllToAll, Halo, Keep, Shift
from wsc.backends.wafer.movement.parts import (
    OPERAND,
    RESULT,
    Elements,
    Expansion,
    Leg,
    Region,
    Span,
    copy,
    numbered,
    tile_words,
    words_of,
)
from wsc.backends.wafer.program import Buffer
from wsc.backends.wafer.trees import ring_numbers
from wsc.compiler.errors import AlgorithmError

_TASKS = 2  # one that sends and one that receives


def shift(op: Shift, region: Region, operand: Buffer, result: Buffer) -> Expansion:
    """Every part's tile, or its pieces, to the one that is to have it.

    What moves within its memory waits for its room: a part takes no word before it has sent the one in its place.
    """
    made = Expansion()
    parts, pieces = region.mesh[op.axis].parts, op.pieces or 1
    if operand.name == result.name and pieces > 1:
        raise AlgorithmError(
            "the cycle-level simulator shifts no pieces within one buffer: simulate at the fast level"
        )
    numbers = ring_numbers(parts, op.ring)
    order = np.arange(parts) if op.enter else np.argsort(numbers)
    spans = _cut(operand, op.dim, pieces)
    size = operand.type.dtype.bytes
    words = [tile_words(operand) if e is None else words_of(e.size, size) for e in spans]
    for line in region.lines(op.axis):
        by = op.by * _skew(op, region, line[0])
        moves = []
        for part in range(parts):
            for piece in range(pieces):
                place = (int(numbers[part]) * pieces + piece + by) % (parts * pieces)
                moves.append((int(order[place // pieces]), place % pieces, part, piece))
        moves.sort(key=lambda m: (-abs(m[0] - m[2]), m))
        _shift_line(made, region, line, moves, (spans, words), operand.name == result.name)
    return made


def _cut(operand: Buffer, dim: int | None, pieces: int) -> list[Elements | None]:
    """Elements of each piece of a tile; None for all of it."""
    if dim is None or pieces == 1:
        return [None]
    extent = operand.tile_type.shape[dim] // pieces
    whole = numbered(operand.tile_type)
    return [np.take(whole, range(p * extent, (p + 1) * extent), axis=dim).ravel() for p in range(pieces)]


def _shift_line(
    made: Expansion,
    region: Region,
    line: Sequence[int],
    moves: Sequence[tuple[int, int, int, int]],
    cut: tuple[list[Elements | None], list[int]],
    in_place: bool,
) -> None:
    """Moves (part, piece of it, to part, as piece) between the cores of a line, the farthest first."""
    spans, words = cut
    latest: dict[int, int] = {}
    messages = {}
    for core in line:
        made.work(core).tasks = _TASKS
    for source, taken, target, piece in moves:
        legs = made.work(line[source]).legs
        if source == target:
            if not in_place:
                legs.append(copy(words[taken], Span(OPERAND, spans[taken]), Span(RESULT, spans[piece])))
            continue
        message = made.send(region.places[line[source]], [region.places[line[target]]], words[taken])
        messages[source, taken] = message
        reads, before = Span(OPERAND, spans[taken]), latest.get(source, -1)
        legs.append(Leg(words[taken], sends=message, reads=reads, after=before, paced=True))
        latest[source] = len(legs) - 1
    for source, taken, target, piece in moves:
        if source != target:
            behind = latest[target] if in_place else -1
            leg = Leg(
                words[taken],
                receives=messages[source, taken],
                writes=Span(RESULT, spans[piece]),
                behind=behind,
                paced=True,
            )
            made.work(line[target]).legs.append(leg)


def _skew(op: Shift, region: Region, core: int) -> int:
    """How many times `by` the line of a core shifts."""
    if op.skew is None:
        return 1
    part = int(np.unravel_index(core, region.mesh.shape)[region.mesh.index(op.skew)])
    return int(ring_numbers(region.mesh[op.skew].parts, op.ring)[part])


def all_to_all(op: AllToAll, region: Region, operand: Buffer, result: Buffer) -> Expansion:
    """A piece from every part to every other, those with the farthest to go first."""
    made = Expansion()
    parts, size = region.mesh[op.axis].parts, operand.type.dtype.bytes
    whole, joined = numbered(operand.tile_type), numbered(result.tile_type)
    tile = result.tile_type.shape[op.split]
    extent, most = operand.tile_type.shape[op.join], result.tile_type.shape[op.join]
    taken = [
        range(min(p * tile, whole.shape[op.split]), min((p + 1) * tile, whole.shape[op.split]))
        for p in range(parts)
    ]

    def piece(source: int, target: int) -> tuple[Elements, Elements]:
        columns = range(min(extent, max(0, most - source * extent)))  # what lies past the end is not joined
        place = np.take(joined, range(source * extent, source * extent + len(columns)), axis=op.join)
        place = np.take(place, range(len(taken[target])), axis=op.split)
        moved = np.take(np.take(whole, taken[target], axis=op.split), columns, axis=op.join)
        return moved.ravel(), place.ravel()

    pairs = _in_turn(parts)
    cut = {pair: piece(*pair) for pair in pairs}
    for line in region.lines(op.axis):
        _exchange(made, region, line, pairs, cut, size)
    return made


def _in_turn(parts: int) -> list[tuple[int, int]]:
    """All (source, target): those one part apart, modulo the number of parts, then two apart, and so on.

    So every part sends and receives all the time, and no link carries much more than its share at any time.
    """
    return [(part, (part + step) % parts) for step in range(parts) for part in range(parts)]


def _exchange(
    made: Expansion,
    region: Region,
    line: Sequence[int],
    pairs: Sequence[tuple[int, int]],
    cut: dict[tuple[int, int], tuple[Elements, Elements]],
    size: int,
) -> None:
    """Pieces by (source, target) between the cores of a line; each core sends its own one after another."""
    latest: dict[int, int] = {}
    for core in line:
        made.work(core).tasks = _TASKS if len(line) > 1 else 1
    for source, target in pairs:
        taken, place = cut[source, target]
        words = words_of(taken.size, size)
        if not words:
            continue
        reads, writes = Span(OPERAND, taken), Span(RESULT, place)
        if source == target:
            made.work(line[source]).legs.append(copy(words, reads, writes))
            continue
        message = made.send(region.places[line[source]], [region.places[line[target]]], words)
        sender = made.work(line[source]).legs
        sender.append(Leg(words, sends=message, reads=reads, after=latest.get(source, -1), paced=True))
        latest[source] = len(sender) - 1
        made.work(line[target]).legs.append(Leg(words, receives=message, writes=writes, paced=True))


def keep(op: Keep, region: Region, operand: Buffer, result: Buffer) -> Expansion:
    """Every part copies its own tile of what all hold."""
    made = Expansion()
    whole, own = numbered(operand.tile_type), numbered(result.tile_type)
    extent, most = result.tile_type.shape[op.dim], operand.tile_type.shape[op.dim]
    for line in region.lines(op.axis):
        for part, core in enumerate(line):
            taken = range(min(part * extent, most), min((part + 1) * extent, most))
            moved = np.take(whole, taken, axis=op.dim).ravel()
            place = np.take(own, range(len(taken)), axis=op.dim).ravel()
            if moved.size:
                words = words_of(moved.size, operand.type.dtype.bytes)
                made.work(core).legs.append(copy(words, Span(OPERAND, moved), Span(RESULT, place)))
    return made


def halo(op: Halo, region: Region, operand: Buffer, result: Buffer) -> Expansion:
    """The edges of the neighbours' tiles, as far as the tensor goes; the tile itself is copied between them."""
    made = Expansion()
    size, dim = operand.type.dtype.bytes, op.dim
    whole, extended = numbered(operand.tile_type), numbered(result.tile_type)
    extent = operand.tile_type.shape[dim]
    valid = result.layout.valid(region.mesh, result.type.shape)
    flat = None if valid is None else valid.reshape(len(region.places), -1)

    def edge(part: int, taken: range, place: range) -> tuple[Elements, Elements]:
        a, b = np.take(whole, taken, axis=dim).ravel(), np.take(extended, place, axis=dim).ravel()
        exists = slice(None) if flat is None else flat[part][b]
        return a[exists], b[exists]

    before = range(extent - op.lo, extent), range(op.lo)
    after = range(op.hi), range(op.lo + extent, op.lo + extent + op.hi)
    for line in region.lines(op.axis):
        cut = {}
        for part, core in enumerate(line):
            cut[part, part] = edge(core, range(extent), range(op.lo, op.lo + extent))
            if part > 0 and op.lo:
                cut[part - 1, part] = edge(core, *before)
            if part + 1 < len(line) and op.hi:
                cut[part + 1, part] = edge(core, *after)
        _exchange(made, region, line, sorted(cut, key=lambda pair: (pair[0] == pair[1], pair)), cut, size)
    return made
