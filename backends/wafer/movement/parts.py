"""How a movement is carried out by the cores: messages between them, and what each core does with its memory.

A *message* is a run of wavelets from one core to one or several. A core's *work* is a list of legs; a leg moves words
between memory and messages. Neither knows colours (`wsc.backends.wafer.colors`) or cycles.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from wsc.backends.wafer.program import Buffer, Kernel
from wsc.compiler.ir.types import TensorType
from wsc.compiler.layout import Mesh

Place = tuple[int, int]  # x and y on the fabric; the host's cores stand at x = -1 and x = width
Elements = NDArray[np.int64]

OPERAND, RESULT = 0, 1  # which memory a leg walks over


@dataclass(frozen=True)
class Message:
    """`words` wavelets from a core to others; they go first along x ("xy") or first along y ("yx").

    Messages of different `lane`s never share a colour: a core that passes on what it receives sends on another lane.
    """

    source: Place
    targets: tuple[Place, ...]
    words: int
    route: str = "xy"
    lane: int = 0


@dataclass(frozen=True, eq=False)
class Span:
    """Elements of the operand's or the result's tile, by number in the tile; all of it where `elements` is None."""

    memory: int
    elements: Elements | None = None


@dataclass(frozen=True, eq=False)
class Leg:
    """`words` words: read from memory or received with a message (or both, combined), written or sent (or both).

    `after` is the leg of the same work that ends before this one starts, with so many task starts in between;
    `behind` is one that it never overtakes, or that ends first where that has to be `whole`. A `paced` leg belongs to
    an exchange: its core sends and receives at once.
    """

    words: int
    receives: int = -1
    sends: int = -1
    reads: Span | None = None
    writes: Span | None = None
    combine: str = ""
    after: int = -1
    tasks: int = 0
    behind: int = -1
    whole: bool = False
    paced: bool = False


@dataclass(eq=False)
class Work:
    """What one core does: `tasks` start first, or before its first word comes; `control` is that of a new root."""

    legs: list[Leg] = field(default_factory=list)
    tasks: int = 1
    control: bool = False

    @property
    def triggered(self) -> bool:
        """Whether the core begins when a word comes: it is no new root, and at the start needs no memory alone."""
        first = [leg for leg in self.legs if leg.after < 0]
        return bool(first) and not self.control and all(leg.receives >= 0 for leg in first)

    @property
    def busy_words(self) -> int:
        """Words that occupy the core: each leg's, of an exchange those sent or received, copies two a cycle."""
        plain = sum(leg.words for leg in self.legs if not leg.paced and (leg.receives >= 0 or leg.sends >= 0))
        sent = sum(leg.words for leg in self.legs if leg.paced and leg.sends >= 0)
        received = sum(leg.words for leg in self.legs if leg.paced and leg.receives >= 0)
        return plain + max(sent, received)


@dataclass(eq=False)
class Expansion:
    """A movement on a region: run r does `works[r % len(works)]`, by core; its messages in the order of all runs.

    Where it is `ordered`, messages of a lane that meet come one after another: those of a core that takes its sources
    in turn would only be in each other's way. Messages of a load come over the `edge`, from the host's cores: `edge`
    has the work of these by place, and of each the cores whose tiles it sends, one of each message's.
    """

    messages: list[Message] = field(default_factory=list)
    works: list[dict[int, Work]] = field(default_factory=lambda: [{}])
    ordered: bool = False
    edge: dict[Place, tuple[Work, list[int]]] = field(default_factory=dict)

    def send(self, source: Place, targets: Sequence[Place], words: int, lane: int = 0) -> int:
        """A new message; returns its number."""
        self.messages.append(Message(source, tuple(targets), words, lane=lane))
        return len(self.messages) - 1

    def first(self, runs: int) -> Expansion:
        """The same, where there are not more runs than so many."""
        if runs >= len(self.works):
            return self
        last = max((self.sent(run)[-1] for run in range(runs) if self.sent(run)), default=-1)
        return Expansion(self.messages[: last + 1], self.works[:runs], self.ordered)

    def sent(self, run: int) -> list[int]:
        """The messages of a run, in order."""
        works = [*self.works[run].values(), *(work for work, _ in self.edge.values())]
        return sorted(leg.sends for work in works for leg in work.legs if leg.sends >= 0)

    def work(self, core: int, variant: int = 0) -> Work:
        """The work of a core, made where there is none yet."""
        return self.works[variant].setdefault(core, Work())


@dataclass(frozen=True, eq=False)
class Region:
    """The cores of a kernel: their numbers along the mesh (the last axis fastest) and their places.

    Only part 0 of the `idle` axes takes part in a movement.
    """

    mesh: Mesh
    places: tuple[Place, ...]
    idle: tuple[str, ...] = ()

    @staticmethod
    def of(kernel: Kernel) -> Region:
        """The region of a kernel."""
        x, y = kernel.mesh.coordinates
        places = zip((x.ravel() + kernel.x).tolist(), (y.ravel() + kernel.y).tolist(), strict=True)
        return Region(kernel.mesh, tuple(places))

    def lines(self, axis: str) -> Iterator[list[int]]:
        """Cores along an axis, part after part: a line for each way to fix the other axes."""
        yield from self.groups((axis,))

    def groups(self, axes: Sequence[str]) -> Iterator[list[int]]:
        """Cores along several axes, the first slowest: a group for each way to fix the others."""
        cores = np.arange(len(self.places)).reshape(self.mesh.shape)
        cores = cores[tuple(slice(0, 1) if a.name in self.idle else slice(None) for a in self.mesh.axes)]
        along = [self.mesh.index(axis) for axis in axes]
        parts = int(np.prod([self.mesh.shape[a] for a in along]))
        rows = np.moveaxis(cores, along, range(-len(along), 0)).reshape(-1, parts)
        yield from (list(map(int, row)) for row in rows)


def holders(mesh: Mesh, at: tuple[str, ...]) -> list[int]:
    """Cores on part 0 of the axes that a tensor lies at."""
    cores = np.arange(mesh.width * mesh.height).reshape(mesh.shape)
    held = cores[tuple(slice(0, 1) if axis.name in at else slice(None) for axis in mesh.axes)]
    return [int(core) for core in held.ravel()]


def words_of(elements: int, bytes: int) -> int:
    """Words that hold so many elements."""
    return -(-elements * bytes // 4)


def tile_words(buffer: Buffer) -> int:
    """Words of a core's tile."""
    return -(-buffer.tile_type.bytes // 4)


def numbered(tile: TensorType) -> Elements:
    """The tile's elements, numbered, in its shape."""
    return np.arange(tile.elements).reshape(tile.shape)


def copy(words: int, reads: Span, writes: Span) -> Leg:
    """A leg from memory to memory."""
    return Leg(words, reads=reads, writes=writes)
