"""The arrays that a simulation runs on: what stays as it is, and what changes every cycle."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Records = NDArray[np.void]

NEVER = np.int64(1) << 62

# places in `State.clock`
NOW, ROUTING, WAKING, TIMERS, CALLS, FREED, ACTIVE, LEFT, FAULT, FAULT_AT, NEXT, MOVED, DUE = range(13)
# what a run stops for
DONE, CALLING, STUCK, COLLIDED, OVERFLOWED, LIMIT = range(6)

# Records: what is used together lies together, whether it changes or not. Columns would cost a cache line a figure.
# A queue holds wavelets of one colour: at a router's input, or at a core behind the ramp.
QUEUE = np.dtype(
    [
        ("node", "i4"),  # -1 at a core
        ("port", "i4"),
        ("core", "i4"),  # who is woken: by words at a core, by room behind a core; else -1
        ("tile", "i4"),
        ("head", "i4"),
        ("count", "i4"),
        ("room", "i4"),  # at the start of the cycle
        ("link", "i4"),  # tile * 5 + port: where its words leave the router before it
        ("way", "i4"),  # cycles over that link
        ("credits", "?"),
    ],
    align=True,
)
WAVELET = np.dtype(
    [
        ("ready", "i8"),  # from which cycle it may go on
        ("word", "u4"),
        ("last", "?"),  # whether it ends a message
    ],
    align=True,
)
CORE = np.dtype(
    [
        ("until", "i8"),  # it stays awake until this cycle
        ("alarm", "i8"),  # the timer that is set, or NEVER
        ("issue_free", "i8"),
        ("check", "i8"),  # from this cycle on something may end or be issued
        ("memory", "i8"),  # its first byte
        ("tile", "i4"),
        ("group", "i4"),
        ("counters", "i4"),  # its first
        ("running", "i4"),  # instructions under way
        ("active", "i4"),  # transfers under way
        ("woken", "?"),
        ("listens", "?"),  # an instruction waits for a word alone
    ],
    align=True,
)
INSTRUCTION = np.dtype(
    [
        ("time", "i8"),
        ("age", "i8"),
        ("end", "i8"),
        ("done", "i8"),  # the cycle in which it was done, or -1
        ("counts", "i4"),  # counter, through all cores
        ("call", "i4"),
        ("core", "i4"),
        ("left", "i4"),  # transfers that have not ended
        ("background", "?"),
    ],
    align=True,
)
TRANSFER = np.dtype(
    [
        ("start", "i8"),
        ("due", "i8"),  # of its next word, in parts of PACE
        ("progress", "i4"),
        ("words", "i4"),
        ("source", "i4"),  # queue, or -1
        ("target", "i4"),
        ("pace", "i4"),
        ("delay", "i4"),
        ("after", "i4"),  # transfer, or -1
        ("behind", "i4"),
        ("fn", "i1"),
        ("lanes", "i1"),
        ("reads", "?"),
        ("writes", "?"),
        ("background", "?"),
    ],
    align=True,
)


class Layout(NamedTuple):
    """What doesn't change. A *node* is a colour at a router. Transfers and instructions count through all cores."""

    figures: Longs  # ramp, hop, read bytes, write bytes, banks, pace
    node_inputs: Ints  # [node, position]: mask of ports
    node_outputs: Ints  # [node, position, place]: queues, then -1
    node_queues: Ints  # [node, port]: queue, or -1
    node_first: Ints  # of its sequence
    node_length: Ints
    sequence: NDArray[np.int8]
    group_rate: Longs  # words a cycle, in parts of PACE
    line_first: Ints  # [core]: its queues of instructions, one after another
    line_end: Longs  # [line]: behind its last instruction
    wait_first: Ints  # [instruction + 1]
    wait_counter: Ints
    wait_least: Ints
    trigger_first: Ints  # [instruction + 1]
    trigger_queue: Ints
    transfer_first: Ints  # [instruction + 1]
    reads: Longs  # [transfer, (base, table or -1, length, unit)]; base -1 for none
    writes: Longs
    table: Ints


class State(NamedTuple):
    """What changes."""

    clock: Longs
    queues: Records
    wavelets: Records  # [queue, place]
    cores: Records
    instructions: Records
    transfers: Records
    routing: Ints  # queues that hold something
    blocked: Ints  # scratch
    moved: Ints
    freed: Ints
    link: Longs  # [tile * 5 + port]: the cycle in which it was last used
    at: Ints  # of a node: place in its sequence
    open: NDArray[np.int8]  # of a node: port whose message is on its way, or -1
    waking: Ints  # cores to look at
    timer_time: Longs  # heap of cores by cycle
    timer_core: Ints
    call_time: Longs  # heap of instructions whose end the host is told
    call_instruction: Ints
    due_calls: Ints  # instructions that end now, and that the host has to carry out
    line_next: Longs
    running: Ints  # [core, place]: instructions under way
    active: Ints  # [core, place]: transfers under way
    counter: Ints
    budget: Longs  # of a group, in parts of a word
    budget_time: Longs
    tile_seen: Longs  # the last cycle in which a tile did something
    memory8: NDArray[np.uint8]  # of all cores, one after another
    memory16: NDArray[np.uint16]
    memory32: NDArray[np.uint32]
