"""What a fabric is made of: a mesh, the routes of its colours, and the instructions of its cores.

A wavelet is a 32-bit word of one colour. At every router a colour has up to four *positions*; each says from which
ports it takes wavelets and to which it gives every one of them. The last wavelet of a message moves each router that
it passes on to the next position of the router's sequence. A wavelet that comes from a port which the present position
does not take waits in its queue.

An instruction of a core occupies the core's issue for a while and sets off *transfers*, which go on by themselves, a
word at a time, between memory and the colours of the core's ramp.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

NORTH, SOUTH, EAST, WEST, RAMP = range(5)
PORTS = ("north", "south", "east", "west", "ramp")
OPPOSITE = (SOUTH, NORTH, WEST, EAST)
STEPS = ((0, -1), (0, 1), (1, 0), (-1, 0))  # of x and y, for the first four ports
MOST_POSITIONS = 4
PACE = 1024  # of a transfer that takes a cycle a word; paces count in this part of a cycle

_MOST_PLACES = 30_000
COMBINE = ("", "sum", "max", "min")


class Lanes(IntEnum):
    """What a word holds, for arithmetic: one element of 32 bits or two of 16."""

    F32 = 0
    F16 = 1
    BF16 = 2
    I32 = 3
    I16 = 4


@dataclass(frozen=True)
class Fabric:
    """Figures of a mesh: `queue_words` in every queue of a router; ports and banks are those of a core's memory.

    `rates[g]` are the words a cycle that the cores of group g send, or receive, at most together.
    """

    width: int
    height: int
    queue_words: int
    hop_cycles: int
    ramp_cycles: int
    read_bytes: int
    write_bytes: int
    banks: int
    rates: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if min(self.width, self.height, self.hop_cycles, self.ramp_cycles, self.banks) < 1:
            raise ValueError("a fabric has cores and banks, and hops and ramps take a cycle or more")
        if self.queue_words < 2:
            raise ValueError("a queue needs room for two wavelets to pass on one every cycle")
        if self.queue_words + max(self.hop_cycles, self.ramp_cycles) > _MOST_PLACES:
            raise ValueError(f"a queue and the way to it hold {_MOST_PLACES:,} wavelets at most")
        if self.read_bytes < 4 or self.write_bytes < 4:
            raise ValueError("a memory port passes a word a cycle or more")


@dataclass(frozen=True)
class Position:
    """Ports that a colour comes from, and those that it leaves by; all of the latter get every wavelet."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Route:
    """A colour at the router (x, y): `sequence` names the position of each message in turn, from the start again.

    Without `credits` the colour's wavelets don't wait for room: one that finds a full queue is an error.
    """

    x: int
    y: int
    color: int
    positions: tuple[Position, ...]
    sequence: tuple[int, ...] = (0,)
    credits: bool = True

    def __post_init__(self) -> None:
        if not 1 <= len(self.positions) <= MOST_POSITIONS:
            raise ValueError(f"a colour has 1 to {MOST_POSITIONS} positions, not {len(self.positions)}")
        if not self.sequence or max(self.sequence) >= len(self.positions):
            raise ValueError("a sequence names positions that there are")


@dataclass(frozen=True, eq=False)
class Access:
    """Memory that a transfer walks over: words from byte `base`, or the units of `table` in turn.

    A unit has 1, 2 or 4 bytes; `table` counts units from `base`.
    """

    base: int
    table: NDArray[np.int32] | None = None
    unit: int = 4

    def __post_init__(self) -> None:
        if self.base % 4 or self.unit not in (1, 2, 4):
            raise ValueError("memory is walked from a whole word, in units of 1, 2 or 4 bytes")


@dataclass(frozen=True, eq=False)
class Transfer:
    """`words` words, one every `pace` / PACE cycles: from memory or a colour, to memory or a colour or both.

    Where it both reads and receives, `combine` says how ("sum", "max", "min"), on `lanes`. It starts `delay` cycles
    after its instruction, or after transfer `after` of the instruction has ended, and never gets ahead of transfer
    `behind`, or begins only when that has ended, if it is to be `whole`. A message ends with its last word.
    """

    words: int
    receives: int = -1
    sends: int = -1
    reads: Access | None = None
    writes: Access | None = None
    combine: str = ""
    lanes: Lanes = Lanes.F32
    pace: int = PACE
    delay: int = 0
    after: int = -1
    behind: int = -1
    whole: bool = False

    def __post_init__(self) -> None:
        if self.words < 1 or self.pace < 1:
            raise ValueError("a transfer moves a word or more, and takes time for it")
        if (self.receives >= 0 and self.reads is not None) != bool(self.combine):
            raise ValueError("a transfer that reads and receives says how to combine")
        if self.receives < 0 and self.reads is None:
            raise ValueError("a transfer takes its words from somewhere")


@dataclass(frozen=True, eq=False)
class Instruction:
    """What a core does next, when its issue is free, `waits` are met and a word has come on one of `triggers`.

    The issue is occupied for `occupancy` cycles. It is done when these have passed and all transfers have ended; then
    counter `counts` goes up. `waits` are (counter, least value). `call`, if it is not negative, is told to the host of
    the simulation when the instruction is done, before anything sees that. `urgent` ones go before others, then `age`.

    A `background` instruction is carried out by a micro-thread: it does not wait for the issue to be free, but its
    `occupancy`, and a cycle for each word that it moves, are taken from whatever occupies the issue meanwhile.
    """

    name: str
    counts: int
    occupancy: int = 0
    waits: tuple[tuple[int, int], ...] = ()
    triggers: tuple[int, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    call: int = -1
    urgent: bool = False
    background: bool = False
    age: int = 0


@dataclass(eq=False)
class Core:
    """The core at (x, y): `queues` of instructions, each in order; the issue chooses among their heads.

    `group` names an entry of the fabric's rates, or none. Cores that follow each other, with memories of one size and
    one `block`, have them side by side: word by word, since they walk over them in step.
    """

    x: int
    y: int
    queues: list[list[Instruction]] = field(default_factory=list)
    counters: int = 0
    memory_bytes: int = 0
    group: int = -1
    block: int = -1
