"""What a rank does: kernels, collectives, messages, memory, and how instructions wait for each other.

Instructions go to streams. Those of one stream follow each other, streams run side by side; "compute" is the stream of
the kernels. An instruction that names an `event` sets it when it ends; one that is `after` an event waits for it, as it
was last set before in the order of the program. A collective or message on the stream "compute" holds up the kernels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from wsc.backends.gpu_cluster.kernels import CollectiveKind, Kernel
from wsc.compiler.ops.base import Op

COMPUTE = "compute"


@dataclass(frozen=True)
class Step:
    """`result = op(operands)` on the tiles that a rank holds."""

    result: str
    op: Op
    operands: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Awaited:
    """Something that sets an event when it ends, and starts after others are set."""

    event: str = ""
    after: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Issued(Awaited):
    """Something that goes to a stream."""

    stream: str = COMPUTE


@dataclass(frozen=True)
class Launch(Issued):
    """One kernel; `label` is what it is for. `steps` is what it computes, where the program can be executed."""

    kernel: Kernel
    label: str
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Communicate(Issued):
    """A collective among the ranks that differ in `axes` alone; `bytes` counts as in `kernels.Collective`.

    Where the program can be executed, tiles of `operand` become tiles of `result`, put together or cut along `dim`
    (all_to_all: cut along `dim`, put together along `other_dim`). `one_shot` allows a serving library's own kernel for
    small all-reduces.
    """

    kind: CollectiveKind
    bytes: int
    axes: tuple[str, ...]
    label: str
    operand: str = ""
    result: str = ""
    dim: int = -1
    other_dim: int = -1
    one_shot: bool = False


@dataclass(frozen=True)
class Send(Issued):
    """`bytes` to the rank `steps` further along `axis` (round the end). Messages of a channel arrive in order."""

    kind: ClassVar[str] = "send"
    channel: str
    axis: str
    steps: int
    bytes: int
    operand: str = ""


@dataclass(frozen=True)
class Recv(Issued):
    """Waits for the next message of a channel from the rank `steps` further along `axis`."""

    kind: ClassVar[str] = "recv"
    channel: str
    axis: str
    steps: int
    bytes: int
    result: str = ""


@dataclass(frozen=True)
class Alloc:
    """Takes memory of the GPU; one name may be taken several times."""

    kind: ClassVar[str] = "alloc"
    name: str
    bytes: int


@dataclass(frozen=True)
class Free:
    """Gives back what was taken under a name, one time."""

    kind: ClassVar[str] = "free"
    name: str


@dataclass(frozen=True)
class Keep:
    """Of a tensor that all ranks of a group hold, each keeps its own part along `dim`; a view, which takes no time."""

    kind: ClassVar[str] = "keep"
    operand: str
    result: str
    dim: int
    axes: tuple[str, ...]


@dataclass(frozen=True)
class Wait:
    """Holds up the stream "compute" until events are set."""

    kind: ClassVar[str] = "wait"
    after: tuple[str, ...]


@dataclass(frozen=True)
class Host(Issued):
    """Operations of the host that launch no kernel, such as views. On the stream "compute" they hold up its kernels."""

    kind: ClassVar[str] = "host"
    operations: int


@dataclass(frozen=True)
class Call(Awaited):
    """A block, `times` times one after another, on the stream "compute"; it ends when all that it issued has ended."""

    kind: ClassVar[str] = "call"
    block: str
    times: int = 1


@dataclass(frozen=True)
class Repeat:
    """The instructions of `body`, `times` times."""

    kind: ClassVar[str] = "repeat"
    times: int
    body: tuple[Instruction, ...]


Instruction = Launch | Communicate | Send | Recv | Call | Alloc | Free | Keep | Wait | Host | Repeat
