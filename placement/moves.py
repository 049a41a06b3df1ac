"""What the annealing changes in a forest of slicing trees, compiled. Every move leaves a forest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wsc.placement.jit import lean_jit
from wsc.placement.tree import (
    ALIGN,
    CUT,
    FREE,
    HEIGHT,
    LEFT,
    PARENT,
    RIGHT,
    STACK,
    WIDTH,
    Scene,
    State,
    mark,
    mark_all,
)

UInt64s = NDArray[np.uint64]

SWAP_LEAVES, SWAP_TREES, TURN, SWAP_PARTS, GRAFT, ALIGNMENT, ROTATE, LEVEL, CROSS, PORT, MIRROR, TURN_TREE = (
    range(12)
)


@lean_jit
def draw(rng: UInt64s, below: int) -> int:
    """A whole number from 0 to below - 1 (Marsaglia, "Xorshift RNGs", 2003)."""
    word = rng[0]
    word ^= word << np.uint64(13)
    word ^= word >> np.uint64(7)
    word ^= word << np.uint64(17)
    rng[0] = word
    return int(np.int64(word >> np.uint64(33)) % below)


@lean_jit
def _above(state: State, node: int, other: int) -> bool:
    """Whether the node is the other one or lies above it."""
    while other >= 0:
        if other == node:
            return True
        other = state.links[PARENT, other]
    return False


@lean_jit
def _replace(state: State, parent: int, old: int, new: int) -> None:
    if state.links[LEFT, parent] == old:
        state.links[LEFT, parent] = new
    else:
        state.links[RIGHT, parent] = new
    state.links[PARENT, new] = parent


@lean_jit
def swap_nodes(state: State, first: int, second: int) -> bool:
    """Two subtrees, neither within the other nor a root, change places."""
    a, b = state.links[PARENT, first], state.links[PARENT, second]
    if a < 0 or b < 0 or _above(state, first, second) or _above(state, second, first):
        return False
    if a == b:
        left = state.links[LEFT, a]
        state.links[LEFT, a] = state.links[RIGHT, a]
        state.links[RIGHT, a] = left
    else:
        _replace(state, a, first, second)
        _replace(state, b, second, first)
    mark(state, a)
    mark(state, b)
    return True


@lean_jit
def graft(state: State, node: int, target: int, cut: int, before: int) -> bool:
    """The node leaves its parent, which goes to join it with the target instead."""
    parent = state.links[PARENT, node]
    if parent < 0 or target == parent or _above(state, node, target):
        return False
    sibling = state.links[LEFT, parent] + state.links[RIGHT, parent] - node
    if sibling == target:
        return False
    _put_in_place(state, parent, sibling)
    _put_in_place(state, target, parent)
    state.links[LEFT, parent] = node if before else target
    state.links[RIGHT, parent] = target if before else node
    state.links[PARENT, target] = parent
    state.links[CUT, parent] = cut
    mark(state, parent)
    return True


@lean_jit
def _put_in_place(state: State, old: int, new: int) -> None:
    """`new` hangs where `old` hung, be it from a parent or as a root."""
    above = state.links[PARENT, old]
    state.links[PARENT, new] = above
    if above >= 0:
        _replace(state, above, old, new)
        mark(state, above)
        return
    for region in range(state.roots.shape[0]):
        if state.roots[region] == old:
            state.roots[region] = new


@lean_jit
def _rotate(state: State, rng: UInt64s, node: int) -> bool:
    """(a, (b, c)) becomes ((a, b), c), or the other way round."""
    left, right = state.links[LEFT, node], state.links[RIGHT, node]
    inner, outer = (left, right) if draw(rng, 2) else (right, left)
    if state.links[LEFT, inner] < 0:
        return False
    if inner == right:
        near, far = state.links[LEFT, inner], state.links[RIGHT, inner]
        state.links[LEFT, node], state.links[RIGHT, node] = inner, far
        state.links[LEFT, inner], state.links[RIGHT, inner] = outer, near
    else:
        far, near = state.links[LEFT, inner], state.links[RIGHT, inner]
        state.links[LEFT, node], state.links[RIGHT, node] = far, inner
        state.links[LEFT, inner], state.links[RIGHT, inner] = near, outer
    state.links[PARENT, far] = node
    state.links[PARENT, outer] = inner
    cut = state.links[CUT, node]
    state.links[CUT, node] = state.links[CUT, inner]
    state.links[CUT, inner] = cut
    mark(state, inner)
    return True


@lean_jit
def _neighbour(scene: Scene, rng: UInt64s, leaf: int) -> int:
    """A kernel joined to this one by a net, or any where it has none."""
    first, last = scene.near_at[leaf], scene.near_at[leaf + 1]
    if first == last:
        return draw(rng, scene.kind.shape[0])
    return int(scene.near[first + draw(rng, last - first)])


@lean_jit
def _climb(state: State, rng: UInt64s, node: int) -> int:
    """The node or one above it, each step up as likely as not, a root only if it is one itself."""
    while state.links[PARENT, node] >= 0 and draw(rng, 2):
        node = state.links[PARENT, node]
    return node


@lean_jit
def _change_port(scene: Scene, state: State, rng: UInt64s, leaf: int) -> bool:
    """The port tuple of a neighbour, of the shape in use, any other, or none in particular."""
    row = state.level[0] * scene.curves.shape[1] + scene.kind[leaf]
    first, last = scene.port_at[row], scene.port_at[row + 1]
    way = draw(rng, 8)
    wanted = FREE
    if way < 4:
        wanted = state.tag[_neighbour(scene, rng, leaf)]
        if wanted != FREE and not _offers(scene, first, last, wanted):
            return False
    elif way < 5:
        wanted = state.tag[leaf]
    elif way < 7 and last > first:
        wanted = scene.ports[first + draw(rng, last - first), 0]
    if wanted == state.port[leaf]:
        return False
    state.port[leaf] = wanted
    mark(state, leaf)
    return True


@lean_jit
def _offers(scene: Scene, first: int, last: int, tag: int) -> bool:
    found = False
    for at in range(first, last):
        found |= scene.ports[at, 0] == tag
    return found


@lean_jit
def _change_level(scene: Scene, state: State, rng: UInt64s) -> bool:
    levels = scene.time_cost.shape[0]
    step = 1 + draw(rng, 1 + levels // 16)
    level = state.level[0] + (step if draw(rng, 2) else -step)
    if level < 0 or level >= levels:
        return False
    state.level[0] = level
    mark_all(state)
    return True


@lean_jit
def _change_cross(scene: Scene, state: State, rng: UInt64s) -> bool:
    region = draw(rng, state.roots.shape[0])
    cut = max(0, state.links[CUT, state.roots[region]])
    room = scene.regions[region, WIDTH if cut == STACK else HEIGHT]
    side = room
    if draw(rng, 4):
        side = state.cross[region, cut] + draw(rng, 2 * (room // 8) + 1) - room // 8
    state.cross[region, cut] = min(max(side, 1), room)
    return True


@lean_jit
def change(scene: Scene, state: State, rng: UInt64s, move: int) -> bool:
    """Does one move at random places; False where it had no effect and nothing was touched."""
    leaves = scene.kind.shape[0]
    leaf = draw(rng, leaves)
    if move == LEVEL:
        return _change_level(scene, state, rng)
    if move == CROSS:
        return _change_cross(scene, state, rng)
    if move == PORT:
        return _change_port(scene, state, rng, leaf)
    if state.links[PARENT, leaf] < 0:
        return False  # alone in its region
    if move in (SWAP_LEAVES, SWAP_TREES, GRAFT):
        return _exchange(scene, state, rng, move, leaf)
    if move in (MIRROR, TURN_TREE):
        return _change_tree(state, rng, move, _climb(state, rng, state.links[PARENT, leaf]))
    node = leaves + draw(rng, leaves - 1)
    if state.links[LEFT, node] < 0:
        return False  # not in use: there are fewer cuts where there are many regions
    return _change_cut(state, rng, move, node)


@lean_jit
def _change_tree(state: State, rng: UInt64s, move: int, node: int) -> bool:
    if move == MIRROR:
        return _mirror(state, node, draw(rng, 2))
    return _turn_tree(state, node)


@lean_jit
def _change_cut(state: State, rng: UInt64s, move: int, node: int) -> bool:
    if move == TURN:
        state.links[CUT, node] = 1 - state.links[CUT, node]
    elif move == SWAP_PARTS:
        left = state.links[LEFT, node]
        state.links[LEFT, node] = state.links[RIGHT, node]
        state.links[RIGHT, node] = left
        return True
    elif move == ALIGNMENT:
        state.links[ALIGN, node] = 1 - state.links[ALIGN, node]
        return True
    else:
        return _rotate(state, rng, node)
    mark(state, node)
    return True


@lean_jit
def _mirror(state: State, node: int, axis: int) -> bool:
    """A subtree as a mirror shows it: the parts of all its cuts along an axis change places."""
    state.stack[0] = node
    top = 1
    while top:
        top -= 1
        node = state.stack[top]
        left, right = state.links[LEFT, node], state.links[RIGHT, node]
        if left < 0:
            continue
        if state.links[CUT, node] == axis:
            state.links[LEFT, node], state.links[RIGHT, node] = right, left
        state.stack[top] = left
        state.stack[top + 1] = right
        top += 2
    return True


@lean_jit
def _turn_tree(state: State, root: int) -> bool:
    """A subtree with every cut turned by a quarter."""
    state.stack[0] = root
    top = 1
    while top:
        top -= 1
        node = state.stack[top]
        left = state.links[LEFT, node]
        if left < 0:
            continue
        state.links[CUT, node] = 1 - state.links[CUT, node]
        mark(state, node)
        state.stack[top] = left
        state.stack[top + 1] = state.links[RIGHT, node]
        top += 2
    return True


@lean_jit
def _exchange(scene: Scene, state: State, rng: UInt64s, move: int, leaf: int) -> bool:
    """Moves of two nodes, the second more often than not near a net's other end."""
    other = _neighbour(scene, rng, leaf) if draw(rng, 4) else draw(rng, scene.kind.shape[0])
    if scene.zone[other] != scene.zone[leaf]:
        return False
    if move == SWAP_LEAVES:
        return swap_nodes(state, leaf, other)
    if move == SWAP_TREES:
        return swap_nodes(state, _climb(state, rng, leaf), _climb(state, rng, other))
    node = leaf if draw(rng, 2) else _climb(state, rng, leaf)
    return graft(state, node, _climb(state, rng, other), draw(rng, 2), draw(rng, 2))
