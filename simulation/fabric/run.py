"""The clock of a fabric, and what it stops for: instructions that the host carries out, the end, and faults."""

# mypy: disallow-untyped-decorators = False

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from wsc.compiler.errors import SimulationError
from wsc.simulation.fabric.assemble import assemble
from wsc.simulation.fabric.core import called, step_cores
from wsc.simulation.fabric.diagnose import describe_collision, describe_deadlock, describe_overflow
from wsc.simulation.fabric.jit import inlined
from wsc.simulation.fabric.parts import Core, Fabric, Route
from wsc.simulation.fabric.router import release, step_routers, wake
from wsc.simulation.fabric.state import (
    ACTIVE,
    CALLING,
    CALLS,
    COLLIDED,
    DONE,
    FAULT,
    LEFT,
    LIMIT,
    MOVED,
    NEVER,
    NEXT,
    NOW,
    OVERFLOWED,
    STUCK,
    TIMERS,
    WAKING,
    Layout,
    State,
)
from wsc.simulation.fabric.timers import add, take


@dataclass(frozen=True)
class Call:
    """The host carries out the instructions of number `call` on some cores, which are given by their numbers."""

    call: int
    cores: tuple[int, ...]


class Machine:
    """A fabric at work; memory that nothing has written is all ones."""

    def __init__(self, fabric: Fabric, routes: Sequence[Route], cores: Sequence[Core]) -> None:
        self._parts = assemble(fabric, routes, cores)

    def memory(self, first: int, count: int = 1) -> NDArray[np.uint8]:
        """The memory of `count` cores of one size from core `first` on: [core, byte], to read and to write."""
        start = int(self._parts.layout.memory_first[first])
        size = -(-self._parts.cores[first].memory_bytes // 8) * 8
        return self._parts.state.memory8[start : start + count * size].reshape(count, size)

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
        times = self._parts.state.instruction_done.tolist()
        for instruction, time in zip(self._parts.instructions, times, strict=True):
            found[id(instruction)] = max(found.get(id(instruction), -1), time)
        return found

    @property
    def done_times(self) -> NDArray[np.int64]:
        """For every instruction, core by core and queue by queue, the cycle in which it was done, or -1."""
        return self._parts.state.instruction_done

    def run(self, host: Callable[[Call], None] | None = None, limit: int = 1 << 40) -> int:
        """Run to the end and return its cycle; `host` carries out calls, which then are done.

        Raises SimulationError at a deadlock, with the circle of who waits for whom, where two wavelets collide, where
        one finds a full queue that it could not wait for, and at cycle `limit`.
        """
        parts = self._parts
        while (stop := int(advance(parts.layout, parts.state, limit))) == CALLING:
            due = take_calls(parts.layout, parts.state)
            for call in _grouped(parts.layout, due):
                if host is not None:
                    host(call)
            finish_calls(parts.layout, parts.state, due)
        if stop == STUCK:
            raise SimulationError(describe_deadlock(parts))
        if stop == COLLIDED:
            raise SimulationError(describe_collision(parts))
        if stop == OVERFLOWED:
            raise SimulationError(describe_overflow(parts))
        if stop == LIMIT:
            raise SimulationError(f"not done at cycle {limit}")
        return self.cycles


def _grouped(layout: Layout, due: NDArray[np.int32]) -> list[Call]:
    calls = layout.instruction_call[due]
    cores = layout.instruction_core[due]
    return [Call(int(c), tuple(int(i) for i in cores[calls == c])) for c in np.unique(calls)]


@njit(cache=True, _nrt=False, error_model="numpy")
def advance(layout: Layout, state: State, limit: int) -> int:
    """Cycle after cycle, until something stops it; cycles in which nothing can happen are skipped."""
    clock = state.clock
    while clock[LEFT] > 0:
        now = clock[NOW]
        if now >= limit:
            return LIMIT
        if clock[CALLS] and state.call_time[0] <= now:
            return CALLING
        while clock[TIMERS] and state.timer_time[0] <= now:
            wake(state, take(state.timer_time, state.timer_core, clock, TIMERS))
        clock[MOVED] = 0
        clock[NEXT] = NEVER
        step_routers(layout, state)
        step_cores(layout, state)
        release(layout, state)
        if clock[FAULT]:
            return clock[FAULT]
        if clock[LEFT] == 0:
            return DONE
        soonest = _soonest(state)
        if soonest == NEVER:
            return STUCK
        clock[NOW] = max(now + 1, soonest)
    return DONE


@inlined
def _soonest(state: State) -> int:
    """The next cycle in which something may happen: the next at once, where something has, or a core is awake."""
    clock = state.clock
    if clock[MOVED] or clock[WAKING]:
        return clock[NOW] + 1
    soonest = clock[NEXT]
    if clock[TIMERS]:
        soonest = min(soonest, state.timer_time[0])
    if clock[CALLS]:
        soonest = min(soonest, state.call_time[0])
    return soonest


@njit(cache=True,error_model="numpy")
def take_calls(layout: Layout, state: State) -> NDArray[np.int32]:
    """The instructions that end now and that the host carries out; those that micro-threads held up end later."""
    found = np.empty(state.clock[CALLS], np.int32)
    count = 0
    while state.clock[CALLS] and state.call_time[0] <= state.clock[NOW]:
        instruction = take(state.call_time, state.call_instruction, state.clock, CALLS)
        end = state.issue_free[layout.instruction_core[instruction]]
        if end > state.clock[NOW]:
            add(state.call_time, state.call_instruction, state.clock, CALLS, end, instruction)
        else:
            found[count] = instruction
            count += 1
    return found[:count]


@njit(cache=True,error_model="numpy")
def finish_calls(layout: Layout, state: State, due: NDArray[np.int32]) -> None:
    """The host has carried them out."""
    for instruction in due:
        called(layout, state, instruction)
