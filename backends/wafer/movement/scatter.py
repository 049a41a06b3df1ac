"""Reduce-scatter: every part is the end of two chains, one from either side, for its own piece of the tile."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from wsc.backends.wafer.instructions import ReduceScatter
from wsc.backends.wafer.movement.parts import (
    OPERAND,
    RESULT,
    Elements,
    Expansion,
    Leg,
    Region,
    Span,
    numbered,
    words_of,
)
from wsc.backends.wafer.program import Buffer


def reduce_scatter(op: ReduceScatter, region: Region, operand: Buffer, result: Buffer) -> Expansion:
    """Pieces pass the line in both directions, those for the farthest parts first; every core adds its own."""
    made = Expansion()
    taken = pieces(operand, result, op.dim, region.mesh[op.axis].parts)
    for line in region.lines(op.axis):
        _line(made, region, line, taken, operand.type.dtype.bytes, op.fn)
    return made


def pieces(operand: Buffer, result: Buffer, dim: int, parts: int) -> list[tuple[Elements, Elements]]:
    """For each part, the elements of the operand's tile that are its own, and where they go in the result's."""
    whole, own = numbered(operand.tile_type), numbered(result.tile_type)
    tile, extent = result.tile_type.shape[dim], operand.tile_type.shape[dim]
    found = []
    for part in range(parts):
        taken = range(min(part * tile, extent), min((part + 1) * tile, extent))
        found.append(
            (np.take(whole, taken, axis=dim).ravel(), np.take(own, range(len(taken)), axis=dim).ravel())
        )
    return found


def _line(
    made: Expansion,
    region: Region,
    line: Sequence[int],
    taken: Sequence[tuple[Elements, Elements]],
    bytes: int,
    fn: str,
) -> None:
    """One way the farthest pieces go first, the other way the nearest: a core has little to pass both ways at once.

    Where it has, the first way goes before the other, whose pieces then come a little later at every core alike.
    """
    parts = len(line)
    words = [words_of(piece.size, bytes) for piece, _ in taken]
    there = _pass(made, region, line, list(range(parts)), words, nearest=False)
    back = _pass(made, region, line, list(range(parts))[::-1], words, nearest=True)
    for part, core in enumerate(line):
        legs, ends = made.work(core).legs, []
        for steps in (there[part], back[part]):
            latest = -1
            for target, received, sent in steps:
                reads = Span(OPERAND, taken[target][0])
                if target == part:
                    ends.append(len(legs))
                    again = len(ends) == 2  # what came the first way is there before it
                    reads = Span(RESULT, taken[part][1]) if again else reads
                    behind = ends[0] if again else -1
                    writes = Span(RESULT, taken[part][1])
                    legs.append(Leg(words[part], received, -1, reads, writes, fn, latest, behind=behind))
                else:
                    combine = fn if received >= 0 else ""
                    legs.append(Leg(words[target], received, sent, reads, combine=combine, after=latest))
                latest = len(legs) - 1
        if not ends and words[part]:
            legs.append(
                Leg(words[part], reads=Span(OPERAND, taken[part][0]), writes=Span(RESULT, taken[part][1]))
            )


def _pass(
    made: Expansion,
    region: Region,
    line: Sequence[int],
    order: list[int],
    words: Sequence[int],
    nearest: bool,
) -> dict[int, list[tuple[int, int, int]]]:
    """One direction: for each part, in turn, (piece, message that brings it or -1, message that takes it on or -1)."""
    steps: dict[int, list[tuple[int, int, int]]] = {part: [] for part in order}
    targets = [part for part in order[1:] if words[part]]
    for target in targets if nearest else reversed(targets):
        brought = -1
        for here, there in pairwise(order):
            if here == target:
                break
            place, onto = region.places[line[here]], region.places[line[there]]
            onward = made.send(
                place, [onto], words[target], lane=here % 2
            )  # what it receives is on the other
            steps[here].append((target, brought, onward))
            brought = onward
        steps[target].append((target, brought, -1))
    return steps
