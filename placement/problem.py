"""What is to be placed: a fabric of cores, blocks with their candidate rectangles, and the traffic between them."""

from __future__ import annotations

from dataclasses import dataclass

from wsc.compiler.errors import VerificationError

MAX_SIDE = 15_000  # two sentinels of the shape curves still add up within 16 bits


@dataclass(frozen=True, slots=True)
class Shape:
    """A candidate rectangle of a block.

    `width` and `height` are in cores, `time` is the cycles the stage takes for one input at that size, `payload` is
    an index that means something to the caller alone. Raises VerificationError where a side is not positive or the
    time is negative.
    """

    width: int
    height: int
    time: int
    payload: int = 0

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1 or self.time < 0:
            raise VerificationError(f"a shape needs positive sides and a time of at least 0: {self}")


@dataclass(frozen=True, slots=True)
class Block:
    """A fused kernel and the rectangles it can run in, every one of which fits the memory of its cores.

    `group` is a label for reports, such as the layer. Raises VerificationError where there is no shape.
    """

    name: str
    shapes: tuple[Shape, ...]
    group: str = ""

    def __post_init__(self) -> None:
        if not self.shapes:
            raise VerificationError(f"block {self.name!r} has no candidate shape")


@dataclass(frozen=True, slots=True)
class Net:
    """Traffic from block `source` to block `target` (indices into the problem), `weight` bytes an input.

    Raises VerificationError for a net from a block to itself and for a negative weight.
    """

    source: int
    target: int
    weight: int

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
class Problem:
    """Blocks in the order of the chain, to be placed on the fabric.

    The aim is first the shortest time of the slowest block, then the shortest wire: the sum over the nets of weight
    times the Manhattan distance between the centres of the two rectangles. Raises VerificationError where there is
    no block, two blocks share a name, or a net names a block that is absent.
    """

    fabric: Fabric
    blocks: tuple[Block, ...]
    nets: tuple[Net, ...] = ()

    def __post_init__(self) -> None:
        if not self.blocks:
            raise VerificationError("a placement problem needs a block")
        if len({block.name for block in self.blocks}) != len(self.blocks):
            raise VerificationError("two blocks share a name")
        for net in self.nets:
            if max(net.source, net.target) >= len(self.blocks):
                raise VerificationError(f"{net} names a block beyond the {len(self.blocks)} there are")
