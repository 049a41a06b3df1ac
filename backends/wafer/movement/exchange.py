"""Movements in which a core sends tiles, or parts of them, while it receives others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from wsc.backends.wafer.instructions import AllToAll, Exchange, Halo, Keep
from wsc.backends.wafer.movement.parts import (
    OPERAND,
    RESULT,
    Elements,
    Expansion,
    Leg,
    Region,
    Span,
    copy,
    holders,
    numbered,
    words_of,
)
from wsc.backends.wafer.program import Buffer

_NOTHING: Elements = np.zeros(0, np.int64)
TASKS = 2  # of an exchange: one that sends and one that receives


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
    _exchange(made, region, list(region.lines(op.axis)), pairs, [cut] * len(region.places), size)
    return made


def _in_turn(parts: int) -> list[tuple[int, int]]:
    """All (source, target): those one part apart, modulo the number of parts, then two apart, and so on.

    So every part sends and receives all the time, and no link carries much more than its share at any time.
    """
    return [(part, (part + step) % parts) for step in range(parts) for part in range(parts)]


def _exchange(
    made: Expansion,
    region: Region,
    lines: Sequence[Sequence[int]],
    pairs: Sequence[tuple[int, int]],
    cuts: Sequence[Mapping[tuple[int, int], tuple[Elements, Elements]]],
    size: int,
) -> None:
    """Pieces by (source, target) between the cores of lines; each core sends its own one after another.

    What a core sends goes before what it receives, which may wait, as a core that sends late makes the next one late;
    what stays has the cycles of the memory that these leave. Lines that share links go on side by side.
    """
    latest: dict[int, int] = {}
    sent: list[tuple[int, int, Elements]] = []  # to a core, as a message, at a place
    for line in lines:
        for core in line:
            made.work(core).tasks = TASKS if len(line) > 1 else 1
    for source, target in pairs:
        for line, cut in zip(lines, cuts, strict=False):
            taken, place = cut.get((source, target), (_NOTHING, _NOTHING))
            words = words_of(taken.size, size)
            if source == target or not words:
                continue
            core, legs = line[source], made.work(line[source]).legs
            message = made.send(region.places[core], [region.places[line[target]]], words)
            reads = Span(OPERAND, taken)
            legs.append(Leg(words, sends=message, reads=reads, after=latest.get(core, -1), paced=True))
            latest[core] = len(legs) - 1
            sent.append((line[target], message, place))
    for core, message, place in sent:
        words = made.messages[message].words
        made.work(core).legs.append(Leg(words, receives=message, writes=Span(RESULT, place), paced=True))
    for line, cut in zip(lines, cuts, strict=False):
        for part, core in enumerate(line):
            taken, place = cut.get((part, part), (_NOTHING, _NOTHING))
            if taken.size:
                words = words_of(taken.size, size)
                made.work(core).legs.append(copy(words, Span(OPERAND, taken), Span(RESULT, place)))


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
    lines, cuts = list(region.lines(op.axis)), []
    for line in lines:
        cut = {}
        for part, core in enumerate(line):
            cut[part, part] = edge(core, range(extent), range(op.lo, op.lo + extent))
            if part > 0 and op.lo:
                cut[part - 1, part] = edge(core, *before)
            if part + 1 < len(line) and op.hi:
                cut[part + 1, part] = edge(core, *after)
        cuts.append(cut)
    pairs = sorted({pair for cut in cuts for pair in cut})
    _exchange(made, region, lines, pairs, cuts, size)
    return made


def exchange(op: Exchange, region: Region, operand: Buffer, result: Buffer) -> Expansion:
    """Every element from the core that owns it to those whose tile holds it; a core sends to the farthest first.

    A core starts a task for every core that it hears from, and one to send.
    """
    made = Expansion()
    latest: dict[int, int] = {}
    pairs = _flows(region, operand, result)
    for source, target in sorted(pairs, key=lambda pair: (-_distance(region, *pair), pair)):
        taken, place = pairs[source, target]
        words = words_of(taken.size, operand.type.dtype.bytes)
        reads, writes = Span(OPERAND, taken), Span(RESULT, place)
        if source == target:
            made.work(source).legs.append(copy(words, reads, writes))
            continue
        message = made.send(region.places[source], [region.places[target]], words)
        sender = made.work(source).legs
        sender.append(Leg(words, sends=message, reads=reads, after=latest.get(source, -1)))
        latest[source] = len(sender) - 1
        made.work(target).legs.append(Leg(words, receives=message, writes=writes))
    for work in made.works[0].values():
        work.tasks = 1 + sum(leg.receives >= 0 for leg in work.legs)
    return made


def _flows(
    region: Region, operand: Buffer, result: Buffer
) -> dict[tuple[int, int], tuple[Elements, Elements]]:
    """Elements by (source, target): by number in the tile that they lie in, and in that where they go."""
    mesh, shape = region.mesh, operand.type.shape
    tile, lead = operand.layout.tile(shape), len(mesh.shape)
    full = (*mesh.shape, *tile)
    cores = np.arange(len(region.places)).reshape(mesh.shape + (1,) * len(tile))
    offsets = numbered(operand.tile_type).reshape((1,) * lead + tile)
    owner, offset = (
        operand.layout.collect(mesh, np.broadcast_to(of, full), shape).ravel() for of in (cores, offsets)
    )
    numbers = np.arange(1, operand.type.elements + 1).reshape(shape)
    wanted = result.layout.distribute(mesh, numbers).reshape(len(region.places), -1)
    found = {}
    for target in holders(mesh, result.layout.at):
        place = np.flatnonzero(wanted[target])
        element = wanted[target][place] - 1
        for source in np.unique(owner[element]).tolist():
            chosen = owner[element] == source
            found[source, target] = offset[element[chosen]], place[chosen]
    return found


def _distance(region: Region, source: int, target: int) -> int:
    a, b = region.places[source], region.places[target]
    return abs(a[0] - b[0]) + abs(a[1] - b[1])
