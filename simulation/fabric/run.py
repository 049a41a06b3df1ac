"""The clock of a fabric, and what it stops for: instructions that the host carries out, the end, and faults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsc.compiler.errors import SimulationError
from wsc.simulation.fabric.assemble import assemble
from wsc.simulation.fabric.clock import advance
from wsc.simulation.fabric.diagnose import describe_collision, describe_deadlock, describe_overflow
from wsc.simulation.fabric.parts import Core, Fabric, Route
from wsc.simulation.fabric.state import (
    ACTIVE,
    CALLING,
    COLLIDED,
    DUE,
    LIMIT,
    MOST_CYCLES,
    NOW,
    OVERFLOWED,
    STUCK,
    State,
)


@dataclass(frozen=True)
class Call:
    """The host carries out the instructions of number `call` on some cores, which are given by their numbers."""

    call: int
    cores: tuple[int, ...]


class Machine:
    """A fabric at work; memory that nothing has written is all ones."""

    def __init__(self, fabric: Fabric, routes: Sequence[Route], cores: Sequence[Core]) -> None:
        self._parts = assemble(fabric, routes, cores)

    def memory(self, core: int) -> NDArray[np.uint8]:
        """The bytes of a core's memory, to read and to write; of one that is not in a block with others."""
        words = self.words(core, 1)
        return words.reshape(-1).view(np.uint8)

    def words(self, first: int, count: int) -> NDArray[np.uint32]:
        """The memory of the `count` cores of a block from core `first` on, to read and to write: [word, core]."""
        state = self._parts.state
        start, size = int(state.cores["memory"][first]), -(-self._parts.cores[first].memory_bytes // 8) * 2
        if count != int(state.cores["stride"][first]):
            raise ValueError(f"{count} cores from core {first} on are no block")
        return state.memory32[start : start + count * size].reshape(size, count)

    @property
    def cycles(self) -> int:
        """The present cycle."""
        return int(self._parts.state.clock[NOW])

    @property
    def active_core_cycles(self) -> int:
        """Tiles that did something (moved or held a wavelet, issued, moved a word), summed over the cycles so far."""
        return int(self._parts.state.clock[ACTIVE])

    def done_by_identity(self) -> dict[int, int]:
        """For every instruction, by `id`, the cycle in which the last core that has it was done with it, or -1."""
        found: dict[int, int] = {}
        times = self.done_times.tolist()
        for instruction, time in zip(self._parts.instructions, times, strict=True):
            found[id(instruction)] = max(found.get(id(instruction), -1), time)
        return found

    @property
    def done_times(self) -> NDArray[np.int64]:
        """For every instruction, core by core and queue by queue, the cycle in which it was done, or -1."""
        times: NDArray[np.int64] = self._parts.state.instructions["done"]
        return times

    def run(self, host: Callable[[Call], None] | None = None, limit: int = MOST_CYCLES) -> int:
        """Run to the end and return its cycle; `host` carries out calls, which then are done.

        Raises SimulationError at a deadlock, with the circle of who waits for whom, where two wavelets collide, where
        one finds a full queue that it could not wait for, and at cycle `limit` (2^31 - 1 at most).
        """
        parts, limit = self._parts, min(limit, MOST_CYCLES)
        while (stop := int(advance(parts.layout, parts.state, limit))) == CALLING:
            due = parts.state.due_calls[: parts.state.clock[DUE]]
            for call in _grouped(parts.state, due):
                if host is not None:
                    host(call)
        if stop == STUCK:
            raise SimulationError(describe_deadlock(parts))
        if stop == COLLIDED:
            raise SimulationError(describe_collision(parts))
        if stop == OVERFLOWED:
            raise SimulationError(describe_overflow(parts))
        if stop == LIMIT:
            raise SimulationError(f"not done at cycle {limit}")
        return self.cycles


def _grouped(state: State, due: NDArray[np.int32]) -> list[Call]:
    calls = state.instructions["call"][due]
    cores = state.instructions["core"][due]
    return [Call(int(c), tuple(int(i) for i in cores[calls == c])) for c in np.unique(calls)]
