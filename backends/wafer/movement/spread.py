"""Multicast and broadcast: one message from a core to all others of its line or rectangle."""

from __future__ import annotations

import numpy as np

from wsc.backends.wafer.instructions import Broadcast, Multicast
from wsc.backends.wafer.movement.parts import (
    OPERAND,
    RESULT,
    Expansion,
    Leg,
    Region,
    Span,
    copy,
    tile_words,
)
from wsc.backends.wafer.program import Buffer


def multicast(op: Multicast, region: Region, operand: Buffer, result: Buffer) -> Expansion:
    """From part `root` of the axes to all their parts, along x and then from there along y."""
    made = Expansion()
    axes = [region.mesh.index(axis) for axis in op.axes]
    cores = np.arange(len(region.places)).reshape(region.mesh.shape)
    groups = np.moveaxis(cores, axes, range(len(axes)))
    groups = groups.reshape(int(np.prod(groups.shape[: len(axes)])), -1)
    root = np.ravel_multi_index([op.root or 0] * len(axes), [region.mesh.shape[a] for a in axes])
    for group in groups.T:
        source = int(group[root])
        others = [int(core) for core in group if core != source]
        spread(made, region, source, others, tile_words(operand))
    return made


def broadcast(op: Broadcast, region: Region, operand: Buffer, result: Buffer) -> Expansion:
    """In run s from part s of the axis, modulo the number of parts."""
    parts = region.mesh[op.axis].parts
    made = Expansion(works=[{} for _ in range(parts)])
    for root in range(parts):
        for line in region.lines(op.axis):
            others = [core for core in line if core != line[root]]
            spread(made, region, line[root], others, tile_words(operand), root)
            made.work(line[root], root).control = True
    return made


def spread(
    made: Expansion, region: Region, source: int, others: list[int], words: int, variant: int = 0
) -> None:
    """Send the source's operand to the result of others, and copy it to its own on the way."""
    own = Span(OPERAND), Span(RESULT)
    if not others:
        made.work(source, variant).legs.append(copy(words, *own))
        return
    message = made.send(region.places[source], [region.places[core] for core in others], words)
    made.work(source, variant).legs.append(Leg(words, sends=message, reads=own[0], writes=own[1]))
    for core in others:
        made.work(core, variant).legs.append(Leg(words, receives=message, writes=Span(RESULT)))
