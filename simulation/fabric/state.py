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
NOW, WAKING, TIMERS, CALLS, FREED, ACTIVE, LEFT, FAULT, FAULT_AT, NEXT, MOVED, DUE, TURN, FRESH = range(14)
# what a run stops for
DONE, CALLING, STUCK, COLLIDED, OVERFLOWED, LIMIT = range(6)
# lists of queues that hold something: those that had to wait, those that passed one on, those that were empty
BLOCKED, PASSED, NEW = range(3)
PORT_BITS, NO_CREDITS, PORT = 4, 8, 7  # of `place`
MOST_CYCLES = (1 << 31) - 1  # cycles count in 31 bits where wavelets wait
AHEAD = 5  # how many turns before its own something is asked for
PLAIN, TABLE = 1, 2  # how a transfer walks over memory: word after word, or as a table says

# Records: what is used together lies together, whether it changes or not. Columns would cost a cache line a figure.
# A queue holds wavelets of one colour: at a router's input, or at a core behind the ramp. Half a cache line.
QUEUE = np.dtype(
    [
        ("core", "i4"),  # who is woken: by words at a core, by room behind a core; else -1
        ("place", "i4"),  # tile << 4, 8 where nothing waits for room, and the port
        ("link", "i4"),  # tile * 5 + port: where its words leave the router before it
        ("onward", "i4"),  # the queue that all its words go to; -1 where its node says where
        ("node", "i4"),  # -1 at a core
        ("popped", "i4"),  # the cycle in which a word last left it: others see that room from the next on
        ("head", "i2"),
        ("count", "i2"),
        ("capacity", "i2"),
        ("way", "i2"),  # cycles over that link
    ],
    align=True,
)
WAVELET = np.dtype(
    [
        ("word", "u4"),
        ("when", "u4"),  # twice the cycle from which it may go on, and 1 where it ends a message
    ],
    align=True,
)
CORE = np.dtype(
    [
        ("until", "i8"),  # it stays awake until this cycle
        ("alarm", "i8"),  # the timer that is set, or NEVER
        ("issue_free", "i8"),
        ("check", "i8"),  # from this cycle on something may end or be issued
        ("memory", "i8"),  # its first word
        ("tile", "i4"),
        ("group", "i4"),
        ("counters", "i4"),  # its first
        ("stride", "i4"),  # from a word of its memory to the next
        ("running", "i2"),  # instructions under way
        ("active", "i2"),  # transfers under way
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
TRANSFER = np.dtype(  # a cache line
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
        ("read_at", "i4"),  # the core's word that it begins with, where it walks word after word
        ("write_at", "i4"),
        ("fn", "i1"),
        ("lanes", "i1"),
        ("reads", "i1"),  # PLAIN, TABLE or 0
        ("writes", "i1"),
        ("whole", "?"),  # the one that it is behind ends first
        ("background", "?"),
    ],
    align=True,
)


class Layout(NamedTuple):
    """What doesn't change. A *node* is a colour at a router. Transfers and instructions count through all cores."""

    figures: (
        Longs  # ramp, read bytes, write bytes, banks, banks - 1 if a power of two else -1, places of a queue,
        # and of a core's transfers under way
    )
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
    wavelets: Records  # queue after queue
    cores: Records
    instructions: Records
    transfers: Records
    routing: Ints  # [turn, list, place]: queues of this cycle, and of the next
    listed: Longs  # [turn, list]: how many
    freed: Ints  # queues behind a core that have room again
    link: Ints  # [tile * 5 + port]: the cycle in which it was last used
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
    active: Ints  # core after core: transfers under way
    counter: Ints
    budget: Longs  # of a group, in parts of a word
    budget_time: Longs
    tile_seen: Ints  # the last cycle in which a tile did something
    memory8: NDArray[np.uint8]  # of all cores, block after block
    memory16: NDArray[np.uint16]
    memory32: NDArray[np.uint32]
