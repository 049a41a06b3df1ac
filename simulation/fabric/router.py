"""One cycle of the routers: every queue that holds a wavelet tries to pass its first one on."""

# mypy: disallow-untyped-decorators = False

from __future__ import annotations

import numpy as np

from wsc.simulation.fabric.jit import inlined
from wsc.simulation.fabric.parts import RAMP
from wsc.simulation.fabric.state import (
    ACTIVE,
    COLLIDED,
    FAULT,
    FAULT_AT,
    FREED,
    MOVED,
    NEXT,
    NOW,
    OVERFLOWED,
    ROUTING,
    WAKING,
    Layout,
    State,
)


@inlined
def push(layout: Layout, state: State, queue: int, word: np.uint32, last: bool, ready: int) -> None:
    """Put a wavelet into a queue; it may go on from cycle `ready`. Notes an overflow where there is no room."""
    own = state.queues[queue]
    places = state.wavelets.shape[1]
    if own.room <= 0:
        state.clock[FAULT] = OVERFLOWED
        state.clock[FAULT_AT] = queue
        return
    place = own.head + own.count
    place = place - places if place >= places else place
    put = state.wavelets[queue, place]
    put.word = word
    put.last = last
    put.ready = ready
    own.count += 1
    own.room -= 1
    if own.node < 0:
        core = own.core
        state.cores[core].until = max(state.cores[core].until, ready)
        wake(state, core)
    elif own.count == 1:  # one that held some is in the list already
        state.routing[state.clock[ROUTING]] = queue
        state.clock[ROUTING] += 1


@inlined
def pop(state: State, queue: int) -> None:
    """Take the first wavelet; others see the room from the next cycle on."""
    own = state.queues[queue]
    own.head = own.head + 1 if own.head + 1 < state.wavelets.shape[1] else 0
    own.count -= 1
    state.freed[state.clock[FREED]] = queue
    state.clock[FREED] += 1


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
def release(layout: Layout, state: State) -> None:
    """Give back the room of what was taken in this cycle."""
    for i in range(state.clock[FREED]):
        own = state.queues[state.freed[i]]
        own.room += 1
        if own.port == RAMP and own.core >= 0:
            wake(state, own.core)
    state.clock[FREED] = 0


@inlined
def step_routers(layout: Layout, state: State) -> None:
    """Pass on at most one wavelet a queue and a link. Those that had to wait go before the others next time."""
    count = state.clock[ROUTING]
    blocked, moved = 0, 0
    state.clock[ROUTING] = 0
    for i in range(count):
        state.blocked[i] = state.routing[i]
    for i in range(count):
        queue = state.blocked[i]
        own = state.queues[queue]
        seen(state, own.tile)
        ready = state.wavelets[queue, own.head].ready
        coming = ready > state.clock[NOW]  # it has not waited yet
        if coming:
            state.clock[NEXT] = min(state.clock[NEXT], ready)
        if coming or _pass_on(layout, state, queue):
            if own.count:
                state.moved[moved] = queue
                moved += 1
        else:
            state.blocked[blocked] = queue
            blocked += 1
    _order(state, blocked, moved)


@inlined
def _order(state: State, blocked: int, moved: int) -> None:
    """Whoever waited first, then who moved on, then who is new."""
    fresh = state.clock[ROUTING]
    for i in range(fresh - 1, -1, -1):
        state.routing[i + blocked + moved] = state.routing[i]
    for i in range(blocked):
        state.routing[i] = state.blocked[i]
    for i in range(moved):
        state.routing[blocked + i] = state.moved[i]
    state.clock[ROUTING] = blocked + moved + fresh


@inlined
def _pass_on(layout: Layout, state: State, queue: int) -> bool:
    """Pass the first wavelet of a queue to all outputs of its node's position, if all can take it now."""
    own = state.queues[queue]
    now, head = state.clock[NOW], own.head
    node, port = own.node, own.port
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
        to = state.queues[target]
        if state.link[to.link] == now or (to.room <= 0 and to.credits):
            return False
    word, last = state.wavelets[queue, head].word, state.wavelets[queue, head].last
    pop(state, queue)
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
    state.clock[MOVED] += 1
    return True


@inlined
def _collides(layout: Layout, state: State, node: int, inputs: int, port: int) -> bool:
    """Whether a wavelet meets another of its colour: one that is there too, or a message that has not ended."""
    if state.open[node] >= 0 and state.open[node] != port:
        return True
    for other in range(5):
        queue = layout.node_queues[node, other]
        if other == port or not (inputs >> other) & 1:
            continue
        own = state.queues[queue]
        if own.count and state.wavelets[queue, own.head].ready <= state.clock[NOW]:
            return True
    return False
