"""The longest context: positions of state that the memory of a core has room for."""

from __future__ import annotations

from math import floor

from wsc.backends.wafer.program import Buffer
from wsc.backends.wafer.sequential.region import Laid


def longest_context(laid: Laid, room: int) -> int:
    """Positions of state that fit `room` bytes a core, were the rest as it is laid out; 0 without state, or for none.

    The context is the longest dimension of a state. Of several lengths of state, it is the shortest that counts. State
    of fewer than three dimensions, as the matrices and moments of training, is of no position.
    """
    states = [b for b in laid.drafted.buffers if b.role == "state" and b.type.rank > 2]
    if not states:
        return 0
    extent, parts, tile = min(_positions(laid, b) for b in states)
    each = sum(b.bytes for b in states) / tile
    more = floor((room - laid.bytes) / each)
    return extent if more == 0 else max(0, (tile + more) * parts)


def _positions(laid: Laid, state: Buffer) -> tuple[int, int, int]:
    """Extent of the longest dimension of a state, over how many parts it is cut, and its tile."""
    dim = max(range(state.type.rank), key=lambda d: state.type.shape[d])
    parts = 1
    for cut in state.layout.cuts[dim]:
        parts *= laid.drafted.mesh[cut.axis].parts
    return state.type.shape[dim], parts, state.tile_type.shape[dim]
