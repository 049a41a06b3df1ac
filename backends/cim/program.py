"""A program for crossbars: stages in a pipeline, each spread in pieces over tiles, joined by streams of chunks.

A stage repeats its code once a chunk: a slice of its tensors along one dimension. A crossbar stage begins with a
product, whose bit-serial loops are spelled out; `copies` of its weights take the positions of a chunk in equal parts.
Blocks of the weight matrix lie on tiles as pieces; pieces that share columns exchange partial sums and
own a part of the results each. Steps follow on
the digital lanes. What leaves a stage streams to others, chunk by chunk, into buffers of a given capacity.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import ceil

from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops import IntegerContract, Op

HOST = "host"
UNSIGNED = "unsigned"  # an input encoding that every machine has: no sign to drive


@dataclass(frozen=True)
class Drive:
    """Drive `rows` rows of an array with one digit of the input each, and let the columns settle."""

    rows: int


@dataclass(frozen=True)
class Convert:
    """Convert `columns` columns of an array to numbers of `bits` bits."""

    columns: int
    bits: int


@dataclass(frozen=True)
class ShiftAdd:
    """Weigh the numbers of `slices` slices by their place and that of the input's digit, and add them up."""

    slices: int


@dataclass(frozen=True)
class Loop:
    """`body` repeated over something counted: "position", "phase" or "slice"."""

    over: str
    count: int
    body: tuple[Loop | Drive | Convert | ShiftAdd, ...]


@dataclass(frozen=True)
class Product:
    """`result` = `op` of `operand` and a weight: a matrix [groups, rows, columns] cut into blocks of units.

    Where `rewritten`, the matrix is an activation of the name `weight`, whole before the first chunk, and is written
    into the arrays for every input. Each of the `groups` matrices holds `packed` of the op's groups, on its diagonal. A
    block is `block_rows` x `block_columns` weights on `block_units` units. Blocks
    are numbered group by group, in a group column of blocks by column, in a column row by row.
    """

    result: str
    type: TensorType
    op: IntegerContract
    operand: str
    operand_type: TensorType
    weight: str
    weight_type: TensorType
    rewritten: bool
    packed: int
    groups: int
    rows: int
    columns: int
    encoding: str
    weight_bits: int
    cell_bits: int
    input_encoding: str
    input_bits: int
    dac_bits: int
    block_rows: int
    block_columns: int
    block_units: int
    loop: Loop

    @property
    def read(self) -> tuple[str, ...]:
        """What streams in: the vectors, and the matrix where it is written at run time."""
        return tuple(dict.fromkeys((self.operand, self.weight) if self.rewritten else (self.operand,)))

    @property
    def row_blocks(self) -> int:
        """Blocks that the rows are cut into; their partial sums are added up."""
        return ceil(self.rows / self.block_rows)

    @property
    def column_blocks(self) -> int:
        """Blocks that the columns are cut into."""
        return ceil(self.columns / self.block_columns)

    @property
    def blocks(self) -> int:
        """Blocks of one copy."""
        return self.groups * self.row_blocks * self.column_blocks

    @property
    def positions(self) -> int:
        """Products of the whole tensor: one for each column of the unrolled input."""
        return self.type.elements // (self.groups * self.columns)

    @property
    def phases(self) -> int:
        """Digits of an input."""
        return next(inner.count for inner in self.loop.body if isinstance(inner, Loop))

    @property
    def conversions(self) -> int:
        """Columns that one array converts in a phase."""
        inner = next(inner for inner in self.loop.body if isinstance(inner, Loop))
        return sum(part.columns for part in inner.body if isinstance(part, Convert))

    @property
    def macs(self) -> int:
        """Multiply-adds of one input, without padding."""
        return self.positions * self.groups * self.rows * self.columns // self.packed


@dataclass(frozen=True)
class Step:
    """`result` = `op` of tensors, on the digital lanes of the pieces that own outputs."""

    result: str
    type: TensorType
    op: Op
    operands: tuple[str, ...]


