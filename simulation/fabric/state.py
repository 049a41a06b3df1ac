"""The arrays that a simulation runs on: what stays as it is, and what changes every cycle."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]

NEVER = np.int64(1) << 62

# places in `State.clock`
NOW, ROUTING, WAKING, TIMERS, CALLS, FREED, ACTIVE, LEFT, FAULT, FAULT_AT, NEXT, MOVED, DUE = range(13)
# what a run stops for
DONE, CALLING, STUCK, COLLIDED, OVERFLOWED, LIMIT = range(6)


class Layout(NamedTuple):
    """What doesn't change. A *queue* holds wavelets of one colour: at a router's input, or at a core behind the ramp.

    A *node* is a colour at a router. Transfers and instructions are numbered through all cores.
    """

    figures: Longs  # ramp, hop, read bytes, write bytes, banks, pace
    queue_node: Ints  # -1 at a core
    queue_port: Ints
    queue_core: Ints  # who is woken: by words at a core, by room behind a core; else -1
    queue_tile: Ints
    queue_credits: NDArray[np.bool_]
    node_inputs: Ints  # [node, position]: mask of ports
    node_outputs: Ints  # [node, position, port]: queue, or -1
    node_queues: Ints  # [node, port]: queue, or -1
    node_first: Ints  # of its sequence
    node_length: Ints
    node_tile: Ints
    sequence: NDArray[np.int8]
    core_tile: Ints
    core_group: Ints
    memory_first: Longs  # [core]: its first byte
    group_rate: Longs  # words a cycle, in parts of PACE
    line_first: Ints  # [core]: its queues of instructions, one after another
    line_end: Longs  # [line]: behind its last instruction
    counter_first: Ints  # [core]
    instruction_counts: Ints  # counter, through all cores
    instruction_time: Longs
    instruction_age: Longs
    instruction_call: Ints
    instruction_background: NDArray[np.bool_]
    instruction_core: Ints
    wait_first: Ints  # [instruction + 1]
    wait_counter: Ints
    wait_least: Ints
    trigger_first: Ints  # [instruction + 1]
    trigger_queue: Ints
    transfer_first: Ints  # [instruction + 1]
    transfer_background: NDArray[np.bool_]
    words: Ints
    source: Ints  # queue, or -1
    target: Ints
    fn: NDArray[np.int8]
    lanes: NDArray[np.int8]
    pace: Ints
    delay: Ints
    after: Ints  # transfer, or -1
    behind: Ints
    reads: Longs  # [transfer, (base, table or -1, length, unit)]; base -1 for none
    writes: Longs
    table: Ints


class State(NamedTuple):
    """What changes."""

    clock: Longs
    head: Ints  # of a queue
    count: Ints  # type: ignore[assignment] # a tuple has a method of this name, which nobody uses
    room: Ints  # of a queue at the start of the cycle
    word: NDArray[np.uint32]  # [queue, place]
    last: NDArray[np.bool_]  # whether it ends a message
    ready: Longs  # from which cycle it may go on
    routing: Ints  # queues that hold something
    blocked: Ints  # scratch
    moved: Ints
    freed: Ints
    link: Longs  # [tile * 5 + port]: the cycle in which it was last used
    at: Ints  # of a node: place in its sequence
    open: NDArray[np.int8]  # of a node: port whose message is on its way, or -1
    waking: Ints  # cores to look at
    woken: NDArray[np.bool_]
    until: Longs  # a core stays awake until this cycle
    alarm: Longs  # of a core: the timer that is set, or NEVER
    timer_time: Longs  # heap of cores by cycle
    timer_core: Ints
    call_time: Longs  # heap of instructions whose end the host is told
    call_instruction: Ints
    due_calls: Ints  # instructions that end now, and that the host has to carry out
    line_next: Longs
    issue_free: Longs
    running: Ints  # [core, place]: instructions under way
    running_count: Ints
    active: Ints  # [core, place]: transfers under way
    active_count: Ints
    counter: Ints
    instruction_left: Ints  # transfers that have not ended
    instruction_end: Longs
    instruction_done: Longs  # the cycle in which it was done, or -1
    progress: Ints
    start: Longs  # of a transfer
    due: Longs  # of a transfer's next word, in parts of PACE
    budget: Longs  # of a group, in parts of a word
    budget_time: Longs
    tile_seen: Longs  # the last cycle in which a tile did something
    memory8: NDArray[np.uint8]  # of all cores, one after another
    memory16: NDArray[np.uint16]
    memory32: NDArray[np.uint32]
