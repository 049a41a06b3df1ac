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
        for number, core in enumerate(ring):
            share = (number - turn - 1) % parts if combining else (number - turn + parts - 1) % parts
            following = ring[(number + 1) % parts]
            words = words_of(shares[share].size, bytes)
            if not words:
                continue
            message = made.send(region.places[core], [region.places[following]], words)
            memory = OPERAND if turn == 0 else RESULT
            sender = made.work(core).legs
            before = _latest(sender, receiving=True)
            tasks = TASKS if before >= 0 else 0
            sender.append(
                Leg(
                    words,
                    sends=message,
                    reads=Span(memory, shares[share]),
                    after=before,
                    tasks=tasks,
                    paced=True,
                )
            )
            _take(made, following, message, words, shares[share], fn if combining else "")


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
            after=_latest(legs, receiving=True),
            paced=True,
        )
    )


def _latest(legs: Sequence[Leg], receiving: bool) -> int:
    return max((n for n, leg in enumerate(legs) if (leg.receives >= 0) == receiving), default=-1)
