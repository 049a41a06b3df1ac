"""Which reduce to use, by closed forms over the levels of its tree. No simulator uses this.

After Luczynski et al., HPDC 2024, arXiv 2404.15888: a message takes its hops, the ramp at both ends and a cycle for the
sum, and the words of a chain follow each other. From one level to the next, the root of a group goes on when it has all
of the group's words and has started a task, or when the stream of the next group has come, whichever is later.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2

from wsc.backends.wafer.machine import Wafer


@dataclass(frozen=True)
class ReduceChoice:
    """An algorithm by name, its group where it has one, and its modelled cycles."""

    algorithm: str
    group: int | None
    cycles: int


def choose_reduce(words: int, parts: int, machine: Wafer) -> ReduceChoice:
    """The fastest way to reduce `words` words over a line of `parts` neighbouring cores, by modelled cycles."""
    options = reduce_options(parts)
    made = (ReduceChoice(name, g, reduce_cycles(name, words, parts, machine, g)) for name, g in options)
    return min(made, key=lambda choice: choice.cycles)


def reduce_options(parts: int) -> list[tuple[str, int | None]]:
    """Every algorithm, with every group that makes a difference."""
    found: list[tuple[str, int | None]] = [("chain", None), ("tree", None), ("star", None)]
    found += [("two-phase", group) for group in range(2, parts)]
    depths = range(3, max(3, ceil(log2(parts))))
    groups = {*(_root(parts, depth) for depth in depths), *range(3, min(parts, 12))}
    return found + [("k-tree", group) for group in sorted(groups) if group > 2]


def reduce_cycles(algorithm: str, words: int, parts: int, machine: Wafer, group: int | None = None) -> int:
    """Modelled cycles of a reduce over neighbouring cores."""
    startup, hop = machine.core.task_startup_cycles, machine.fabric.hop_cycles
    message = 2 * machine.fabric.ramp_cycles + 1
    if algorithm == "star" and parts > 1:
        return startup + message + hop + words * (parts - 1)
    size = {"chain": parts, "tree": 2}.get(algorithm, group or parts)
    strides = [1, size] if algorithm == "two-phase" else [size**k for k in range(_depth(parts, size))]

    def first(parts: int, level: int) -> int:
        """When the first word leaves the root of `parts` parts, in groups of the levels before `level`."""
        while level and strides[level - 1] >= parts:
            level -= 1
        if not level:
            return 0
        stride = strides[level - 1]
        others = (parts - 1) // stride
        step = stride * hop + message
        on_the_way = first(parts - others * stride, level - 1) + others * step
        if level == 1:
            return on_the_way
        received = first(stride, level - 1) + words + startup + 1 + (others - 1) * step
        return max(on_the_way, received)

    return startup + first(parts, len(strides)) + words


def _depth(parts: int, size: int) -> int:
    """Levels of groups of `size` that hold all parts."""
    return next(depth for depth in range(1, parts + 1) if max(2, size) ** depth >= parts)


def _root(parts: int, depth: int) -> int:
    """The smallest group of which `depth` levels hold all parts."""
    size = max(2, int(parts ** (1 / depth)) - 1)
    while size**depth < parts:
        size += 1
    return size
