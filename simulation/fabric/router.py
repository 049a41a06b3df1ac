"""One cycle of the routers: every queue that holds a wavelet tries to pass its first one on."""

# mypy: disallow-untyped-decorators = False

from __future__ import annotations

import numpy as np

from wsc.simulation.fabric.jit import inlined
from wsc.simulation.fabric.parts import RAMP
from wsc.simulation.fabric.prefetch import prefetch
from wsc.simulation.fabric.state import (
    ACTIVE,
    AHEAD,
    BLOCKED,
    COLLIDED,
    FAULT,
    FAULT_AT,
    FREED,
    MOVED,
    NEW,
    NEXT,
    NO_CREDITS,
    NOW,
    OVERFLOWED,
    PASSED,
    PORT,
    PORT_BITS,
    TURN,
    WAKING,
    Layout,
    State,
)


@inlined
def is_full(state: State, queue: int, now: int) -> bool:
    """Whether a queue has no room in this cycle; that of a word which has just left it is seen from the next on."""
    own = state.queues[queue]
    return own.count + (own.popped == now) >= own.capacity


@inlined
def must_wait(state: State, queue: int, now: int) -> bool:
    """Whether a wavelet for a queue has to wait for room."""
    return is_full(state, queue, now) and not state.queues[queue].place & NO_CREDITS


@inlined
def push(layout: Layout, state: State, queue: int, word: np.uint32, last: int, ready: int) -> None:
    """Put a wavelet into a queue; it may go on from cycle `ready`. Notes an overflow where there is no room."""
    own = state.queues[queue]
    if is_full(state, queue, state.clock[NOW]):
        state.clock[FAULT] = OVERFLOWED
        state.clock[FAULT_AT] = queue
        return
    places = layout.figures[5]
    put = state.wavelets[queue * places + ((own.head + own.count) & (places - 1))]
    put.word = word
    put.when = np.uint32(2 * ready + last)
    own.count += 1
    if own.node < 0:
        core = own.core
        state.cores[core].until = max(state.cores[core].until, ready)
        wake(state, core)
    elif own.count == 1:  # one that held some is in a list already
        turn = 1 - state.clock[TURN]
        state.routing[turn, NEW, state.listed[turn, NEW]] = queue
        state.listed[turn, NEW] += 1


@inlined
def pop(layout: Layout, state: State, queue: int) -> None:
    """Take the first wavelet; others see the room from the next cycle on."""
    own = state.queues[queue]
    own.head = (own.head + 1) & (layout.figures[5] - 1)
    own.count -= 1
    own.popped = state.clock[NOW]
    if own.core >= 0 and own.node >= 0:  # a core may wait for the room
        state.freed[state.clock[FREED]] = queue
        state.clock[FREED] += 1


@inlined
def first_at(layout: Layout, state: State, queue: int) -> int:
    """Where the first wavelet of a queue lies."""
    return queue * layout.figures[5] + state.queues[queue].head


@inlined
def has_word(layout: Layout, state: State, queue: int, now: int) -> bool:
    """Whether a wavelet may be taken from a queue in this cycle."""
    own = state.queues[queue]
    return (
        own.count > 0 and np.int64(state.wavelets[first_at(layout, state, queue)].when >> np.uint32(1)) <= now
    )


@inlined
def wake(state: State, core: int) -> None:
    """Look at a core in the cores' next turn."""
    if not state.cores[core].woken:
        state.cores[core].woken = True
        state.waking[state.clock[WAKING]] = core
        state.clock[WAKING] += 1


@inlined
def seen(state: State, tile: int) -> None:
    """Count a tile that does something in this cycle, once."""
    if state.tile_seen[tile] != state.clock[NOW]:
        state.tile_seen[tile] = state.clock[NOW]
        state.clock[ACTIVE] += 1


@inlined
def release(state: State) -> None:
    """Wake the cores that may send again, since a word left their queue in this cycle."""
    for i in range(state.clock[FREED]):
        wake(state, state.queues[state.freed[i]].core)
    state.clock[FREED] = 0


