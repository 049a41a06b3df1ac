"""All-reduce round an interleaved ring: shares of the tile are combined part after part, and then passed round."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wsc.backends.wafer.instructions import AllReduce
from wsc.backends.wafer.movement.exchange import TASKS
from wsc.backends.wafer.movement.parts import (
    OPERAND,
    RESULT,
    Elements,
    Expansion,
    Leg,
    Region,
    Span,
    copy,
    tile_words,
    words_of,
)
from wsc.backends.wafer.program import Buffer
from wsc.backends.wafer.trees import ring_order


def ring_all_reduce(op: AllReduce, region: Region, operand: Buffer) -> Expansion:
    """Share n begins at number n + 1 of the ring, and is whole at number n; then every share goes once round.

    Each of the 2 (P - 1) rounds is an exchange: two tasks, and a core sends while it receives. Shares without elements
    are left out.
    """
    made = Expansion()
    parts = region.mesh[op.axis].parts
    size = operand.tile_type.elements
    each = -(-size // parts)
    shares = [np.arange(min(n * each, size), min((n + 1) * each, size)) for n in range(parts)]
    for line in region.lines(op.axis):
        if parts == 1:
            made.work(line[0]).legs.append(copy(tile_words(operand), Span(OPERAND), Span(RESULT)))
            continue
        ring = [line[part] for part in ring_order(parts)]
        _round(made, region, ring, shares, operand.type.dtype.bytes, op.fn)
    return made


def _round(
    made: Expansion, region: Region, ring: Sequence[int], shares: Sequence[Elements], bytes: int, fn: str
) -> None:
    parts = len(ring)
    for core in ring:
        made.work(core).tasks = TASKS
    for turn in range(2 * (parts - 1)):
        combining = turn < parts - 1
        coming = []
        for number, core in enumerate(ring):
            share = (number - turn - 1) % parts if combining else (number - turn + parts - 1) % parts
            words = words_of(shares[share].size, bytes)
            if words:
                following = ring[(number + 1) % parts]
                message = made.send(region.places[core], [region.places[following]], words)
                _give(made, core, message, words, Span(RESULT if turn else OPERAND, shares[share]))
                coming.append((following, message, words, shares[share]))
        for core, message, words, elements in coming:
            _take(made, core, message, words, elements, fn if combining else "")


def _give(made: Expansion, core: int, message: int, words: int, reads: Span) -> None:
    """A share that goes on, two tasks after it came, and when the one before has gone."""
    legs = made.work(core).legs
    before = _latest_received(legs)
    tasks = TASKS if before >= 0 else 0
    sent = max((n for n, leg in enumerate(legs) if leg.sends >= 0), default=-1)
    legs.append(
        Leg(words, sends=message, reads=reads, after=before, tasks=tasks, behind=sent, whole=True, paced=True)
    )


def _take(made: Expansion, core: int, message: int, words: int, share: Elements, fn: str) -> None:
    """The share that comes, combined with the core's own; after what came in the round before."""
    legs = made.work(core).legs
    reads = Span(OPERAND, share) if fn else None
    legs.append(
        Leg(
            words,
            receives=message,
            reads=reads,
            writes=Span(RESULT, share),
            combine=fn,
            after=_latest_received(legs),
            paced=True,
        )
    )


def _latest_received(legs: Sequence[Leg]) -> int:
    return max((n for n, leg in enumerate(legs) if leg.receives >= 0), default=-1)
