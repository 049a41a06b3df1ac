"""Slicing trees whose leaves keep all their shapes: evaluation in whole numbers, compiled.

A slicing floorplan is one rectangle, or two slicing floorplans stacked or side by side (Otten, "Automatic floorplan
design", DAC 1982). The shape curve of a node, the least height for every width, follows from those of its parts
(Stockmeyer, "Optimal orientations of cells in slicing floorplan designs", 1983): stacked parts add heights at equal
widths, parts side by side add widths at equal heights. Curves are dense arrays, so that adding is one vector
operation; each node keeps the direction it was added in and makes the other one, its inverse, when a parent asks.

Nodes 0..n-1 are the leaves, one for each kernel, and n..2n-2 the cuts. Each region of the fabric has a root.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wsc.placement.jit import lean_jit

Int16s = NDArray[np.int16]
Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]

NONE = 15_000  # no box of that side will do; two of them add up within 16 bits
STACK, ROW = 0, 1
LEFT, RIGHT, PARENT, CUT, ALIGN = range(5)  # rows of State.links
X, Y, WIDTH, HEIGHT = range(4)  # columns of boxes
FREE = -1  # a leaf that may take any of its shapes


class Scene(NamedTuple):
    """What does not change while trees are searched. A level is a limit on the slowest time.

    `curves[level, kind, STACK]` gives the least height by width, `[..., ROW]` the least width by height; `tags` the
    port tuple of the shape by width. Rows `port_at[level * kinds + kind]` and on of `ports` are (tag, width, height).
    Leaves move within
    their zone alone. Lengths are in half cells, costs in the problem's smallest unit.
    """

    curves: Int16s
    tags: Int32s
    kind: Int32s
    time_cost: Int64s
    near_at: Int32s
    near: Int32s
    near_cost: Int64s
    nets: Int32s
    net_cost: Int64s
    regions: Int32s
    port_at: Int32s
    ports: Int32s
    tuples: Int32s
    adapter_cost: int
    zone: Int32s


class State(NamedTuple):
    """A forest of slicing trees, one for each region, and what follows from it.

    `cross[r, cut]` is the side of region r's box across its root's cut, `level[0]` the limit in force, `port` the port
    tuple of each leaf or FREE. `shape_curves[node, side]` are two versions of the node's curves, `side` told by
    `live`; `known[node, side, direction]` says which directions were made.
    """

    links: Int32s
    roots: Int32s
    cross: Int32s
    level: Int64s
    port: Int32s
    shape_curves: Int16s
    live: NDArray[np.int8]
    known: NDArray[np.bool_]
    touched: Int32s
    stale: NDArray[np.bool_]
    slots: Int32s
    sizes: Int32s
    centres: Int32s
    tag: Int32s
    stack: Int32s


def blank_state(scene: Scene) -> State:
    """Room for a state of the scene; links, roots and the rest are the caller's to fill."""
    leaves, regions = len(scene.kind), len(scene.regions)
    nodes, side = 2 * leaves - 1, scene.curves.shape[3]
    return State(
        links=np.full((5, nodes), -1, np.int32),
        roots=np.full(regions, -1, np.int32),
        cross=np.zeros((regions, 2), np.int32),
        level=np.zeros(1, np.int64),
        port=np.full(leaves, FREE, np.int32),
        shape_curves=np.full((nodes, 2, 2, side), NONE, np.int16),
        live=np.zeros(nodes, np.int8),
        known=np.zeros((nodes, 2, 2), np.bool_),
        touched=np.zeros(nodes + 1, np.int32),
        stale=np.ones(nodes, np.bool_),
        slots=np.zeros((nodes, 4), np.int32),
        sizes=np.zeros((leaves, 2), np.int32),
        centres=np.zeros((leaves, 2), np.int32),
        tag=np.full(leaves, FREE, np.int32),
        stack=np.zeros(2 * nodes + 2, np.int32),
    )


@lean_jit
def add_curves(first: Int16s, second: Int16s, out: Int16s) -> None:
    """The curve of two parts along the direction in which their sides add up."""
    for index in range(out.shape[0]):
        total = first[index] + second[index]
        out[index] = total if total < NONE else NONE


