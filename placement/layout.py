"""From a slicing tree to rectangles: slots from the top down, shapes, and where in its slot each kernel lies."""

from __future__ import annotations

from wsc.placement.jit import lean_jit
from wsc.placement.tree import (
    ALIGN,
    CUT,
    FREE,
    HEIGHT,
    LEFT,
    PARENT,
    RIGHT,
    ROW,
    STACK,
    WIDTH,
    Scene,
    State,
    X,
    Y,
    ensure,
)


@lean_jit
def lay_out(scene: Scene, state: State) -> None:
    """Slots, sizes and centres of all leaves, for trees that fit their regions (or stick out a little)."""
    for region in range(state.roots.shape[0]):
        root = state.roots[region]
        direction = max(0, state.links[CUT, root])
        ensure(state, root, direction)
        along = state.shape_curves[root, state.live[root], direction, state.cross[region, direction]]
        state.slots[root, X] = scene.regions[region, X]
        state.slots[root, Y] = scene.regions[region, Y]
        state.slots[root, WIDTH] = state.cross[region, STACK] if direction == STACK else along
        state.slots[root, HEIGHT] = along if direction == STACK else state.cross[region, ROW]
        _descend(scene, state, root)


@lean_jit
def _descend(scene: Scene, state: State, root: int) -> None:
    state.stack[0] = root
    top = 1
    while top:
        top -= 1
        node = state.stack[top]
        left = state.links[LEFT, node]
        if left < 0:
            _settle(scene, state, node)
            continue
        right = state.links[RIGHT, node]
        _share(state, node, left, right)
        state.stack[top] = left
        state.stack[top + 1] = right
        top += 2


@lean_jit
def _share(state: State, node: int, left: int, right: int) -> None:
    """Slots of the two parts: tight along the cut, at the lower or the upper end, and all there is across it."""
    cut = state.links[CUT, node]
    ensure(state, left, cut)
    ensure(state, right, cut)
    slot = state.slots[node]
    across, along = (slot[WIDTH], slot[HEIGHT]) if cut == STACK else (slot[HEIGHT], slot[WIDTH])
    first = state.shape_curves[left, state.live[left], cut, across]
    second = state.shape_curves[right, state.live[right], cut, across]
    shift = along - first - second if state.links[ALIGN, node] == 1 else 0
    axis = Y if cut == STACK else X
    for part in (left, right):
        for column in range(4):
            state.slots[part, column] = slot[column]
    state.slots[left, axis] += shift
    state.slots[left, axis + WIDTH] = first
    state.slots[right, axis] += shift + first
    state.slots[right, axis + WIDTH] = second


@lean_jit
def _settle(scene: Scene, state: State, leaf: int) -> None:
    """The shape of a leaf, lowest or narrowest as its parent's cut asks, in the middle of its slot."""
    slot = state.slots[leaf]
    curves = state.shape_curves[leaf, state.live[leaf]]
    parent = state.links[PARENT, leaf]
    if parent >= 0 and state.links[CUT, parent] == ROW:
        width = curves[ROW, slot[HEIGHT]]
        height = curves[STACK, width]
    else:
        height = curves[STACK, slot[WIDTH]]
        width = curves[ROW, height]
    state.sizes[leaf, 0] = width
    state.sizes[leaf, 1] = height
    state.tag[leaf] = state.port[leaf]
    if state.port[leaf] == FREE:
        state.tag[leaf] = scene.tags[state.level[0], scene.kind[leaf], width]
    state.centres[leaf, 0] = 2 * slot[X] + slot[WIDTH]
    state.centres[leaf, 1] = 2 * slot[Y] + slot[HEIGHT]


@lean_jit
def align(scene: Scene, state: State, passes: int) -> None:
    """Moves each leaf within its slot towards the median of its neighbours, forwards and backwards in turn."""
    leaves = scene.kind.shape[0]
    for turn in range(passes):
        for step in range(leaves):
            leaf = step if turn % 2 == 0 else leaves - 1 - step
            for axis in range(2):
                spare = state.slots[leaf, axis + WIDTH] - state.sizes[leaf, axis]
                if spare > 0:
                    _centre(scene, state, leaf, axis, spare)


@lean_jit
def _centre(scene: Scene, state: State, leaf: int, axis: int, spare: int) -> None:
    low = 2 * state.slots[leaf, axis] + state.sizes[leaf, axis]
    best = state.centres[leaf, axis]
    best = low + (min(max(best - low, 0), 2 * spare) // 2) * 2
    first, last = scene.near_at[leaf], scene.near_at[leaf + 1]
    cost = _pull(scene, state, axis, first, last, best)
    for at in range(first, last):
        aim = state.centres[scene.near[at], axis]
        aim = low + (min(max(aim - low, 0), 2 * spare) // 2) * 2
        other = _pull(scene, state, axis, first, last, aim)
        if other < cost:
            cost, best = other, aim
    state.centres[leaf, axis] = best


@lean_jit
def _pull(scene: Scene, state: State, axis: int, first: int, last: int, centre: int) -> int:
    total = 0
    for at in range(first, last):
        total += scene.near_cost[at] * abs(centre - state.centres[scene.near[at], axis])
    return total


@lean_jit
def wire_cost(scene: Scene, state: State) -> int:
    """The weighted length of all nets between the centres."""
    total = 0
    for net in range(scene.nets.shape[0]):
        a, b = scene.nets[net, 0], scene.nets[net, 1]
        apart = abs(state.centres[a, 0] - state.centres[b, 0]) + abs(
            state.centres[a, 1] - state.centres[b, 1]
        )
        total += scene.net_cost[net] * apart
    return total


@lean_jit
def adapters(scene: Scene, state: State) -> int:
    """How many entries of port tuples differ, over all nets."""
    total = 0
    for net in range(scene.nets.shape[0]):
        a, b = state.tag[scene.nets[net, 0]], state.tag[scene.nets[net, 1]]
        if a != b and a >= 0 and b >= 0:
            for entry in range(scene.tuples.shape[1]):
                if scene.tuples[a, entry] != scene.tuples[b, entry]:
                    total += 1
    return total
