"""Reduce-scatter: every part is the end of two chains, one from either side, for its own piece of the tile."""

from __future__ import annotations

from collections.abc import Sequence

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
    parts = len(line)
    there = _pass(made, region, line, list(range(parts)), taken, bytes)
    back = _pass(made, region, line, list(range(parts))[::-1], taken, bytes)
    for part, core in enumerate(line):
        work = made.work(core)
        ends = []
        for steps in (there, back):
            came, end = -1, None
            for target, received, sent in steps[part]:
                words = words_of(taken[target][0].size, bytes)
                reads = Span(OPERAND, taken[target][0])
                if target == part:
                    end = (received, came)
                    continue
                fns = fn if received >= 0 else ""
                work.legs.append(Leg(words, received, sent, reads, combine=fns, after=came))
                came = len(work.legs) - 1
            ends.append(end)
        _finish(work.legs, [e for e in ends if e is not None], taken[part], bytes, fn)


def _pass(
    made: Expansion,
    region: Region,
    line: Sequence[int],
    order: list[int],
    taken: Sequence[tuple[Elements, Elements]],
    bytes: int,
) -> dict[int, list[tuple[int, int, int]]]:
    """One direction: for each part (piece, message that brings it or -1, message that takes it on or -1)."""
    steps: dict[int, list[tuple[int, int, int]]] = {part: [] for part in order}
    for target in reversed(order[1:]):
        words = words_of(taken[target][0].size, bytes)
        if not words:
            continue
        brought = -1
        for here, there in zip(order, order[1:], strict=False):
            if here == target:
                break
            onward = made.send(region.places[line[here]], [region.places[line[there]]], words)
            steps[here].append((target, brought, onward))
            brought = onward
        steps[target].append((target, brought, -1))
    return steps


def _finish(
    legs: list[Leg], ends: list[tuple[int, int]], own: tuple[Elements, Elements], bytes: int, fn: str
) -> None:
    """The part's own piece: its addend, and what came from either side."""
    words = words_of(own[0].size, bytes)
    if not words:
        return
    reads, writes = Span(OPERAND, own[0]), Span(RESULT, own[1])
    if not ends:
        legs.append(Leg(words, reads=reads, writes=writes))
    previous = -1
    for received, after in ends:
        legs.append(Leg(words, received, -1, reads, writes, fn, after, behind=previous))
        previous = len(legs) - 1
        reads = Span(RESULT, own[1])
