"""Movement instructions of a wafer kernel; local compute is a graph op (`wsc.compiler.ops`) on tiles.

Every instruction is SPMD: all cores of the kernel's region execute it on their tiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


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
    """Copy the operand from part 0 of each of `axes` to all their parts."""

    kind: ClassVar[str] = "multicast"
    axes: tuple[str, ...]


@dataclass(frozen=True)
class ReduceTo:
    """Combine the parts of `axis` by `fn` ("sum", "max", "min") on part 0, along a chain of cores."""

    kind: ClassVar[str] = "reduce_to"
    axis: str
    fn: str = "sum"


@dataclass(frozen=True)
class ReduceScatter:
    """Combine the parts of `axis` by `fn`, each part keeping its tile of dimension `dim`."""

    kind: ClassVar[str] = "reduce_scatter"
    axis: str
    dim: int
    fn: str = "sum"


@dataclass(frozen=True)
class AllReduce:
    """Combine the parts of `axis` by `fn` and give every part the result."""

    kind: ClassVar[str] = "all_reduce"
    axis: str
    fn: str = "sum"


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
    """Cyclic shift along `axis`: part p receives the operand of part (p + by) modulo the number of parts."""

    kind: ClassVar[str] = "shift"
    axis: str
    by: int


@dataclass(frozen=True)
class AllToAll:
    """Exchange along `axis`: cut dimension `split` over the parts, join dimension `join` that was cut over them."""

    kind: ClassVar[str] = "all_to_all"
    axis: str
    split: int
    join: int


@dataclass(frozen=True)
class Lookup:
    """Rows of a table (operand 0) whose dimension 0 is cut along `axis`, by global index (operand 1).

    Each part gives the rows it holds and zeros for others: a partial sum of the result.
    """

    kind: ClassVar[str] = "lookup"
    axis: str


Move = Recv | Send | Multicast | ReduceTo | ReduceScatter | AllReduce | Halo | Shift | AllToAll | Lookup
MOVES: dict[str, type[Move]] = {
    cls.kind: cls
    for cls in (Recv, Send, Multicast, ReduceTo, ReduceScatter, AllReduce, Halo, Shift, AllToAll, Lookup)
}
