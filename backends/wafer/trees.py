"""Who sends to whom: the order of parts on an interleaved ring, and the trees by which one line of parts reduces.

Trees, for P parts in a row with the root at part 0:

    chain      every part adds what its right neighbour sends and passes it on
    two-phase  chains within groups of `group` parts, then one chain over the first parts of the groups
    k-tree     chains within groups of `group`, groups of those groups, and so on; WaferLLM (arXiv 2502.04563)
    tree       the k-tree of groups of two
    star       every part sends to the root, which takes them one after another

Chain, two-phase, tree and star follow Luczynski et al., HPDC 2024, arXiv 2404.15888.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

REDUCTIONS = ("chain", "two-phase", "k-tree", "tree", "star")
GROUPED = ("two-phase", "k-tree")

Phases = tuple[tuple[int, ...], ...]


def ring_order(parts: int) -> NDArray[np.int64]:
    """Parts in the order of an interleaved ring: 0, 2, 4, ..., 5, 3, 1."""
    there = np.arange(0, parts, 2, dtype=np.int64)
    back = np.arange(1, parts, 2, dtype=np.int64)[::-1]
    return np.concatenate([there, back])


def ring_numbers(parts: int, ring: str | None) -> NDArray[np.int64]:
    """The number of every part on a ring: its place in line, or on an interleaved ring."""
    return np.argsort(ring_order(parts)) if ring else np.arange(parts, dtype=np.int64)


@lru_cache(maxsize=4096)
def reduction_tree(parts: int, algorithm: str, group: int | None = None) -> tuple[Phases, ...]:
    """For each part the parts that it receives from, phase by phase; sources have higher numbers than their part.

    Raises ValueError for an algorithm or a group that there is none of.
    """
    if algorithm not in REDUCTIONS:
        raise ValueError(f"no reduction is called '{algorithm}'; there are {', '.join(REDUCTIONS)}")
    if (algorithm in GROUPED) != (group is not None) or (group is not None and group < 2):
        raise ValueError(
            f"'{algorithm}' of {parts} parts with a group of {group}: groups have 2 parts or more"
        )
    if algorithm == "star":
        others = tuple(range(1, parts))
        return ((others,) if others else (),) + ((),) * (parts - 1)
    levels = [parts]
    if algorithm == "two-phase":
        levels = [group or parts, parts]
    elif algorithm != "chain":
        size = group or 2
        levels = [size] * next(k for k in range(1, parts + 2) if size**k >= parts)
    return tuple(_chained(part, parts, levels) for part in range(parts))


@lru_cache(maxsize=4096)
def rooted_tree(parts: int, algorithm: str, group: int | None, root: int) -> tuple[Phases, ...]:
    """As `reduction_tree`, towards part `root` from both sides: first from the parts after it, then from those before.

    Raises ValueError where there is no such part or no such algorithm.
    """
    if not 0 <= root < parts:
        raise ValueError(f"there is no part {root} among {parts}")
    after = reduction_tree(parts - root, algorithm, group)
    before = reduction_tree(root + 1, algorithm, group)
    tree = [tuple(tuple(root - s for s in phase) for phase in before[root - p]) for p in range(root)]
    tree += [tuple(tuple(root + s for s in phase) for phase in after[p]) for p in range(parts - root)]
    tree[root] += tuple(tuple(root - s for s in phase) for phase in before[0] if phase)
    return tuple(tree)


def _chained(part: int, parts: int, levels: list[int]) -> Phases:
    """Sources of a part in chains within groups of `levels[0]` parts, of `levels[1]` such groups, and so on."""
    phases: list[tuple[int, ...]] = []
    stride = 1
    for size in levels:
        if part % stride:
            break
        source = part + stride
        if source < parts and source // (stride * size) == part // (stride * size):
            phases.append((source,))
        stride *= size
    return tuple(phases)
