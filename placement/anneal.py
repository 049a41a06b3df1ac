"""Simulated annealing of slicing trees: times, wire and adapters at once, in whole numbers, compiled.

Kirkpatrick, Gelatt and Vecchi, "Optimization by simulated annealing", Science 1983. A state that sticks out of its
regions is allowed at a price, so that the search passes through what does not quite fit. All figures are whole, the
logarithms of the acceptance rule from a table: the same seed gives the same walk on any machine.
"""

from __future__ import annotations

import math

import numpy as np

from wsc.placement.jit import lean_jit
from wsc.placement.layout import adapters, align, lay_out, wire_cost
from wsc.placement.moves import UInt64s, change, draw
from wsc.placement.tree import Int64s, Scene, State, overflow, renew_stale, restore

LOSS = 1 << 60  # the cost of what is not worth costing
_STEPS = 1024
LOGARITHMS = np.array(
    [round(-math.log((index + 0.5) / _STEPS) * _STEPS) for index in range(_STEPS)], np.int64
)


@lean_jit
def cost_of(scene: Scene, state: State, limit: int, passes: int, overflow_cost: int) -> int:
    """The cost of the state after renewing its curves, or LOSS as soon as it is known to be above the limit.

    `overflow_cost` is that of a cell by which the trees stick out.
    """
    renew_stale(scene, state)
    over = overflow(scene, state)
    cost = scene.time_cost[state.level[0]] + over * overflow_cost
    if cost > limit or over * 8 > scene.curves.shape[3]:
        return LOSS
    lay_out(scene, state)
    align(scene, state, passes)
    cost += wire_cost(scene, state)
    if scene.adapter_cost > 0 and cost <= limit:
        cost += scene.adapter_cost * adapters(scene, state)
    return int(cost)


@lean_jit
def keep(state: State, other: State) -> None:
    """Copies what makes a state from one to another."""
    for row in range(state.links.shape[0]):
        for node in range(state.links.shape[1]):
            other.links[row, node] = state.links[row, node]
    for region in range(state.roots.shape[0]):
        other.roots[region] = state.roots[region]
        for direction in range(2):
            other.cross[region, direction] = state.cross[region, direction]
    other.level[0] = state.level[0]
    for leaf in range(state.port.shape[0]):
        other.port[leaf] = state.port[leaf]


@lean_jit
def walk(
    scene: Scene,
    state: State,
    old: State,
    best: State,
    costs: Int64s,
    rng: UInt64s,
    temperature: int,
    shares: Int64s,
    steps: int,
    logarithms: Int64s,
    passes: int,
) -> int:
    """So many moves at one temperature; `costs` are those now, of the best that fits, and of a cell that sticks out.

    Returns the moves taken. `shares` are the running sums of how often each kind of move is made; `old` is room for
    the state before a move.
    """
    taken = 0
    keep(state, old)
    costs[0] = cost_of(scene, state, LOSS - 1, passes, costs[2])
    for _ in range(steps):
        lot = draw(rng, shares[shares.shape[0] - 1])
        move = 0
        while shares[move] <= lot:
            move += 1
        limit = costs[0] + ((temperature * logarithms[draw(rng, logarithms.shape[0])]) >> 10)
        if not change(scene, state, rng, move):
            continue
        cost = cost_of(scene, state, limit, passes, costs[2])
        if cost > limit:
            keep(old, state)
            restore(state)
            continue
        taken += 1
        costs[0] = cost
        keep(state, old)
        if cost < costs[1] and overflow(scene, state) == 0:
            costs[1] = cost
            keep(state, best)
    return taken
