"""Shortens the wire of slicing floorplans: local search over the trees that fit the same boxes.

Every run of blocks has many slicing trees that fit its box, and the two parts of every cut may swap places. The
search rebuilds a random subtree in the same box, swaps parts while that helps, and keeps what is no longer than it
was: large neighbourhood search, with the shape curves telling which cuts fit, so that every state is feasible.
All numbers are integers (centres are doubled), so that the result is the same on any machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from wsc.compiler.errors import VerificationError
from wsc.placement.problem import Net
from wsc.placement.regions import Box
from wsc.placement.slicing import Curves, Run


@dataclass(slots=True)
class Node:
    """Blocks start..stop-1 in a box; unless it is a leaf, cut in two parts, `stacked` or side by side.

    `swapped` puts the first part above or to the right of the second. The parts tile the box.
    """

    start: int
    stop: int
    width: int
    height: int
    stacked: bool = False
    swapped: bool = False
    parts: tuple[Node, ...] = ()
    x: int = 0
    y: int = 0

    def inner(self) -> list[Node]:
        """The cuts of the tree, this one first."""
        found = [self] if self.parts else []
        for node in found:
            found += [part for part in node.parts if part.parts]
        return found

    def leaves(self) -> list[Node]:
        """The leaves, in the order of the chain."""
        return [leaf for part in self.parts for leaf in part.leaves()] if self.parts else [self]

    def become(self, other: Node) -> None:
        """Takes the cut of another tree of the same blocks in the same box."""
        self.stacked, self.swapped, self.parts = other.stacked, other.swapped, other.parts


@dataclass(slots=True)
class Wires:
    """The nets and the doubled centres of the blocks; lengths are doubled too, in half byte-hops."""

    x: list[int]
    y: list[int]
    ends: list[list[tuple[int, int]]]  # for each block: (other end, weight)

    @classmethod
    def of(cls, blocks: int, nets: Sequence[Net]) -> Wires:
        """Wires of unplaced blocks."""
        ends: list[list[tuple[int, int]]] = [[] for _ in range(blocks)]
        for net in nets:
            ends[net.source].append((net.target, net.weight))
            ends[net.target].append((net.source, net.weight))
        return cls([0] * blocks, [0] * blocks, ends)

    def put(self, node: Node) -> None:
        """Moves the blocks of a tree to where its corner and its swaps say."""
        if not node.parts:
            self.x[node.start] = 2 * node.x + node.width
            self.y[node.start] = 2 * node.y + node.height
            return
        low, high = reversed(node.parts) if node.swapped else node.parts
        low.x, low.y = node.x, node.y
        high.x = node.x if node.stacked else node.x + low.width
        high.y = node.y + low.height if node.stacked else node.y
        self.put(low)
        self.put(high)

    def touching(self, start: int, stop: int) -> int:
        """The length of the nets with an end among blocks start..stop-1, each counted once."""
        length = 0
        for block in range(start, stop):
            x, y = self.x[block], self.y[block]
            for other, weight in self.ends[block]:
                if other > block or other < start:
                    length += weight * (abs(x - self.x[other]) + abs(y - self.y[other]))
        return length


@dataclass(frozen=True, slots=True)
class Search:
    """How far to search for a short wire; raises VerificationError where a count is too small.

    `starts` trees are grown; the `keep` shortest are worked on for `rounds` rounds each and the best of them for
    `finish` more. A round rebuilds a subtree of at most `window` blocks, where each cut takes the least of costs that
    are multiplied by 1 to `spread` at random.
    """

    starts: int = 48
    keep: int = 8
    rounds: int = 300
    finish: int = 1000
    window: int = 96
    spread: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.keep <= self.starts or min(self.rounds, self.finish) < 0 or self.spread < 1:
            raise VerificationError(
                f"a search keeps 1 to all of its starts and has no negative rounds: {self}"
            )


def refine(curves: Curves, runs: list[Run], nets: Sequence[Net], search: Search) -> list[Node]:
    """A tree for each run, in its box: those of the shortest wire found."""
    wires = Wires.of(curves.blocks, nets)
    rng = Random(0)
    grown = [_start(curves, runs, index, rng, search.spread) for index in range(search.starts)]
    kept = _by_length(curves, grown, wires, 0, rng, search)[: search.keep]
    best = _by_length(curves, kept, wires, search.rounds, rng, search)[0]
    _improve(curves, best, wires, search.finish, rng, search)
    return best


def _by_length(
    curves: Curves, forests: list[list[Node]], wires: Wires, rounds: int, rng: Random, search: Search
) -> list[list[Node]]:
    """The forests, each improved for so many rounds, by increasing wire."""
    lengths = [_improve(curves, roots, wires, rounds, rng, search) for roots in forests]
    return [forests[index] for index in sorted(range(len(forests)), key=lengths.__getitem__)]


def windows(roots: list[Node], most: int) -> list[Node]:
    """Disjoint subtrees of at most `most` blocks, each as large as may be; together they hold all blocks."""
    found = list(roots)
    for node in found:
        if node.stop - node.start > most:
            found += node.parts
    return [node for node in found if node.stop - node.start <= most]


def _start(curves: Curves, runs: list[Run], index: int, rng: Random, spread: int) -> list[Node]:
    """Trees to begin with: the first few without chance, in tight boxes and in loose ones."""
    eighths = _SLACK_EIGHTHS[index % len(_SLACK_EIGHTHS)]
    spread = spread if index >= len(_SLACK_EIGHTHS) else 1
    return [
        _grown(curves, run.start, run.stop, _tightened(curves, run, eighths), rng, spread) for run in runs
    ]


_SLACK_EIGHTHS = (0, 1, 8)


def _tightened(curves: Curves, run: Run, eighths: int) -> Box:
    """The box of least half-perimeter for the run, and so many eighths of what is left of the run's own box."""
    box = run.box
    fits = [(width + curves.height(run.start, run.stop, width), width) for width in range(1, box.width + 1)]
    fits = [(around, width) for around, width in fits if around - width <= box.height]
    around, width = min(fits)
    height = around - width
    width += (box.width - width) * eighths // 8
    height += (box.height - height) * eighths // 8
    return Box(box.x, box.y, width, height)