@inlined
def step_routers(layout: Layout, state: State) -> None:
    """Pass on at most one wavelet a queue and a link. Those that had to wait go before the others next time."""
    now, turn = state.clock[NOW], state.clock[TURN]
    blocked, passed, moved, soonest = 0, 0, 0, state.clock[NEXT]
    for part in range(3):
        for i in range(state.listed[turn, part]):
            later = state.routing[turn, part, i + 2 * AHEAD]
            prefetch(state.queues, later)
            later = state.routing[turn, part, i + AHEAD]
            prefetch(state.wavelets, later * layout.figures[5])
            prefetch(state.queues, np.int64(state.queues[later].onward))
            queue = state.routing[turn, part, i]
            own = state.queues[queue]
            seen(state, own.place >> PORT_BITS)
            first = state.wavelets[first_at(layout, state, queue)]
            ready = np.int64(first.when >> np.uint32(1))
            if ready > now:  # it has not waited yet
                soonest = min(soonest, ready)
            else:
                onward = own.onward
                if onward < 0:
                    goes = _pass_on(layout, state, queue)
                else:
                    link = state.queues[onward].link
                    goes = state.link[link] != now and not must_wait(state, onward, now)
                    if goes:
                        state.link[link] = now
                        word, last = first.word, first.when & np.uint32(1)
                        pop(layout, state, queue)
                        push(layout, state, onward, word, last, now + state.queues[onward].way)
                if not goes:
                    state.routing[1 - turn, BLOCKED, blocked] = queue
                    blocked += 1
                    continue
                moved += 1
            if own.count:
                state.routing[1 - turn, PASSED, passed] = queue
                passed += 1
    state.listed[1 - turn, BLOCKED] = blocked
    state.listed[1 - turn, PASSED] = passed
    for part in range(3):
        state.listed[turn, part] = 0
    state.clock[NEXT] = soonest
    state.clock[MOVED] += moved


@inlined
def _pass_on(layout: Layout, state: State, queue: int) -> bool:
    """Pass the first wavelet of a queue to all outputs of its node's position, if all can take it now."""
    own = state.queues[queue]
    now = state.clock[NOW]
    node, port = own.node, own.place & PORT
    position = layout.sequence[layout.node_first[node] + state.at[node]]
    inputs = layout.node_inputs[node, position]
    if not (inputs >> port) & 1:
        return False
    if inputs != 1 << port and _collides(layout, state, node, inputs, port):
        state.clock[FAULT] = COLLIDED
        state.clock[FAULT_AT] = node
        return False
    for i in range(layout.node_outputs.shape[2]):
        target = layout.node_outputs[node, position, i]
        if target < 0:
            break
        if state.link[state.queues[target].link] == now or must_wait(state, target, now):
            return False
    first = state.wavelets[first_at(layout, state, queue)]
    word, last = first.word, np.int64(first.when & np.uint32(1))
    pop(layout, state, queue)
    for i in range(layout.node_outputs.shape[2]):
        target = layout.node_outputs[node, position, i]
        if target < 0:
            break
        to = state.queues[target]
        state.link[to.link] = now
        push(layout, state, target, word, last, now + to.way)
    state.open[node] = -1 if last else port
    if last:
        state.at[node] = state.at[node] + 1 if state.at[node] + 1 < layout.node_length[node] else 0
    return True


@inlined
def _collides(layout: Layout, state: State, node: int, inputs: int, port: int) -> bool:
    """Whether a wavelet meets another of its colour: one that is there too, or a message that has not ended."""
    if state.open[node] >= 0 and state.open[node] != port:
        return True
    for other in range(RAMP + 1):
        queue = layout.node_queues[node, other]
        if other == port or not (inputs >> other) & 1:
            continue
        if has_word(layout, state, queue, state.clock[NOW]):
            return True
    return False
