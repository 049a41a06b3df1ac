"""Movements in which a core sends tiles, or parts of them, while it receives others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wsc.backends.wafer.instructions import AllToAll, Halo, Shift
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
from wsc.backends.wafer.trees import ring_order

_TASKS = 2  # one that sends and one that receives


def shift(op: Shift, region: Region, operand: Buffer, result: Buffer) -> Expansion:
    """Every part's tile to the one that is to have it; a tile that moves within its memory waits for its room."""
    made = Expansion()
    parts, words = region.mesh[op.axis].parts, tile_words(operand)
    order = ring_order(parts) if op.ring else np.arange(parts)
    number = np.argsort(order)
    for line in region.lines(op.axis):
        by = op.by * _skew(op, region, line[0])
        source = [int(order[(number[part] + by) % parts]) for part in range(parts)]
        target = {source[part]: part for part in range(parts)}
        sent = {}
        for part in sorted(range(parts), key=lambda p: (-abs(p - target[p]), p)):
            if target[part] != part:
                sent[part] = made.send(
                    region.places[line[part]], [region.places[line[target[part]]]], words
                )
        for part, core in enumerate(line):
            work = made.work(core)
            work.tasks = _TASKS
            if source[part] == part:
                if operand.name != result.name:
                    work.legs.append(copy(words, Span(OPERAND), Span(RESULT)))
                continue
            behind = 0 if operand.name == result.name else -1
            work.legs.append(Leg(words, sends=sent[part], reads=Span(OPERAND), paced=True))
            came = sent[source[part]]
            work.legs.append(Leg(words, receives=came, writes=Span(RESULT), behind=behind, paced=True))
    return made


def _skew(op: Shift, region: Region, core: int) -> int:
    """How many times `by` the line of a core shifts."""
    if op.skew is None:
        return 1
    axis = region.mesh.index(op.skew)
    part = int(np.unravel_index(core, region.mesh.shape)[axis])
    others = region.mesh[op.skew].parts
    return int(np.argsort(ring_order(others))[part]) if op.ring else part


def all_to_all(op: AllToAll, region: Region, operand: Buffer, result: Buffer) -> Expansion:
    """A piece from every part to every other, those with the farthest to go first."""
    made = Expansion()
    parts, size = region.mesh[op.axis].parts, operand.type.dtype.bytes
    whole, joined = numbered(operand.tile_type), numbered(result.tile_type)
    tile = -(-operand.tile_type.shape[op.split] // parts)
    extent = operand.tile_type.shape[op.join]
    taken = [
        range(min(p * tile, whole.shape[op.split]), min((p + 1) * tile, whole.shape[op.split]))
        for p in range(parts)
    ]

    def piece(source: int, target: int) -> tuple[Elements, Elements]:
        place = np.take(joined, range(source * extent, (source + 1) * extent), axis=op.join)
        place = np.take(place, range(len(taken[target])), axis=op.split)
        return np.take(whole, taken[target], axis=op.split).ravel(), place.ravel()

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
