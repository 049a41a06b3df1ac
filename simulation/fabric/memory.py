"""Words of a core's memory: which banks they take, and how they are read and written."""

# mypy: disallow-untyped-decorators = False

from __future__ import annotations

import numpy as np

from wsc.simulation.fabric.jit import inlined
from wsc.simulation.fabric.state import PLAIN, Layout, State


@inlined
def memory_use(layout: Layout, state: State, transfer: int) -> int:
    """The banks of the next word, as a mask; words of neighbouring addresses lie in neighbouring banks."""
    moving, mask = state.transfers[transfer], np.int64(0)
    if moving.reads:
        word = np.int64(moving.read_at + moving.progress)
        if moving.reads != PLAIN:
            word = _word(layout, layout.reads[transfer], moving.progress)
        mask |= np.int64(1) << _bank(layout, word)
    if moving.writes:
        word = np.int64(moving.write_at + moving.progress)
        if moving.writes != PLAIN:
            word = _word(layout, layout.writes[transfer], moving.progress)
        mask |= np.int64(1) << _bank(layout, word)
    return mask


@inlined
def _bank(layout: Layout, word: int) -> int:
    if layout.figures[4] >= 0:
        return word & layout.figures[4]
    return np.int64(np.uint32(word) % np.uint32(layout.figures[3]))


@inlined
def _word(layout: Layout, access: np.ndarray, at: int) -> int:
    """The core's word in which word `at` of a walk along a table begins."""
    place = layout.table[access[1] + at * (4 // access[3])]
    return (access[0] + place * access[3]) >> 2


@inlined
def load(layout: Layout, state: State, core: int, transfer: int) -> np.uint32:
    """The next word of what a transfer reads, put together from its units where these are narrow."""
    moving, own = state.transfers[transfer], state.cores[core]
    at, stride = moving.progress, np.int64(own.stride)
    if moving.reads == PLAIN:
        return state.memory32[own.memory + stride * (moving.read_at + at)]
    access = layout.reads[transfer]
    base, table, length, unit = access[0], access[1], access[2], access[3]
    word, lanes = np.uint32(0), 4 // unit
    for lane in range(lanes):
        if at * lanes + lane < length:
            byte = base + layout.table[table + at * lanes + lane] * unit
            place = 4 * (own.memory + stride * (byte >> 2)) + (byte & 3)
            if unit == 4:
                word = state.memory32[place >> 2]
            elif unit == 2:
                word = np.uint32(word | (np.uint32(state.memory16[place >> 1]) << np.uint32(16 * lane)))
            else:
                word = np.uint32(word | (np.uint32(state.memory8[place]) << np.uint32(8 * lane)))
    return np.uint32(word)


@inlined
def store(layout: Layout, state: State, core: int, transfer: int, word: np.uint32) -> None:
    """Put a word where `load` would find it."""
    moving, own = state.transfers[transfer], state.cores[core]
    at, stride = moving.progress, np.int64(own.stride)
    if moving.writes == PLAIN:
        state.memory32[own.memory + stride * (moving.write_at + at)] = word
        return
    access = layout.writes[transfer]
    base, table, length, unit = access[0], access[1], access[2], access[3]
    lanes = 4 // unit
    for lane in range(lanes):
        if at * lanes + lane < length:
            byte = base + layout.table[table + at * lanes + lane] * unit
            place = 4 * (own.memory + stride * (byte >> 2)) + (byte & 3)
            if unit == 4:
                state.memory32[place >> 2] = word
            elif unit == 2:
                part = word >> np.uint32(16 * lane)
                state.memory16[place >> 1] = np.uint16(part & np.uint32(0xFFFF))
            else:
                state.memory8[place] = np.uint8((word >> np.uint32(8 * lane)) & np.uint32(0xFF))
