"""Movement instructions of a wafer kernel; local compute is a graph op (`wsc.compiler.ops`) on tiles.

Every instruction is SPMD: all cores of the kernel's region execute it on their tiles. An axis "a*b" is the line of all
parts of neighbouring axes a and b of one direction, b's running faster. Attributes that are None are left out of the
text form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, get_args


@dataclass(frozen=True)
class Recv:
    """Take the next chunk of a stream (all chunks, where the buffer holds the whole tensor) into the result."""

    kind: ClassVar[str] = "recv"
    stream: str


@dataclass(frozen=True)
class Send:
    """Hand the operand to a stream as its next chunk."""

    kind: ClassVar[str] = "send"
    stream: str


@dataclass(frozen=True)
class Multicast:
    """Copy the operand from part `root` (0 where not given) of each of `axes` to all their parts."""

    kind: ClassVar[str] = "multicast"
    axes: tuple[str, ...]
    root: int | None = None


@dataclass(frozen=True)
class Broadcast:
    """In step s of a loop: copy the operand from part s of `axis`, modulo the number of parts, to all its parts.

    `pieces` cuts the tile's dimension `dim` into equal pieces and s counts these: piece s modulo `pieces` of part
    s // `pieces` is copied, and the result is as large as a piece.
    """

    kind: ClassVar[str] = "broadcast"
    axis: str
    dim: int | None = None
    pieces: int | None = None


@dataclass(frozen=True)
class ReduceTo:
    """Combine the parts of `axis` by `fn` ("sum", "max", "min") on part 0, along a chain of cores.

    `algorithm` names another order (`wsc.backends.wafer.trees`), with `group` parts to a group where it has groups.
    """

    kind: ClassVar[str] = "reduce_to"
    axis: str
    fn: str = "sum"
    algorithm: str | None = None
    group: int | None = None


@dataclass(frozen=True)
class ReduceScatter:
    """Combine the parts of `axis` by `fn`, each part keeping its tile of dimension `dim`."""

    kind: ClassVar[str] = "reduce_scatter"
    axis: str
    dim: int
    fn: str = "sum"


@dataclass(frozen=True)
class AllReduce:
    """Combine the parts of `axis` by `fn` and give every part the result: a chain to part 0, and a multicast back.

    `algorithm` names another order, with `group` parts to a group where it has groups: a tree towards part `root` from
    both sides (0 where not given), and a multicast from there; or "ring", in which every part combines its share of
    the tile on an interleaved ring and passes it round.
    """

    kind: ClassVar[str] = "all_reduce"
    axis: str
    fn: str = "sum"
    algorithm: str | None = None
    group: int | None = None
    root: int | None = None


@dataclass(frozen=True)
class ReduceInto:
    """In step s of a loop: put the operand's sum over the parts of `axis` into the loop's result, on one part.

    `pieces` cuts the result's tile into equal pieces along `dim`. Block b of them goes to piece b modulo `pieces` of
    part b // `pieces`; the sum is block s. With `skew`, block of the parts there is the tile that they hold after s
    shifts by one part along `skew`, on a ring as in Shift.
    """

    kind: ClassVar[str] = "reduce_into"
    axis: str
    dim: int
    pieces: int = 1
    skew: str | None = None
    ring: str | None = None


@dataclass(frozen=True)
class Halo:
    """Extend the tile of dimension `dim` by `lo` and `hi` elements of the neighbours along `axis`.

    Outside the tensor they are `fill`. At most one tile's worth of elements comes from either neighbour.
    """

    kind: ClassVar[str] = "halo"
    dim: int
    axis: str
    lo: int
    hi: int
    fill: float = 0.0


@dataclass(frozen=True)
class Shift:
    """Cyclic shift along `axis`: part p receives the operand of part (p + by) modulo the number of parts.

    `ring` "interleaved" counts parts in the order 0, 2, 4, ..., 5, 3, 1, in which neighbours are at most two parts
    apart. `skew` names another axis: parts there shift `by` times their own number in that order. `pieces` cuts the
    tile's dimension `dim` into equal pieces, and `by` then counts pieces of the whole ring. `enter` says that only the
    result is counted on the ring, and the operand in line: number n of the ring receives part n + by.
    """

    kind: ClassVar[str] = "shift"
    axis: str
    by: int
    ring: str | None = None
    skew: str | None = None
    dim: int | None = None
    pieces: int | None = None
    enter: bool | None = None


@dataclass(frozen=True)
class Rotate:
    """In step s of a loop: a cyclic shift by one part of piece s modulo `pieces` of dimension `dim`; others stay.

    The operand is the result. `ring` as in Shift.
    """

    kind: ClassVar[str] = "rotate"
    axis: str
    dim: int
    pieces: int
    ring: str | None = None


@dataclass(frozen=True)
class AllToAll:
    """Exchange along `axis`: cut dimension `split` over the parts, join dimension `join` that was cut over them."""

    kind: ClassVar[str] = "all_to_all"
    axis: str
    split: int
    join: int


@dataclass(frozen=True)
class AllGather:
    """Join dimension `dim`, that was cut over the parts of `axis`, on every part."""

    kind: ClassVar[str] = "all_gather"
    axis: str
    dim: int


@dataclass(frozen=True)
class Keep:
    """Of a tensor that all parts of `axis` hold, each part keeps its tile of dimension `dim`: a local copy."""

    kind: ClassVar[str] = "keep"
    axis: str
    dim: int


@dataclass(frozen=True)
class Exchange:
    """Bring the operand, which has no overlaps, into the result's layout, which has no copies.

    Every element goes from the core that owns it, part 0 of the axes that cut nothing, straight to the cores whose tile
    holds it, first along x and then along y.
    """

    kind: ClassVar[str] = "exchange"


@dataclass(frozen=True)
class Append:
    """Put operand 0, one element of dimension `dim`, into the cache (operand 1), of which n (operand 2) are there.

    Dimension `dim` of the cache is cut along `axis`, and counts slots. The new element is on part 0 of `axis`. Without
    `balanced` it stays there. With it every part before part n modulo P hands its oldest element on to the next part,
    so that no part ever holds two more than another; the slots of a part are a ring buffer. The result overwrites the
    cache. `start` elements, in balance, were there before those that stay on part 0.
    """

    kind: ClassVar[str] = "append"
    axis: str
    dim: int
    balanced: bool = True
    start: int = 0


@dataclass(frozen=True)
class Filled:
    """Which slots of a cache hold one of its n (operand 0) elements: truth values; attributes as of Append."""

    kind: ClassVar[str] = "filled"
    axis: str
    dim: int
    balanced: bool = True
    start: int = 0


@dataclass(frozen=True)
class Position:
    """The global index along dimension `dim` of every element of the result, which is of integers."""

    kind: ClassVar[str] = "position"
    dim: int


@dataclass(frozen=True)
class Lookup:
    """Rows of a table (operand 0) whose dimension 0 is cut along `axis`, by global index (operand 1).

    Each part gives the rows it holds and zeros for others: a partial sum of the result.
    """

    kind: ClassVar[str] = "lookup"
    axis: str


@dataclass(frozen=True)
class Insert:
    """Replace slices of the result along `dim`, at global places (operand 0), by those of operand 1.

    Each part replaces what its tile holds and leaves the rest; a place outside the tensor replaces nothing.
    """

    kind: ClassVar[str] = "insert"
    dim: int


@dataclass(frozen=True)
class Positions:
    """Fill the result, of one dimension, with the global places of its tile's elements; past the end with 2^30."""

    kind: ClassVar[str] = "positions"


