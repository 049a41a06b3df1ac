"""The program of a wafer: kernels on regions of cores, and the streams between them. All that a simulator sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from wsc.backends.wafer.instructions import Move
from wsc.compiler.ir.types import TensorType
from wsc.compiler.layout import Layout, Mesh
from wsc.compiler.ops.base import Op

HOST = "host"


@dataclass(frozen=True)
class Buffer:
    """Memory of a kernel. `type` is the whole tensor, or one chunk of it where the kernel runs chunk by chunk.

    `role` is "weight" (filled before the first input, from `key`), "stream" (filled by recv), "local", or for programs
    whose data is resident "input" and "output": the host fills it before the start, and reads it after the end, of a
    run, under the name `key`, at no cost to the run. "state" is both: what it holds after one run, which the host may
    read under the names `after`, is there in the next. "fetched" is a weight outside the wafer, brought in by load.
    A buffer with `keys` has one content for every step of a repeat, under a name each, and in a step only that one is
    seen (of a fetched one `copies` are there at a time). A weight under a key lies as the tensor of that name does,
    row by row, whatever shape `type` gives it.
    `copies` are allocated side by side: chunks in flight of a stream, two for double buffering, and for a weight that
    is used chunk by chunk (`chunk_dim` >= 0) one for every chunk. `address` is in bytes from the first data byte.
    """

    name: str
    type: TensorType
    layout: Layout
    role: str
    key: str = ""
    copies: int = 1
    chunk_dim: int = -1
    address: int = 0
    keys: tuple[str, ...] = ()
    after: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The host's names for its contents: one a step of a repeat, or one."""
        return self.keys or (self.key,)

    @cached_property
    def tile_type(self) -> TensorType:
        """Type of one core's tile."""
        return self.layout.tile_type(self.type)

    @cached_property
    def bytes(self) -> int:
        """Bytes on one core, copies and alignment to a 32-bit word included."""
        return self.copies * -(-self.tile_type.bytes // 4) * 4


RESIDENT = ("weight", "input", "state")  # roles of buffers that are full before a run starts
KEYED = ("weight", "input", "output", "state", "fetched")  # roles of buffers that the host knows under a name


@dataclass(frozen=True)
class Loop:
    """`body`, `steps` times. Operands are what it reads from before; what it writes besides the result is scratch.

    The result is zero at the start: memory is cleared when the program is loaded. What the body reads before it writes
    it comes from the step before. No core waits for another at the end of a step, other than for data.
    """

    kind: ClassVar[str] = "loop"
    steps: int
    body: tuple[Instruction, ...]

    def __post_init__(self) -> None:
        if self.steps < 1 or any(isinstance(i.op, Loop) for i in self.body):
            raise ValueError("a loop takes at least one step, and no loop within it")


@dataclass(frozen=True)
class Repeat:
    """`body`, `steps` times: the layers of a model, say. The body may hold loops.

    Buffers keep their contents from step to step, so that what is written before may be written again, and read in the
    next step. Of a buffer with `keys`, step s sees content s.
    """

    kind: ClassVar[str] = "repeat"
    steps: int
    body: tuple[Instruction, ...]

    def __post_init__(self) -> None:
        if self.steps < 1 or any(isinstance(i.op, Repeat) for i in self.body):
            raise ValueError("a repeat takes at least one step, and no repeat within it")


@dataclass(frozen=True)
class Instruction:
    """`result = op(operands)`: a graph op on tiles, a movement or a loop; recv has no operand, send no result.

    A repeat has neither: its body says what it reads and writes.
    """

    op: Op | Move | Loop | Repeat
    operands: tuple[str, ...] = ()
    result: str = ""


@dataclass(frozen=True)
class Kernel:
    """What the cores of one region do for every input: `once`, then `body` `chunks` times.

    `group` is the class of the kernel (linear, attention, ...) for people; `code_bytes` the estimated code on a core;
    `location` the place in the model. `in_order`: instructions start one after another, and one input is through
    before the next one starts, so that buffers may lie where others did before. `wafer` counts wafers from 0.
    """

    name: str
    group: str
    x: int
    y: int
    mesh: Mesh
    buffers: tuple[Buffer, ...]
    once: tuple[Instruction, ...]
    chunks: int
    body: tuple[Instruction, ...]
    code_bytes: int
    location: str = ""
    in_order: bool = False
    wafer: int = 0

    @property
    def width(self) -> int:
        """Cores along x."""
        return self.mesh.width

    @property
    def height(self) -> int:
        """Cores along y."""
        return self.mesh.height

    @property
    def cores(self) -> int:
        """Cores of the region."""
        return self.width * self.height

    @property
    def data_bytes(self) -> int:
        """Bytes of data on one core: the end of the highest buffer."""
        return max((b.address + b.bytes for b in self.buffers), default=0)

    @cached_property
    def _by_name(self) -> dict[str, Buffer]:
        return {b.name: b for b in self.buffers}

    def __getitem__(self, name: str) -> Buffer:
        return self._by_name[name]

    def instructions(self) -> Iterator[Instruction]:
        """All instructions, once each; of a repeat or a loop, the whole."""
        yield from self.once
        yield from self.body

    def flat_instructions(self) -> Iterator[Instruction]:
        """All instructions, once each; of a repeat, those of its body."""
        for instruction in self.instructions():
            if isinstance(instruction.op, Repeat):
                yield from instruction.op.body
            else:
                yield instruction


@dataclass(frozen=True)
class Endpoint:
    """One end of a stream: a kernel's buffer (or the host's tensor) and how the tensor is chunked there.

    `type` is the whole tensor; it passes in `chunks` equal parts along `dim`. `at` is the core of the region's corner.
    """

    kernel: str
    buffer: str
    type: TensorType
    chunks: int = 1
    dim: int = 0
    at: tuple[int, int] = (0, 0)

    @property
    def chunk_type(self) -> TensorType:
        """Type of one chunk."""
        if self.chunks == 1:
            return self.type
        shape = list(self.type.shape)
        shape[self.dim] //= self.chunks
        return TensorType(self.type.dtype, tuple(shape))


@dataclass(frozen=True)
class Stream:
    """A tensor on its way between kernels: rerouted element by element through `views` (pure movement).

    Where both ends have the same number of chunks the views apply to a chunk, otherwise to the whole tensor (and one
    end has a single chunk). `capacity` is how many chunks the target's buffer holds. `route` is "xy" or "yx": which
    way wavelets go first.
    """

    name: str
    source: Endpoint
    target: Endpoint
    views: tuple[Op, ...]
    capacity: int
    route: str

    @property
    def transfers(self) -> int:
        """Number of transfers a tensor takes."""
        return max(self.source.chunks, self.target.chunks)


@dataclass(frozen=True)
class Program:
    """A compiled model: inputs and outputs are (name, type), in the order of the model's arguments and results."""

    name: str
    machine: str
    width: int
    height: int
    inputs: tuple[tuple[str, TensorType], ...]
    outputs: tuple[tuple[str, TensorType], ...]
    kernels: tuple[Kernel, ...]
    streams: tuple[Stream, ...]

    @cached_property
    def _kernels(self) -> dict[str, Kernel]:
        return {k.name: k for k in self.kernels}

    @cached_property
    def _streams(self) -> dict[str, Stream]:
        return {s.name: s for s in self.streams}

    def kernel(self, name: str) -> Kernel:
        """The kernel of a name; raises KeyError."""
        return self._kernels[name]

    def stream(self, name: str) -> Stream:
        """The stream of a name; raises KeyError."""
        return self._streams[name]

    @property
    def cores_used(self) -> int:
        """Cores that belong to a region."""
        return sum(k.cores for k in self.kernels)

    @property
    def wafers(self) -> int:
        """Wafers that the program runs on."""
        return 1 + max((k.wafer for k in self.kernels), default=0)

    @property
    def is_stateful(self) -> bool:
        """Whether a run reads what the run before left."""
        return any(b.role == "state" for k in self.kernels for b in k.buffers)

    @property
    def awaits_itself(self) -> bool:
        """Whether the next input is known only after this one's outputs: with state, and one token at a time.

        Tokens are inputs of integers, [sequences, tokens].
        """
        tokens = [type for _, type in self.inputs if type.dtype.is_integer and type.rank == 2]
        return self.is_stateful and all(type.shape[1] == 1 for type in tokens)
