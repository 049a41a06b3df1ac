"""Cycle after cycle: what `run` calls, the one function that is compiled for good."""

# mypy: disallow-untyped-decorators = False

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from wsc.simulation.fabric.core import called, step_cores
from wsc.simulation.fabric.jit import inlined, kept
from wsc.simulation.fabric.router import release, step_routers, wake
from wsc.simulation.fabric.state import (
    CALLING,
    CALLS,
    DONE,
    DUE,
    FAULT,
    LEFT,
    LIMIT,
    MOVED,
    NEVER,
    NEXT,
    NOW,
    STUCK,
    TIMERS,
    TURN,
    WAKING,
    Layout,
    State,
)
from wsc.simulation.fabric.timers import add, take


def stamp_of(folder: Path) -> int:
    """A number that changes with the source of any module of a folder; never 0."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return int.from_bytes(digest.digest()[:7], "little") | 1


def _compiled(stamp: int) -> Callable[[Layout, State, int], int]:
    """The loop of cycles. numba keeps code by a function's own text and closure, not by what it calls: so the closure
    holds the `stamp` of all of it.
    """

    @kept
    def advance(layout: Layout, state: State, limit: int) -> int:
        assert stamp
        return _advance(layout, state, limit)

    return advance


@inlined
def _advance(layout: Layout, state: State, limit: int) -> int:
    """Go on after calls that the host has carried out, until something stops it; skip cycles without anything to do."""
    clock = state.clock
    for i in range(clock[DUE]):
        called(layout, state, state.due_calls[i])
    clock[DUE] = 0
    while clock[LEFT] > 0:
        now = clock[NOW]
        if now >= limit:
            return LIMIT
        if clock[CALLS] and state.call_time[0] <= now:
            _take_calls(layout, state)
            if clock[DUE]:
                return CALLING
        while clock[TIMERS] and state.timer_time[0] <= now:
            wake(state, take(state.timer_time, state.timer_core, clock, TIMERS))
        _cycle(layout, state)
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
def _cycle(layout: Layout, state: State) -> None:
    state.clock[MOVED] = 0
    state.clock[NEXT] = NEVER
    step_routers(layout, state)
    step_cores(layout, state)
    release(state)
    state.clock[TURN] = 1 - state.clock[TURN]


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


@inlined
def _take_calls(layout: Layout, state: State) -> None:
    """Note the instructions that end now and that the host carries out; those that micro-threads held up end later."""
    clock = state.clock
    while clock[CALLS] and state.call_time[0] <= clock[NOW]:
        instruction = take(state.call_time, state.call_instruction, clock, CALLS)
        end = state.cores[state.instructions[instruction].core].issue_free
        if end > clock[NOW]:
            add(state.call_time, state.call_instruction, clock, CALLS, end, instruction)
        else:
            state.due_calls[clock[DUE]] = instruction
            clock[DUE] += 1


advance = _compiled(stamp_of(Path(__file__).parent))
