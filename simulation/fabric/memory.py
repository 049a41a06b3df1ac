"""Words of a core's memory: which banks they take, and how they are read and written."""

# mypy: disallow-untyped-decorators = False

from __future__ import annotations

import numpy as np

from wsc.simulation.fabric.jit import inlined
from wsc.simulation.fabric.state import Layout, State


@inlined
def memory_use(layout: Layout, state: State, transfer: int) -> int:
    """The banks of the next word, as a mask; words of neighbouring addresses lie in neighbouring banks."""
    moving, mask = state.transfers[transfer], np.int64(0)
    if moving.reads:
        mask |= np.int64(1) << _bank(layout, layout.reads[transfer], moving.progress)
    if moving.writes:
        mask |= np.int64(1) << _bank(layout, layout.writes[transfer], moving.progress)
    return mask


@inlined
def _bank(layout: Layout, access: np.ndarray, at: int) -> int:
    word = (access[0] >> 2) + at
    if access[1] >= 0:
        place = layout.table[access[1] + at * (4 // access[3])]
        word = (access[0] + place * access[3]) >> 2
    return np.int64(np.uint32(word) % np.uint32(layout.figures[4]))


@inlined
def load(layout: Layout, state: State, core: int, access: np.ndarray, at: int) -> np.uint32:
    """Word `at` of what an access walks over, put together from its units where these are narrow."""
    base, table, length, unit = state.cores[core].memory + access[0], access[1], access[2], access[3]
    if table < 0:
        return state.memory32[(base >> 2) + at]
    if unit == 4:
        return state.memory32[(base >> 2) + layout.table[table + at]]
    word, lanes = np.uint32(0), 4 // unit
    for lane in range(lanes):
        if at * lanes + lane < length:
            place = layout.table[table + at * lanes + lane]
            if unit == 2:
                part = np.uint32(state.memory16[(base >> 1) + place])
            else:
                part = np.uint32(state.memory8[base + place])
            word = np.uint32(word | (part << np.uint32(8 * unit * lane)))
    return np.uint32(word)


@inlined
def store(layout: Layout, state: State, core: int, access: np.ndarray, at: int, word: np.uint32) -> None:
    """Put word `at` where `load` would find it."""
    base, table, length, unit = state.cores[core].memory + access[0], access[1], access[2], access[3]
    if table < 0:
        state.memory32[(base >> 2) + at] = word
        return
    if unit == 4:
        state.memory32[(base >> 2) + layout.table[table + at]] = word
        return
    lanes = 4 // unit
    for lane in range(lanes):
        if at * lanes + lane < length:
            place = layout.table[table + at * lanes + lane]
            part = word >> np.uint32(8 * unit * lane)
            if unit == 2:
                state.memory16[(base >> 1) + place] = np.uint16(part & np.uint32(0xFFFF))
            else:
                state.memory8[base + place] = np.uint8(part & np.uint32(0xFF))
