"""Cycles of movements whose messages block each other: played word by word on one line of the region."""

from __future__ import annotations

import numpy as np

from wsc.backends.wafer.colors import Family, colors_within, path
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.movement.parts import Expansion, Leg, Span, tile_words
from wsc.backends.wafer.program import Buffer

_WORD = 4  # bytes


def blocked_cycles(machine: Wafer, made: Expansion, operand: Buffer, result: Buffer) -> int:
    """Cycles of what all cores send and receive, one run; without the start of tasks and what stays in a core."""
    from wsc.simulation.wormholes import Network, Worm, cycles_of  # compiled code, which few programs need

    sends, takes = dict[int, Leg](), dict[int, Leg]()
    for work in made.works[0].values():
        for leg in work.legs:
            sends |= {leg.sends: leg} if leg.sends >= 0 else {}
            takes |= {leg.receives: leg} if leg.receives >= 0 else {}
    colors = colors_within(Family("", "", tuple(made.messages), ordered=made.ordered))
    banks, behind = machine.core.memory_banks, tile_words(operand)  # the result lies behind the operand
    worms = [
        Worm(
            tuple(path(message)),
            color,
            _walk(sends[number], sends[number].reads, operand, 0) % banks,
            _walk(takes[number], takes[number].writes, result, behind) % banks,
        )
        for number, (message, color) in enumerate(zip(made.messages, colors, strict=True))
    ]
    fabric = machine.fabric
    pace = machine.core.exchange_cycles_per_word
    return cycles_of(worms, Network(fabric.queue_wavelets, fabric.hop_cycles, fabric.ramp_cycles, pace))


def _walk(leg: Leg, span: Span | None, buffer: Buffer, first: int) -> np.ndarray:
    """The words of memory that a leg walks over, from word `first` on."""
    size = buffer.type.dtype.bytes
    if span is None or span.elements is None:
        return first + np.arange(leg.words)
    if size > _WORD:
        halves = size // _WORD
        return first + (span.elements[:, None] * halves + np.arange(halves)).ravel()
    return first + span.elements[:: _WORD // size] * size // _WORD
