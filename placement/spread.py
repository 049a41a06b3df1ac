"""How short wire can be with all blocks within a limit on time: nets, cycles of nets, chains too long for a row.

Of two rectangles that do not overlap one is left of the other or below it. Call a pair of blocks an x pair where they
are apart across (centres at least half the sum of their widths apart), else a y pair (half the sum of the heights).

A cycle of nets crosses every line between its leftmost and its rightmost centre twice, and so with the lowest and the
highest. If all its pairs are x pairs, the rectangles lie in a row, and the wire is no less than twice the sum of the
widths less the widths of the first and the last. If they are of both kinds, some block v is in an x pair with a block
u and in a y pair with another, t: the wire is no less than v's width and height, u's width and t's height.

A chain (a path of nets) that is too long for a row has pairs of both kinds. Either its nets are all of x pairs, say:
then they take what they take in a row, and two blocks that make a y pair half their heights besides. Or two nets of
one block are of different kinds, so that the block counts with a width and a height in place of two widths.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from wsc.placement.candidates import Catalogue
from wsc.placement.problem import Ints, Net, Problem

_LONGEST = 8  # blocks of a cycle that is looked for
_CROWDED = (
    64  # in graphs whose squared degrees are more on average none are looked for: it would take too long
)


@dataclass(frozen=True)
class Cycle:
    """Blocks joined in a circle by nets of at least this weight."""

    blocks: tuple[int, ...]
    weight: int


@dataclass(frozen=True)
class Spread:
    """The nets as cycles that share no net, and those that are left; `path` are all blocks if the nets form a chain."""

    cycles: tuple[Cycle, ...]
    nets: tuple[Net, ...]
    path: tuple[int, ...]

    @classmethod
    def of(cls, problem: Problem) -> Spread:
        """The nets of a problem, the shortest cycles first."""
        left: dict[tuple[int, int], int] = {}
        for net in problem.nets:
            ends = (min(net.source, net.target), max(net.source, net.target))
            left[ends] = left.get(ends, 0) + net.weight
        left = {ends: weight for ends, weight in left.items() if weight}
        path = _path(len(problem.blocks), left)
        near: dict[int, set[int]] = {}
        for a, b in left:
            near.setdefault(a, set()).add(b)
            near.setdefault(b, set()).add(a)
        cycles = []
        crowded = sum(len(others) ** 2 for others in near.values()) > _CROWDED * len(problem.blocks)
        for longest in () if crowded else range(3, _LONGEST + 1):
            for ends in sorted(left):
                blocks = _around(near, ends, longest) if ends in left else ()
                if blocks:
                    cycles.append(_taken(left, near, blocks))
        return cls(tuple(cycles), tuple(Net(*ends, weight) for ends, weight in sorted(left.items())), path)

    def weights(self) -> list[int]:
        """The weights of the nets of the chain, in its order."""
        weight = {(net.source, net.target): net.weight for net in self.nets}
        return [weight[min(a, b), max(a, b)] for a, b in zip(self.path, self.path[1:], strict=False)]

    def half_hops(self, problem: Problem, menus: Catalogue, limit: int) -> int:
        """Twice the least wire with all blocks within the limit."""
        tables = [menu.within(limit) for menu in menus.menus]
        least = [int(np.minimum(it.width, it.height).min()) for it in tables]
        sides = [least[kind] for kind in menus.of_block]
        room = max(problem.fabric.width, problem.fabric.height)
        if self.path and sum(sides) > room:
            return self._cornered(menus, limit, sides)
        around = [int((it.width + it.height).min()) for it in tables]
        perimeters = [around[kind] for kind in menus.of_block]
        straight = sum(net.weight * (sides[net.source] + sides[net.target]) for net in self.nets)
        return straight + sum(it.weight * _half_hops_around(it, sides, perimeters) for it in self.cycles)

    def _cornered(self, menus: Catalogue, limit: int, sides: list[int]) -> int:
        """The same of a chain that does not lie in a row."""
        before, after = [0, *self.weights()], [*self.weights(), 0]
        lightest = min(after[:-1])
        straight, turned, stacked = 0, list[int](), list[int]()
        for position, block in enumerate(self.path):
            table = menus.menu(block).within(limit)
            a, b = before[position], after[position]
            row = (a + b) * sides[block]
            straight += row
            stacked.append(_least(table.width, table.height, a + b, lightest) - row)
            if a and b:
                turned.append(min(_least(table.width, table.height, *it) for it in ((a, b), (b, a))) - row)
        return straight + min(sum(sorted(stacked)[:2]), min(turned, default=sum(sorted(stacked)[:2])))


def _least(width: Ints, height: Ints, first: int, second: int) -> int:
    """The least of `first` times one side and `second` times the other."""
    return int(min((first * width + second * height).min(), (first * height + second * width).min()))


def _half_hops_around(cycle: Cycle, sides: list[int], perimeters: list[int]) -> int:
    """Twice the least wire of a cycle of nets of weight 1."""
    own = sorted(sides[block] for block in cycle.blocks)
    straight = 4 * sum(own) - 2 * sum(own[-2:])
    mixed = 2 * min(
        perimeters[block] + sum(sorted(sides[it] for it in cycle.blocks if it != block)[:2])
        for block in cycle.blocks
    )
    return max(2 * sum(own), min(straight, mixed))


def _path(blocks: int, nets: dict[tuple[int, int], int]) -> tuple[int, ...]:
    """All blocks in the order of the chain that the nets form; none where they form anything else."""
    near: list[list[int]] = [[] for _ in range(blocks)]
    for a, b in nets:
        near[a].append(b)
        near[b].append(a)
    ends = [block for block, others in enumerate(near) if len(others) == 1]
    if len(ends) != 2 or len(nets) != blocks - 1 or max(map(len, near)) > 2:
        return ()
    path = [ends[0]]
    while len(path) < blocks:
        on = [other for other in near[path[-1]] if len(path) < 2 or other != path[-2]]
        if not on:
            return ()
        path.append(on[0])
    return tuple(path)


def _around(near: dict[int, set[int]], ends: tuple[int, int], longest: int) -> tuple[int, ...]:
    """The blocks of a shortest way, of at most so many, from one end of a net to the other that is not the net."""
    start, goal = ends
    before = {start: -1}
    waiting = deque([(start, 1)])
    while waiting:
        block, length = waiting.popleft()
        if block == goal:
            way = [goal]
            while way[-1] != start:
                way.append(before[way[-1]])
            return tuple(way)
        for other in sorted(near[block]) if length < longest else ():
            if other not in before and {block, other} != {start, goal}:
                before[other] = block
                waiting.append((other, length + 1))
    return ()


def _taken(left: dict[tuple[int, int], int], near: dict[int, set[int]], blocks: tuple[int, ...]) -> Cycle:
    """A cycle as heavy as the lightest of its nets, which are that much lighter then."""
    pairs = [(min(a, b), max(a, b)) for a, b in zip(blocks, (*blocks[1:], blocks[0]), strict=True)]
    weight = min(left[pair] for pair in pairs)
    for a, b in pairs:
        left[a, b] -= weight
        if not left[a, b]:
            del left[a, b]
            near[a].discard(b)
            near[b].discard(a)
    return Cycle(blocks, weight)
