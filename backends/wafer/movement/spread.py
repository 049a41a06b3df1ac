"""Multicast and broadcast: one message from a core to all others of its line or rectangle."""

from __future__ import annotations

import numpy as np

from wsc.backends.wafer.instructions import AllGather, Broadcast, Multicast
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


def multicast(op: Multicast, region: Region, operand: Buffer, result: Buffer) -> Expansion:
    """From part `root` of the axes to all their parts, along x and then from there along y."""
    made = Expansion()
    shape = [region.mesh[axis].parts for axis in op.axes]
    root = int(np.ravel_multi_index([op.root or 0] * len(shape), shape))
    for group in region.groups(op.axes):
        others = [core for core in group if core != group[root]]
        spread(made, region, group[root], others, tile_words(operand))
    return made


def broadcast(op: Broadcast, region: Region, operand: Buffer, result: Buffer) -> Expansion:
    """In run s from part s of the axis, modulo the number of parts; or piece by piece of every part's tile."""
    parts, pieces = region.mesh[op.axis].parts, op.pieces or 1
    made = Expansion(works=[{} for _ in range(parts * pieces)])
    for step in range(parts * pieces):
        root, elements = step // pieces, None
        if op.dim is not None:
            extent = operand.tile_type.shape[op.dim] // pieces
            taken = range(step % pieces * extent, (step % pieces + 1) * extent)
            elements = np.take(numbered(operand.tile_type), taken, axis=op.dim).ravel()
        for line in region.lines(op.axis):
            others = [core for core in line if core != line[root]]
            spread(made, region, line[root], others, tile_words(result), step, elements)
            made.work(line[root], step).control = True
    return made


def all_gather(op: AllGather, region: Region, operand: Buffer, result: Buffer) -> Expansion:
    """Every part's tile to all parts, the parts one after another; what lies past the end is not joined."""
    made = Expansion()
    extent, parts = operand.tile_type.shape[op.dim], region.mesh[op.axis].parts
    whole, joined = numbered(operand.tile_type), numbered(result.tile_type)
    most = result.tile_type.shape[op.dim]
    for part in range(parts):
        taken = range(min(extent, max(0, most - part * extent)))
        reads = Span(OPERAND, np.take(whole, taken, axis=op.dim).ravel())
        places = range(part * extent, part * extent + len(taken))
        writes = Span(RESULT, np.take(joined, places, axis=op.dim).ravel())
        assert reads.elements is not None
        words = words_of(reads.elements.size, operand.type.dtype.bytes)
        for line in region.lines(op.axis) if words else ():
            _gather(made, region, line, part, words, (reads, writes))
    return made


def _gather(
    made: Expansion, region: Region, line: list[int], part: int, words: int, spans: tuple[Span, Span]
) -> None:
    others = [core for core in line if core != line[part]]
    if not others:
        made.work(line[part]).legs.append(copy(words, *spans))
        return
    message = made.send(region.places[line[part]], [region.places[core] for core in others], words)
    made.work(line[part]).legs.append(Leg(words, sends=message, reads=spans[0], writes=spans[1]))
    for core in others:
        made.work(core).legs.append(Leg(words, receives=message, writes=spans[1]))


def spread(
    made: Expansion,
    region: Region,
    source: int,
    others: list[int],
    words: int,
    variant: int = 0,
    elements: Elements | None = None,
) -> None:
    """Send the source's operand, or some elements of it, to the result of others, and copy it to its own on the way."""
    own = Span(OPERAND, elements), Span(RESULT)
    if not others:
        made.work(source, variant).legs.append(copy(words, *own))
        return
    message = made.send(region.places[source], [region.places[core] for core in others], words)
    made.work(source, variant).legs.append(Leg(words, sends=message, reads=own[0], writes=own[1]))
    for core in others:
        made.work(core, variant).legs.append(Leg(words, receives=message, writes=Span(RESULT)))
