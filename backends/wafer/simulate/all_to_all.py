"""Cycles of an all-to-all along a line, message by message: they wait for their core, for links and for their colour.

Every part sends a piece to the part one further on, modulo their number, then to that two further on, and so on. There
are many times as many messages as colours: those of a direction share a few, each on the one where least goes before
it, and a router passes the messages of a colour in one order (`wsc.backends.wafer.colors`). So a message starts when
its core has sent the one before and when at every router on its way the last of its colour is through; a link passes a
word a cycle; and what waits fills the queues on its way, so that its core can go on. Sent at the pace of an exchange.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from wsc.backends.wafer.machine import Wafer

MOST_PARTS = (
    32  # of a line that is played through; longer ones take as much longer as their busiest links carry more
)
_COLORS = 6  # of a direction: half of what one movement may take


def all_to_all_cycles(machine: Wafer, parts: int, piece: int, shared: int, hop: int) -> int:
    """Cycles until every part has all, without the start of tasks and the last ramps.

    `shared` lines run over every link, and neighbouring parts are `hop` cycles apart.
    """
    pace = machine.core.exchange_cycles_per_word
    queues = machine.fabric.queue_wavelets, machine.fabric.ramp_cycles
    if parts <= MOST_PARTS:
        return _played(parts, piece, pace, shared, hop, queues)
    few = _played(MOST_PARTS, piece, pace, shared, hop, queues)
    return round(few * _on_links(parts, pace / shared) / _on_links(MOST_PARTS, pace / shared))


def _on_links(parts: int, pace: float) -> float:
    """Pieces that pass one after another at the least: a link carries min(k, P - k) in the k-th exchange."""
    return sum(max(pace, min(k, parts - k)) for k in range(1, parts))


@lru_cache(maxsize=256)
def _played(parts: int, piece: int, pace: float, shared: int, hop: int, queues: tuple[int, int]) -> int:
    queue, ramp = queues
    free = np.zeros(parts)  # when a core may send its next message
    carried = np.zeros((2, parts))  # until when each link is in use, by direction
    through = np.zeros((2, _COLORS, parts))  # when the last message of a colour has passed a router
    before = np.zeros((2, _COLORS, parts), np.int64)  # words of a colour at a router so far
    end = 0.0
    for source, target in ((p, (p + k) % parts) for k in range(1, parts) for p in range(parts)):
        way = int(target < source)
        low, high = min(source, target), max(source, target)
        routers, links = slice(low, high + 1), slice(low, high)
        flight = np.abs(np.arange(low, high + 1) - source) * hop
        color = int(before[way, :, routers].max(axis=1).argmin())
        start = max(free[source], float((through[way, color, routers] - flight).max()))
        leaves = np.delete(flight, -1 if target > source else 0)
        carried[way, links] = np.maximum(carried[way, links], start + leaves) + piece * shared
        done = max(start + piece * pace, float((carried[way, links] - leaves).max()))
        room = 2 * (queue + ramp) + queue * (high - low)
        free[source] = max(free[source] + piece * pace, done - room)
        through[way, color, routers] = done + flight
        before[way, color, routers] += piece
        end = max(end, done + (high - low) * hop)
    return round(end)
