"""What is to be placed: a fabric of cores, kernels with their candidate rectangles, nets, and what is to be least."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from wsc.compiler.errors import PlacementError, VerificationError

MAX_SIDE = 13_000  # with what may stick out in between, two curves still add up within 16 bits

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Shape:
    """A candidate rectangle of a block.

    `width` and `height` are in cores, `time` is the ticks the stage takes for one input at that size (cycles, unless
    the problem says how many ticks a cycle has), `memory` the bytes it takes of a core, `ports` how its streams are
    cut: a net between blocks needs an adapter for each entry that differs. `payload` means something to the caller
    alone. Raises VerificationError where a side is not positive or the time or memory is negative.
    """

    width: int
    height: int
    time: int
    payload: int = 0
    memory: int = 0
    ports: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1 or self.time < 0 or self.memory < 0:
            raise VerificationError(f"a shape needs positive sides and a time of at least 0: {self}")


class Table(NamedTuple):
    """Shapes as columns, one row each: [rows] each, `ports` [rows, entries]."""

    width: Ints
    height: Ints
    time: Ints
    payload: Ints
    memory: Ints
    ports: Ints

    def shape(self, row: int) -> Shape:
        """One row as a shape."""
        sides = (self.width, self.height, self.time, self.payload, self.memory)
        width, height, time, payload, memory = (int(column[row]) for column in sides)
        return Shape(width, height, time, payload, memory, tuple(map(int, self.ports[row])))


@runtime_checkable
class ShapeSource(Protocol):
    """Candidate shapes made when they are asked for, for blocks with too many to write down."""

    def within(self, limit: int) -> Table:
        """Of each port tuple the undominated shapes that take at most `limit` ticks; more time takes none away."""

    def times(self, low: int, high: int) -> Ints:
        """The times from `low` to `high` that some shape takes, increasing; others may be among them."""

    def slowest(self) -> int:
        """A limit beyond which there are no more shapes."""

    def turns(self) -> bool:
        """Whether every shape is offered turned by a quarter as well."""

    def offers(self, shape: Shape) -> bool:
        """Whether the shape, as given with all its figures, is one of them."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fused kernel and the rectangles it can run in, every one of which fits the memory of its cores.

    `group` is a label, such as the layer. `pin` forces the lower corner of its rectangle. Raises VerificationError
    where there is no shape.
    """

    name: str
    shapes: tuple[Shape, ...] | ShapeSource
    group: str = ""
    pin: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.shapes, tuple) and not self.shapes:
            raise VerificationError(f"block {self.name!r} has no candidate shape")


@dataclass(frozen=True, slots=True)
class Net:
    """Traffic from block `source` to block `target` (indices into the problem), `weight` bytes an input.

    Raises VerificationError for a net from a block to itself and for a negative weight.
    """

    source: int
    target: int
    weight: int = 1

    def __post_init__(self) -> None:
        if self.source == self.target or min(self.source, self.target, self.weight) < 0:
            raise VerificationError(f"a net joins two blocks with a weight of at least 0: {self}")


@dataclass(frozen=True, slots=True)
class Fabric:
    """A grid of `width` x `height` cores; no rectangle may cover a `blocked` cell (x, y), counted from 0.

    Raises VerificationError where a side is not within 1..MAX_SIDE or a blocked cell is outside or named twice.
    """

    width: int
    height: int
    blocked: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if not (1 <= self.width <= MAX_SIDE and 1 <= self.height <= MAX_SIDE):
            raise VerificationError(
                f"a fabric of {self.width} x {self.height}: sides go from 1 to {MAX_SIDE}"
            )
        if len(set(self.blocked)) != len(self.blocked):
            raise VerificationError("a blocked cell is named twice")
        for x, y in self.blocked:
            if not (0 <= x < self.width and 0 <= y < self.height):
                raise VerificationError(f"blocked cell ({x}, {y}) is outside {self.width} x {self.height}")

    @property
    def free(self) -> int:
        """Cores that a block may use."""
        return self.width * self.height - len(self.blocked)


@dataclass(frozen=True, slots=True)
class Group:
    """Blocks (indices) kept together, within `box` (x, y, width, height).

    Without a box they lie together anywhere: the least rectangle around them meets no block from outside the group.
    Raises VerificationError where there is no block or the box is empty or off the grid.
    """

    name: str
    blocks: tuple[int, ...]
    box: tuple[int, int, int, int] | None = None

    def __post_init__(self) -> None:
        if not self.blocks or len(set(self.blocks)) != len(self.blocks):
            raise VerificationError(f"group {self.name!r} needs blocks, each once")
        if self.box is not None and (min(self.box[:2]) < 0 or min(self.box[2:]) < 1):
            raise VerificationError(f"group {self.name!r}: {self.box} is no box on a fabric")


@dataclass(frozen=True, slots=True)
class Weights:
    """What a cycle of the slowest time, a hop of wire (times a net's weight) and an adapter cost.

    Raises VerificationError for a negative weight, or where time costs nothing.
    """

    time: Fraction = Fraction(1)
    wire: Fraction = Fraction(0)
    adapter: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        if self.time <= 0 or min(self.wire, self.adapter) < 0:
            raise VerificationError(f"weights of at least 0, and of time above 0, are needed: {self}")


@dataclass(frozen=True, slots=True)
class Problem:
    """Blocks in the order of the data flow, to be placed on the fabric.

    The aim is the least of time, wire and adapters by their `weights`. Without weights it is first the shortest
    time of the slowest block, then the shortest wire: the sum over the nets of weight times the Manhattan distance
    between the centres of the two rectangles. Raises VerificationError where there is no block or no tick in a
    cycle; PlacementError where two blocks share a name, a net or a group names a block that is absent, a block is
    in two groups, two groups share a name, or a block is pinned in a group without a box.
    """

    fabric: Fabric
    blocks: tuple[Block, ...]
    nets: tuple[Net, ...] = ()
    weights: Weights | None = None
    ticks_per_cycle: int = 1
    groups: tuple[Group, ...] = ()

    def __post_init__(self) -> None:
        if not self.blocks or self.ticks_per_cycle < 1:
            raise VerificationError("a placement problem needs a block, and a tick in a cycle")
        if len({block.name for block in self.blocks}) != len(self.blocks):
            raise PlacementError("Two blocks share a name.")
        last = len(self.blocks) - 1
        for net in self.nets:
            if max(net.source, net.target) > last:
                raise PlacementError(f"{net} names a block beyond the {len(self.blocks)} there are.")
        members = [block for group in self.groups for block in group.blocks]
        if len(set(members)) != len(members):
            raise PlacementError("A block is in two groups.")
        if members and not 0 <= min(members) <= max(members) <= last:
            raise PlacementError(f"A group names a block beyond the {len(self.blocks)} there are.")
        if len({group.name for group in self.groups}) != len(self.groups):
            raise PlacementError("Two groups share a name.")
        for group in self.groups:
            pinned = [self.blocks[block].name for block in group.blocks if self.blocks[block].pin is not None]
            if group.box is None and pinned:
                raise PlacementError(
                    f"Block {pinned[0]!r} is pinned, and its group {group.name!r} has no box: give the group one."
                )

    @property
    def is_bound(self) -> bool:
        """Whether some blocks may not lie anywhere."""
        return bool(self.groups) or any(block.pin is not None for block in self.blocks)