@lean_jit
def invert(curve: Int16s, out: Int16s) -> None:
    """For each value the least index at which the falling curve is no more than it; NONE where there is none."""
    last = out.shape[0]
    for index in range(curve.shape[0]):
        value = curve[index]
        if value < last:
            for at in range(value, last):
                out[at] = index
            last = value
    for at in range(last):
        out[at] = NONE


@lean_jit
def ensure(state: State, node: int, direction: int) -> None:
    """Makes a node's curve in a direction from its curve in the other."""
    side = state.live[node]
    if not state.known[node, side, direction]:
        invert(state.shape_curves[node, side, 1 - direction], state.shape_curves[node, side, direction])
        state.known[node, side, direction] = True


@lean_jit
def _renew_leaf(scene: Scene, state: State, leaf: int, side: int) -> None:
    curves = state.shape_curves[leaf, side]
    level, kind = state.level[0], scene.kind[leaf]
    if state.port[leaf] == FREE:
        for direction in range(2):
            for at_side in range(curves.shape[1]):
                curves[direction, at_side] = scene.curves[level, kind, direction, at_side]
    else:
        curves[:] = NONE
        row = level * scene.curves.shape[1] + kind
        for at in range(scene.port_at[row], scene.port_at[row + 1]):
            if scene.ports[at, 0] == state.port[leaf]:
                width, height = scene.ports[at, 1], scene.ports[at, 2]
                for at_side in range(width, curves.shape[1]):
                    curves[STACK, at_side] = min(curves[STACK, at_side], height)
                for at_side in range(height, curves.shape[1]):
                    curves[ROW, at_side] = min(curves[ROW, at_side], width)
    state.known[leaf, side, :] = True


@lean_jit
def renew(scene: Scene, state: State, node: int) -> None:
    """Makes the curves of one node anew beside the old ones, which stay for `restore`."""
    side = 1 - state.live[node]
    left = state.links[LEFT, node]
    if left < 0:
        _renew_leaf(scene, state, node, side)
    else:
        right, cut = state.links[RIGHT, node], state.links[CUT, node]
        ensure(state, left, cut)
        ensure(state, right, cut)
        add_curves(
            state.shape_curves[left, state.live[left], cut],
            state.shape_curves[right, state.live[right], cut],
            state.shape_curves[node, side, cut],
        )
        state.known[node, side, cut] = True
        state.known[node, side, 1 - cut] = False
    state.live[node] = side
    state.stale[node] = False
    count = state.touched[0] + 1
    state.touched[0] = count
    state.touched[count] = node


@lean_jit
def mark(state: State, node: int) -> None:
    """A node's curves, and those of all above it, are out of date."""
    while node >= 0 and not state.stale[node]:
        state.stale[node] = True
        node = state.links[PARENT, node]


@lean_jit
def mark_all(state: State) -> None:
    """Every curve is out of date."""
    state.stale[:] = True


@lean_jit
def renew_stale(scene: Scene, state: State) -> None:
    """Makes all curves that are out of date, parts before wholes."""
    state.touched[0] = 0
    for root in state.roots:
        if not state.stale[root]:
            continue
        state.stack[0] = root
        top = 1
        while top:
            node = state.stack[top - 1]
            left, right = state.links[LEFT, node], state.links[RIGHT, node]
            if left >= 0 and state.stale[left]:
                state.stack[top] = left
                top += 1
            elif right >= 0 and state.stale[right]:
                state.stack[top] = right
                top += 1
            else:
                renew(scene, state, node)
                top -= 1


@lean_jit
def restore(state: State) -> None:
    """Takes back the curves that the last `renew_stale` made."""
    for at in range(1, state.touched[0] + 1):
        node = state.touched[at]
        state.live[node] = 1 - state.live[node]
        state.stale[node] = False
    state.touched[0] = 0


@lean_jit
def overflow(scene: Scene, state: State) -> int:
    """By how many cells the trees stick out of their regions, all told; 0 where they fit."""
    total = 0
    for region in range(state.roots.shape[0]):
        root = state.roots[region]
        direction = max(0, state.links[CUT, root])
        ensure(state, root, direction)
        need = state.shape_curves[root, state.live[root], direction, state.cross[region, direction]]
        room = scene.regions[region, HEIGHT if direction == STACK else WIDTH]
        if need > room:
            total += need - room
    return total
