"""Repeated blocks: which stretches of a graph, or of any sequence, say the same thing again.

A model of twelve layers is one layer said twelve times; a report prints it so, and a target may plan it once.
`find_repeats` knows nothing of graphs: it takes one hashable signature an entry. `structural_hash` tells whether two
blocks of nodes compute the same. What a graph repeats, and how the copies hang together, is in `repeated`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np

from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ir.text import print_op
from wsc.compiler.ops.base import Array


@dataclass(frozen=True)
class Repeat:
    """`count` copies, one after another, of the `length` entries from index `start` on."""

    start: int
    length: int
    count: int

    @property
    def stop(self) -> int:
        """Index after the last copy."""
        return self.start + self.length * self.count


def find_repeats(signatures: Sequence[Hashable]) -> tuple[Repeat, ...]:
    """Disjoint repeats, in order, that leave the fewest entries to be said: one copy of each, and all between them.

    Among equals the repeats cover the most entries, then are the fewest. Equal sequences give equal answers. Time is
    quadratic, but in array comparisons: 8,000 entries take less than a second.
    """
    ending: dict[int, list[_Run]] = {}
    for run in _runs(_numbered(signatures)):
        for stop in range(run.start + 2 * run.period, run.stop + 1):
            ending.setdefault(stop, []).append(run)
    worth: list[_Worth] = [(0, 0, 0)]
    chosen: list[Repeat | None] = [None]
    for stop in range(1, len(signatures) + 1):
        best, repeat = worth[stop - 1], None
        for run in ending.get(stop, ()):
            option = run.best_repeat(stop, worth)
            if (value := _with_repeat(worth, option)) > best:
                best, repeat = value, option
        worth.append(best)
        chosen.append(repeat)
    return tuple(reversed(list(_trace(chosen))))


# Of the best choice before an index: entries saved, entries covered, minus repeats.
_Worth = tuple[int, int, int]


def _with_repeat(worth: Sequence[_Worth], repeat: Repeat) -> _Worth:
    saved, covered, fewer = worth[repeat.start]
    size = repeat.length * repeat.count
    return saved + size - repeat.length, covered + size, fewer - 1


def _trace(chosen: Sequence[Repeat | None]) -> Iterator[Repeat]:
    stop = len(chosen) - 1
    while stop:
        repeat = chosen[stop]
        if repeat is None:
            stop -= 1
        else:
            yield repeat
            stop = repeat.start


def _numbered(signatures: Sequence[Hashable]) -> Array:
    """Equal numbers for equal signatures."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(s, len(numbers)) for s in signatures], np.int64)


@dataclass
class _Run:
    """A stretch that equals itself `period` entries on, at least two periods long, and cannot be made longer."""

    start: int
    stop: int
    period: int
    leaders: dict[int, int] = field(default_factory=dict)  # best start so far by stop modulo period

    def best_repeat(self, stop: int, worth: Sequence[_Worth]) -> Repeat:
        """The best repeat within the run that ends at `stop`; to be asked for every stop in order."""
        phase = stop % self.period
        newest = self._repeat(stop - 2 * self.period, stop)
        leader = self._repeat(self.leaders.setdefault(phase, newest.start), stop)
        if _with_repeat(worth, newest) > _with_repeat(worth, leader):
            self.leaders[phase] = newest.start
            return newest
        return leader

    def _repeat(self, start: int, stop: int) -> Repeat:
        return Repeat(start, self.period, (stop - start) // self.period)


def _runs(numbers: Array) -> Iterator[_Run]:
    """Every run whose period is the shortest that it has; a sequence has fewer of them than entries."""
    found: dict[int, list[_Run]] = {}
    for period in range(1, len(numbers) // 2 + 1):
        for run in _runs_of(numbers, period):
            if not any(period % shorter == 0 and _holds(runs, run) for shorter, runs in found.items()):
                found.setdefault(period, []).append(run)
                yield run


def _runs_of(numbers: Array, period: int) -> Iterator[_Run]:
    """Runs of this period, or of a divisor of it, in order."""
    same = numbers[:-period] == numbers[period:]
    if np.count_nonzero(same) < period:
        return
    edges = np.flatnonzero(np.diff(same, prepend=False, append=False)).reshape(-1, 2)
    for start, stop in edges[edges[:, 1] - edges[:, 0] >= period].tolist():
        yield _Run(start, stop + period, period)


def _holds(runs: Sequence[_Run], inner: _Run) -> bool:
    """Whether one of the runs, in order of start and stop, holds all of `inner`."""
    before = bisect_right(runs, inner.start, key=lambda run: run.start)
    return before > 0 and runs[before - 1].stop >= inner.stop


def computed_nodes(graph: Graph) -> tuple[Node, ...]:
    """The nodes that are no sources, in order."""
    return tuple(node for node in graph.nodes if not node.is_source)


def structural_hash(graph: Graph, names: Iterable[str]) -> str:
    """SHA-256, in hex, of what a block of nodes computes: equal for blocks that differ in names and weights alone.

    `names` are in the order of the graph. Values from outside count by type and by order of first use, and it counts
    which nodes are read outside.
    """
    block = tuple(names)
    called: dict[str, str] = {}
    members = frozenset(block)
    outside = 0
    lines = []
    for place, name in enumerate(block):
        node = graph[name]
        for operand in node.inputs:
            if operand not in called:
                called[operand] = f"outer {outside} {_kind(graph[operand])} {graph[operand].type}"
                outside += 1
        operands = ", ".join(called[operand] for operand in node.inputs)
        lines.append(f"{print_op(node.op)} ({operands}) -> {node.type}")
        called[name] = f"inner {place}"
    lines += [called[name] for name in block if _is_read_outside(graph, name, members)]
    return sha256("\n".join(lines).encode()).hexdigest()


def _kind(node: Node) -> str:
    return node.op.kind if node.is_source else "value"


def _is_read_outside(graph: Graph, name: str, block: Set[str]) -> bool:
    return name in graph.outputs or any(user.name not in block for user in graph.users[name])