def _grown(curves: Curves, start: int, stop: int, box: Box, rng: Random, spread: int) -> Node:
    """A tree of blocks start..stop-1 in a box that their curve fits."""
    node = Node(start, stop, box.width, box.height, x=box.x, y=box.y)
    if stop - start == 1:
        return node
    node.stacked, at, side = _cut(curves, node, rng, spread)
    if node.stacked:
        low = Box(box.x, box.y, box.width, side)
        high = Box(box.x, box.y + side, box.width, box.height - side)
    else:
        low = Box(box.x, box.y, side, box.height)
        high = Box(box.x + side, box.y, box.width - side, box.height)
    node.parts = (
        _grown(curves, start, at, low, rng, spread),
        _grown(curves, at, stop, high, rng, spread),
    )
    return node


def _cut(curves: Curves, node: Node, rng: Random, spread: int) -> tuple[bool, int, int]:
    """Whether to stack, the first block of the second part, and the first part's side along the cut's axis.

    Without chance the most even cut across the longer side: square-ish parts keep neighbours near.
    """
    options: list[tuple[int, bool, int, int]] = []
    ways = (
        (True, node.width, node.height, curves.heights),
        (False, node.height, node.width, curves.widths),
    )
    for stacked, across, along, least in ways:
        weight = across * (10 if along >= across else 13)
        for at in range(node.start + 1, node.stop):
            first = int(least[at - node.start - 1].item(node.start, across))
            second = int(least[node.stop - at - 1].item(at, across))
            if first + second <= along:
                cost = max(first, second) * weight * (1 + rng.randrange(spread))
                side = first + (along - first - second) * first // (first + second)
                options.append((cost, stacked, at, side))
    _, stacked, at, side = min(options)
    return stacked, at, side


def _improve(
    curves: Curves, roots: list[Node], wires: Wires, rounds: int, rng: Random, search: Search
) -> int:
    """Rebuilds random subtrees of the roots in place, keeping what is no longer; the doubled length at the end."""
    for root in roots:
        wires.put(root)
    for root in roots:
        _swap(root, wires)
    cuts = _cuts(roots, search.window)
    for _ in range(rounds if cuts else 0):
        old = cuts[rng.randrange(len(cuts))]
        before = wires.touching(old.start, old.stop)
        box = Box(old.x, old.y, old.width, old.height)
        new = _grown(curves, old.start, old.stop, box, rng, search.spread)
        wires.put(new)
        _swap(new, wires)
        if wires.touching(old.start, old.stop) <= before:
            old.become(new)
            cuts = _cuts(roots, search.window)
        else:
            wires.put(old)
    return wires.touching(0, curves.blocks)


def _cuts(roots: list[Node], window: int) -> list[Node]:
    """The cuts of the roots that have at most `window` blocks."""
    return [cut for root in roots for cut in root.inner() if cut.stop - cut.start <= window]


def _swap(root: Node, wires: Wires) -> None:
    """Swaps the parts of cuts, from the top down, until no swap shortens the wire."""
    cuts = root.inner()
    better = True
    while better:
        better = False
        for cut in cuts:
            before = wires.touching(cut.start, cut.stop)
            cut.swapped = not cut.swapped
            wires.put(cut)
            if wires.touching(cut.start, cut.stop) < before:
                better = True
            else:
                cut.swapped = not cut.swapped
                wires.put(cut)