@dataclass(frozen=True)
class Piece:
    """What a stage does on one tile: blocks `first` to `first + count` of a copy, in `units` units.

    Each chunk it loads `loads` bytes from the tile's buffer, makes `adds` additions of partial sums, sends `sends`
    bytes of them in equal parts to the tiles `peers`, and owns `outputs` results, whose digital steps it makes.
    """

    tile: int
    copy: int
    first: int
    count: int
    units: int
    loads: int
    adds: int
    sends: int
    peers: tuple[int, ...]
    outputs: int


@dataclass(frozen=True)
class Stage:
    """Code that repeats once a chunk, and where it runs; `round` counts the fillings of the arrays, from 0.

    A stage larger than all arrays fills them `passes` times and goes through its chunks each time.
    """

    name: str
    group: str
    chunks: int
    copies: int
    round: int
    passes: int
    product: Product | None
    steps: tuple[Step, ...]
    pieces: tuple[Piece, ...]

    @cached_property
    def tiles(self) -> tuple[int, ...]:
        """Tiles that the stage uses, each once."""
        return tuple(dict.fromkeys(piece.tile for piece in self.pieces))

    @property
    def positions(self) -> int:
        """Products that one copy makes in a chunk, the most of any."""
        return next(iter([self.product.loop.count])) if self.product else 0


@dataclass(frozen=True)
class Span:
    """Which rows of a source a target's rows [a, b) need: [a * stride - lo, (b - 1) * stride - lo + taps)."""

    stride: int
    lo: int
    taps: int


@dataclass(frozen=True)
class Stream:
    """A tensor from a stage (or the host) to another (or the host).

    The source gives it in `source_chunks` of `source_rows` rows, of `extent` in all; chunk k of the target stands for
    its rows from k * `target_rows`. `span` is what they need; None the whole tensor. The target has room for
    `capacity` chunks, kept in the buffers of the tiles `homes`.
    """

    name: str
    source: str
    target: str
    tensor: str
    type: TensorType
    extent: int
    source_rows: int
    source_chunks: int
    target_rows: int
    target_chunks: int
    span: Span | None
    capacity: int
    homes: tuple[int, ...]

    @property
    def chunk_bytes(self) -> int:
        """Bytes of one chunk of the source."""
        return ceil(self.type.bytes / self.source_chunks)

    def needed(self, chunk: int) -> int:
        """Chunks of the source that must be there before a chunk of the target can begin."""
        if self.span is None:
            return self.source_chunks
        last = (chunk + 1) * self.target_rows - 1
        rows = min(self.extent, last * self.span.stride - self.span.lo + self.span.taps)
        if chunk == self.target_chunks - 1:
            rows = self.extent
        return min(self.source_chunks, max(1, ceil(rows / self.source_rows)))

    def freed(self, chunk: int) -> int:
        """Chunks of the source that no later chunk of the target reads."""
        if chunk == self.target_chunks - 1:
            return self.source_chunks
        if self.span is None:
            return 0
        first = (chunk + 1) * self.target_rows * self.span.stride - self.span.lo
        return min(self.source_chunks, max(0, first // self.source_rows))


@dataclass(frozen=True)
class Port:
    """An input or output of the program."""

    name: str
    type: TensorType


@dataclass(frozen=True)
class Program:
    """A whole program. `places` says where each tile lies: (chip, x, y); grids are `width` x `height` tiles a chip."""

    name: str
    machine: str
    width: int
    height: int
    chips: int
    places: tuple[tuple[int, int, int], ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    weights: tuple[tuple[str, str, TensorType], ...]  # name, key and type of what the steps read besides
    stages: tuple[Stage, ...]
    streams: tuple[Stream, ...] = field(default=())

    @cached_property
    def by_name(self) -> dict[str, Stage]:
        """Stages by name."""
        return {stage.name: stage for stage in self.stages}

    @property
    def rounds(self) -> int:
        """How often the arrays are filled for one input: 1 where all weights stay."""
        return 1 + max((stage.round for stage in self.stages), default=0)
