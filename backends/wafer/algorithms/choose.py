"""Which reduce, or all-reduce, to use, by closed forms over the levels of its tree. No simulator uses this.

After Luczynski et al., HPDC 2024, arXiv 2404.15888: a message takes its hops, the ramp at both ends and a cycle for the
sum, and the words of a chain follow each other. From one level to the next, the root of a group goes on when it has all
of the group's words and has started a task, or when the stream of the next group has come, whichever is later.

An all-reduce is a reduce and a multicast back from its root: part 0, or the part in the middle, which the parts on both
sides of it reduce towards at once. The root takes the streams of its second side after those of its first.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from math import ceil, log2

import numpy as np
from numpy.typing import NDArray

from wsc.backends.wafer.machine import Wafer


@dataclass(frozen=True)
class ReduceChoice:
    """An algorithm by name, its group where it has one, its modelled cycles, and for an all-reduce its root."""

    algorithm: str
    group: int | None
    cycles: int
    root: int = 0


def choose_reduce(words: int, parts: int, machine: Wafer, pitch: int = 1) -> ReduceChoice:
    """The fastest way to reduce `words` words over a line of `parts` cores, `pitch` cores apart, by modelled cycles."""
    options = reduce_options(parts)
    made = (
        ReduceChoice(name, g, reduce_cycles(name, words, parts, machine, g, pitch)) for name, g in options
    )
    return min(made, key=lambda choice: choice.cycles)


def choose_all_reduce(words: int, parts: int, machine: Wafer, pitch: int = 1) -> ReduceChoice:
    """The fastest way to reduce and to give every core of the line the result, by modelled cycles."""
    made: list[ReduceChoice] = []
    for options in _by_root(all_reduce_options(parts)):
        groups = [group for name, group, _ in options if name == "two-phase" and group is not None]
        root = options[0][2]
        best = _best_group(groups, words, parts, machine, root, pitch) if groups else None
        for name, group, _ in options:
            if name != "two-phase" or group == best:
                cycles = all_reduce_cycles(name, words, parts, machine, group, root, pitch)
                made.append(ReduceChoice(name, group, cycles, root))
    return min(made, key=lambda choice: choice.cycles)


def _by_root(options: list[tuple[str, int | None, int]]) -> list[list[tuple[str, int | None, int]]]:
    """The options in their order, those that follow each other with one root together."""
    return [list(found) for _, found in groupby(options, key=lambda option: option[2])]


def _best_group(groups: list[int], words: int, parts: int, machine: Wafer, root: int, pitch: int) -> int:
    """The first of the groups with which two phases take the fewest cycles."""
    sizes = np.array(groups, np.int64)
    first = _two_phases(sizes, words, parts - root, machine, pitch)
    if root:
        first = _two_phases(sizes, words, root + 1, machine, pitch, first)
    return groups[int(np.argmin(first))]


def _two_phases(
    sizes: NDArray[np.int64],
    words: int,
    parts: int,
    machine: Wafer,
    pitch: int,
    other_side: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """`_first_word` of two phases for many groups of more than one part at once."""
    hop, message = machine.fabric.hop_cycles * pitch, 2 * machine.fabric.ramp_cycles + 1
    after = words + machine.core.task_startup_cycles + 1  # what a task takes before it sends on
    others, step = (parts - 1) // sizes, sizes * hop + message
    chain = (sizes - 1) * (hop + message)  # within a group
    leaves = (parts - others * sizes - 1) * (hop + message) + others * step
    leaves = np.where(others > 0, np.maximum(leaves, chain + after + (others - 1) * step), leaves)
    if other_side is None:
        return leaves
    within = np.where(others > 0, np.maximum(chain, other_side + after), other_side)
    return np.maximum(leaves, within + after) if parts > 1 else other_side


def reduce_options(parts: int) -> list[tuple[str, int | None]]:
    """Every algorithm, with every group that makes a difference."""
    found: list[tuple[str, int | None]] = [("chain", None), ("tree", None), ("star", None)]
    found += [("two-phase", group) for group in range(2, parts)]
    depths = range(3, max(3, ceil(log2(max(1, parts)))))
    groups = {*(_root(parts, depth) for depth in depths), *range(3, min(parts, 12))}
    return found + [("k-tree", group) for group in sorted(groups) if group > 2]


def all_reduce_options(parts: int) -> list[tuple[str, int | None, int]]:
    """Every algorithm with its group and its root: an end of the line, or its middle; and the ring."""
    middle = parts // 2
    ends = [(name, group, 0) for name, group in reduce_options(parts)]
    both = [(name, group, middle) for name, group in reduce_options(parts - middle)] if middle else []
    return [*ends, *both, ("ring", None, 0)]


def reduce_cycles(
    algorithm: str, words: int, parts: int, machine: Wafer, group: int | None = None, pitch: int = 1
) -> int:
    """Modelled cycles of a reduce over cores that are `pitch` apart."""
    first = _first_word(algorithm, words, parts, machine, group, pitch)
    return machine.core.task_startup_cycles + first + words


def all_reduce_cycles(
    algorithm: str,
    words: int,
    parts: int,
    machine: Wafer,
    group: int | None = None,
    root: int = 0,
    pitch: int = 1,
) -> int:
    """Modelled cycles of an all-reduce; `root` is where a tree leads to."""
    startup, hop, ramps = (
        machine.core.task_startup_cycles,
        machine.fabric.hop_cycles * pitch,
        2 * machine.fabric.ramp_cycles,
    )
    if algorithm == "ring":
        share = -(-words // parts)
        through = max(ceil(share * machine.core.exchange_cycles_per_word), share)
        return max(1, 2 * (parts - 1) * (2 * startup + through + min(2, parts - 1) * hop + ramps + 1))
    first = _first_word(algorithm, words, parts - root, machine, group, pitch)
    if root:
        first = _first_word(algorithm, words, root + 1, machine, group, pitch, first)
    back = startup + words + max(root, parts - 1 - root) * hop + ramps
    return startup + first + words + back


def _first_word(
    algorithm: str,
    words: int,
    parts: int,
    machine: Wafer,
    group: int | None,
    pitch: int,
    other_side: int | None = None,
) -> int:
    """When the root of a line has its first word, from the start of its first task.

    `other_side` is when it has that of the line on its other side, which it takes before this one.
    """
    startup, hop = machine.core.task_startup_cycles, machine.fabric.hop_cycles * pitch
    message = 2 * machine.fabric.ramp_cycles + 1
    if algorithm == "star" and parts > 1:
        start = message + hop if other_side is None else other_side + words + startup + 1
        return start + words * (parts - 2)
    size = {"chain": parts, "tree": 2}.get(algorithm, group or parts)
    strides = [1, size] if algorithm == "two-phase" else [size**k for k in range(_depth(parts, size))]

    def first(parts: int, level: int, other_side: int | None = None) -> int:
        """When the first word leaves the root of `parts` parts, in groups of the levels before `level`."""
        while level and strides[level - 1] >= parts:
            level -= 1
        if not level:
            return other_side or 0
        stride = strides[level - 1]
        others = (parts - 1) // stride
        step = stride * hop + message
        if level == 1:  # groups of one: the last to come passes all the others
            leaves = others * step
            return leaves if other_side is None else max(leaves, other_side + words + startup + 1)
        leaves = first(parts - others * stride, level - 1) + others * step
        received = first(stride, level - 1) + words + startup + 1
        leaves = max(leaves, received + (others - 1) * step)
        if other_side is None:
            return leaves
        return max(leaves, first(stride, level - 1, other_side) + words + startup + 1)

    return first(parts, len(strides), other_side)


def _depth(parts: int, size: int) -> int:
    """Levels of groups of `size` that hold all parts."""
    return next(depth for depth in range(1, parts + 1) if max(2, size) ** depth >= parts)


def _root(parts: int, depth: int) -> int:
    """The smallest group of which `depth` levels hold all parts."""
    size = max(2, int(parts ** (1 / depth)) - 1)
    while size**depth < parts:
        size += 1
    return size
