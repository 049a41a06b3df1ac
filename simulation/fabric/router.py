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
    places = state.word.shape[1]
    if state.room[queue] <= 0:
        state.clock[FAULT] = OVERFLOWED
        state.clock[FAULT_AT] = queue
        return
    place = (state.head[queue] + state.count[queue]) % places
    state.word[queue, place] = word
    state.last[queue, place] = last
    state.ready[queue, place] = ready
    state.count[queue] += 1
    state.room[queue] -= 1
    if layout.queue_node[queue] < 0:
        core = layout.queue_core[queue]
        state.until[core] = max(state.until[core], ready)
        wake(state, core)
    elif state.count[queue] == 1:  # one that held some is in the list already
        state.routing[state.clock[ROUTING]] = queue
        state.clock[ROUTING] += 1


@inlined
def pop(state: State, queue: int) -> None:
    """Take the first wavelet; others see the room from the next cycle on."""
    state.head[queue] = (state.head[queue] + 1) % state.word.shape[1]
    state.count[queue] -= 1
    state.freed[state.clock[FREED]] = queue
    state.clock[FREED] += 1


@inlined
def wake(state: State, core: int) -> None:
    """Look at a core in the cores' next turn."""
    if not state.woken[core]:
        state.woken[core] = True
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
        queue = state.freed[i]
        state.room[queue] += 1
        if layout.queue_port[queue] == RAMP and layout.queue_core[queue] >= 0:
            wake(state, layout.queue_core[queue])
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
        seen(state, layout.queue_tile[queue])
        ready = state.ready[queue, state.head[queue]]
        coming = ready > state.clock[NOW]  # it has not waited yet
        if coming:
            state.clock[NEXT] = min(state.clock[NEXT], ready)
        if coming or _pass_on(layout, state, queue):
            if state.count[queue]:
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
    now, head = state.clock[NOW], state.head[queue]
    node, port = layout.queue_node[queue], layout.queue_port[queue]
    position = layout.sequence[layout.node_first[node] + state.at[node]]
    inputs = layout.node_inputs[node, position]
    if not (inputs >> port) & 1:
        return False
    if inputs != 1 << port and _collides(layout, state, node, inputs, port):
        state.clock[FAULT] = COLLIDED
        state.clock[FAULT_AT] = node
        return False
    tile = layout.node_tile[node]
    for out in range(5):
        target = layout.node_outputs[node, position, out]
        if target >= 0 and (
            state.link[tile * 5 + out] == now or (state.room[target] <= 0 and layout.queue_credits[target])
        ):
            return False
    word, last = state.word[queue, head], state.last[queue, head]
    pop(state, queue)
    for out in range(5):
        target = layout.node_outputs[node, position, out]
        if target >= 0:
            state.link[tile * 5 + out] = now
            way = layout.figures[0] if out == RAMP else layout.figures[1]
            push(layout, state, target, word, last, now + way)
    state.open[node] = -1 if last else port
    if last:
        state.at[node] = (state.at[node] + 1) % layout.node_length[node]
    state.clock[MOVED] += 1
    return True


@inlined
def _collides(layout: Layout, state: State, node: int, inputs: int, port: int) -> bool:
    """Whether a wavelet meets another of its colour: one that is there too, or a message that has not ended."""
    if state.open[node] >= 0 and state.open[node] != port:
        return True
    for other in range(5):
        queue = layout.node_queues[node, other]
        if other == port or not (inputs >> other) & 1 or not state.count[queue]:
            continue
        if state.ready[queue, state.head[queue]] <= state.clock[NOW]:
            return True
    return False