@dataclass(frozen=True)
class Load:
    """Bring a fetched weight in over the wafer's edge; the core goes on meanwhile.

    In step s of a repeat: content s + `ahead`, or nothing where the repeat ends before. No other load of the wafer uses
    the edge at the same time.
    """

    kind: ClassVar[str] = "load"
    ahead: int = 0


@dataclass(frozen=True)
class MultiplyAdd:
    """In a loop: add the contraction of two tiles to the loop's result, rounded to its element type in every step.

    `vector` is the letter of the result's dimension that its vector instructions run along; the longest if not given.
    With `pieces`, an operand's tile holds so many pieces along the dimension that is summed, and step s takes piece s
    modulo their number.
    """

    kind: ClassVar[str] = "multiply_add"
    equation: str
    vector: str | None = None
    pieces: tuple[int, int] | None = None


@dataclass(frozen=True)
class Wait:
    """In a loop: go on when the operands are there; no result."""

    kind: ClassVar[str] = "wait"


Move = (
    Recv
    | Send
    | Multicast
    | Broadcast
    | ReduceTo
    | ReduceInto
    | ReduceScatter
    | AllReduce
    | Halo
    | Shift
    | Rotate
    | AllToAll
    | AllGather
    | Keep
    | Exchange
    | Append
    | Filled
    | Position
    | Lookup
    | Insert
    | Positions
    | Load
    | MultiplyAdd
    | Wait
)
MOVES: dict[str, type[Move]] = {cls.kind: cls for cls in get_args(Move)}


def lines_of(op: Move) -> tuple[str, ...]:
    """The axes, and lines of axes, that a movement goes along."""
    named = (getattr(op, "axis", None), getattr(op, "skew", None), *getattr(op, "axes", ()))
    return tuple(name for name in named if name is not None)
