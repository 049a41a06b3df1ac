"""One cycle of a core: end what has ended, issue what is ready, move a word of every transfer that can."""

# mypy: disallow-untyped-decorators = False

from __future__ import annotations

import numpy as np

from wsc.simulation.fabric.jit import inlined
from wsc.simulation.fabric.lanes import combine
from wsc.simulation.fabric.memory import load, memory_use, store
from wsc.simulation.fabric.parts import PACE
from wsc.simulation.fabric.prefetch import prefetch
from wsc.simulation.fabric.router import first_at, has_word, must_wait, pop, push, seen, wake
from wsc.simulation.fabric.state import AHEAD, CALLS, LEFT, MOVED, NEVER, NOW, TIMERS, WAKING, Layout, State
from wsc.simulation.fabric.timers import add


@inlined
def step_cores(layout: Layout, state: State) -> None:
    """Look at every core that was woken; those that went on stay awake."""
    count = state.clock[WAKING]
    kept = 0
    for i in range(count):
        _ask(layout, state, i)
        core = state.waking[i]
        if _visit(layout, state, core):
            state.waking[kept] = core
            kept += 1
        else:
            state.cores[core].woken = False
    state.clock[WAKING] = kept


@inlined
def _ask(layout: Layout, state: State, place: int) -> None:
    """Ask for what the cores need whose turn comes a little later."""
    core = state.waking[place + 3 * AHEAD]
    prefetch(state.cores, core)
    prefetch(state.active, core * layout.figures[6])
    first = state.waking[place + 2 * AHEAD] * layout.figures[6]
    prefetch(state.transfers, state.active[first])
    prefetch(state.transfers, state.active[first + 1])
    core = state.waking[place + AHEAD]
    own = state.cores[core]
    for i in range(2):
        moving = state.transfers[state.active[core * layout.figures[6] + i]]
        queue = max(np.int64(moving.source), np.int64(moving.target))
        prefetch(state.queues, queue)
        prefetch(state.wavelets, queue * layout.figures[5])
        word = np.int64(moving.progress + max(moving.read_at, moving.write_at))
        prefetch(state.memory32, own.memory + own.stride * word)


@inlined
def _visit(layout: Layout, state: State, core: int) -> bool:
    """One cycle of a core; False where it sleeps until something comes, or until the timer that it set."""
    own = state.cores[core]
    now, busy = state.clock[NOW], False
    while own.check <= now:
        changed = _end_transfers(layout, state, core)
        changed = _end_instructions(layout, state, core) or changed
        changed = _arm(layout, state, core) or changed
        changed = _issue(layout, state, core) or changed
        if not changed:
            _set_check(layout, state, core)
            break
        busy = True
    busy = _move(layout, state, core) or busy
    if busy:
        state.clock[MOVED] += 1
        seen(state, own.tile)
        return True
    return own.until > now or not _set_alarm(layout, state, core)


@inlined
def _end_transfers(layout: Layout, state: State, core: int) -> bool:
    """Take transfers away whose last word is through, and start the delay of those that follow them."""
    own = state.cores[core]
    now, kept = state.clock[NOW], 0
    count = own.active
    for i in range(count):
        transfer = state.active[core * layout.figures[6] + i]
        moving = state.transfers[transfer]
        after = moving.after
        if moving.start == NEVER and state.transfers[after].start < 0:
            moving.start = -state.transfers[after].start + moving.delay
        if moving.progress < moving.words or moving.due > now * PACE:
            state.active[core * layout.figures[6] + kept] = transfer
            kept += 1
        else:
            moving.start = -now  # ended
            for j in range(own.running):
                instruction = state.running[core, j]
                first, end = layout.transfer_first[instruction], layout.transfer_first[instruction + 1]
                if first <= transfer < end:
                    state.instructions[instruction].left -= 1
                    if moving.fn and moving.target < 0:  # the last sum is on its way to memory
                        state.instructions[instruction].end = max(
                            state.instructions[instruction].end, now + 1
                        )
    own.active = kept
    return kept < count


@inlined
def _end_instructions(layout: Layout, state: State, core: int) -> bool:
    own = state.cores[core]
    now, kept = state.clock[NOW], 0
    count = own.running
    for i in range(count):
        instruction = state.running[core, i]
        if state.instructions[instruction].left or state.instructions[instruction].end > now:
            state.running[core, kept] = instruction
            kept += 1
        else:
            _note_done(layout, state, instruction)
    own.running = kept
    return kept < count


@inlined
def _issue(layout: Layout, state: State, core: int) -> bool:
    """Issue the most pressing instruction at the head of a queue that can go on, if the issue is free."""
    own = state.cores[core]
    now = state.clock[NOW]
    if own.issue_free > now:
        return False
    best, chosen = np.int64(NEVER), -1
    for line in range(layout.line_first[core], layout.line_first[core + 1]):
        instruction = state.line_next[line]
        if instruction >= layout.line_end[line] or state.instructions[instruction].background:
            continue
        age = state.instructions[instruction].age
        if age < best and _can_go(layout, state, core, instruction):
            best, chosen = age, line
    if chosen < 0:
        return False
    instruction = state.line_next[chosen]
    state.line_next[chosen] += 1
    end = now + state.instructions[instruction].time
    own.issue_free = end
    state.instructions[instruction].end = end
    if state.instructions[instruction].call >= 0:
        add(state.call_time, state.call_instruction, state.clock, CALLS, end, instruction)
        return True
    _set_off(layout, state, core, instruction)
    return True


@inlined
def _arm(layout: Layout, state: State, core: int) -> bool:
    """Give micro-threads the instructions that they carry out, as soon as these can go on."""
    own = state.cores[core]
    now, armed = state.clock[NOW], False
    for line in range(layout.line_first[core], layout.line_first[core + 1]):
        instruction = state.line_next[line]
        if instruction >= layout.line_end[line] or not state.instructions[instruction].background:
            continue
        if _can_go(layout, state, core, instruction):
            state.line_next[line] += 1
            state.instructions[instruction].end = now
            if state.instructions[instruction].time:
                own.issue_free = max(own.issue_free, now) + state.instructions[instruction].time
            _set_off(layout, state, core, instruction)
            armed = True
    return armed


@inlined
def _set_off(layout: Layout, state: State, core: int, instruction: int) -> None:
    own = state.cores[core]
    now = state.clock[NOW]
    state.running[core, own.running] = instruction
    own.running += 1
    first, end = layout.transfer_first[instruction], layout.transfer_first[instruction + 1]
    for transfer in range(first, end):
        moving = state.transfers[transfer]
        start = NEVER if moving.after >= 0 else now + moving.delay
        moving.start = start
        state.active[core * layout.figures[6] + own.active] = transfer
        own.active += 1
    state.instructions[instruction].left = end - first


@inlined
def _can_go(layout: Layout, state: State, core: int, instruction: int) -> bool:
    own = state.cores[core]
    first = own.counters
    transfers = layout.transfer_first[instruction + 1] - layout.transfer_first[instruction]
    if own.running == state.running.shape[1]:
        return False
    if own.active + transfers > layout.figures[6]:
        return False
    for i in range(layout.wait_first[instruction], layout.wait_first[instruction + 1]):
        if state.counter[first + layout.wait_counter[i]] < layout.wait_least[i]:
            return False
    triggers = layout.trigger_first[instruction], layout.trigger_first[instruction + 1]
    if triggers[0] == triggers[1]:
        return True
    for i in range(triggers[0], triggers[1]):
        queue = layout.trigger_queue[i]
        if has_word(layout, state, queue, state.clock[NOW]):
            return True
    own.listens = True
    return False


@inlined
def _set_check(layout: Layout, state: State, core: int) -> None:
    """Set the cycle up to which nothing can end or be issued, but for what a transfer's last word or a call brings."""
    own, now = state.cores[core], state.clock[NOW]
    soonest = np.int64(NEVER)
    if own.issue_free > now:
        soonest = min(soonest, own.issue_free)
    for i in range(own.running):
        end = state.instructions[state.running[core, i]].end
        if end > now:
            soonest = min(soonest, end)
    for i in range(own.active):
        moving = state.transfers[state.active[core * layout.figures[6] + i]]
        if moving.progress >= moving.words:
            soonest = min(soonest, now + 1)
    own.check = now + 1 if own.listens else soonest
    own.listens = False


@inlined
def _move(layout: Layout, state: State, core: int) -> bool:
    """A word of every transfer: one in and one out of the ramp, memory as its ports and banks allow; oldest first."""
    own = state.cores[core]
    now, count = state.clock[NOW], own.active
    came, left, busy = False, False, False
    read, written, banks = layout.figures[1], layout.figures[2], np.int64(0)
    for i in range(count):
        transfer = state.active[core * layout.figures[6] + i]
        moving = state.transfers[transfer]
        if moving.progress >= moving.words or moving.start > now:
            continue
        source, target = moving.source, moving.target
        if (source >= 0 and came) or (target >= 0 and left):
            continue
        reads, writes = 4 if moving.reads else 0, 4 if moving.writes else 0
        ramp = source >= 0 or target >= 0
        while moving.progress < moving.words:
            if reads > read or writes > written or not _able(layout, state, transfer, now):
                break
            if count > 1 or not ramp:  # else no other word can be in its way
                need = memory_use(layout, state, transfer)
                if need & banks:
                    break
                banks |= need
            if own.group >= 0 and not _within_rate(layout, state, own.group):
                break
            _transfer_word(layout, state, core, transfer)
            read, written, busy = read - reads, written - writes, True
            if ramp:  # else it is a copy, which goes as fast as the ports let it
                came, left = came or source >= 0, left or target >= 0
                break
    return busy


@inlined
def _able(layout: Layout, state: State, transfer: int, now: int) -> bool:
    """Whether a word is there, has room where it goes, and is due."""
    moving = state.transfers[transfer]
    if moving.due >= (now + 1) * PACE:
        return False
    if moving.source >= 0 and not has_word(layout, state, moving.source, now):
        return False
    if moving.target >= 0 and must_wait(state, moving.target, now):
        return False
    behind = moving.behind
    if behind < 0:
        return True
    before = state.transfers[behind]
    return before.start < 0 or (before.progress > moving.progress and not moving.whole)


@inlined
def _within_rate(layout: Layout, state: State, group: int) -> bool:
    """Take one word from what a group of cores may pass in a cycle."""
    now, rate = state.clock[NOW], layout.group_rate[group]
    gained = (now - state.budget_time[group]) * rate
    state.budget[group] = min(state.budget[group] + gained, max(rate, PACE))
    state.budget_time[group] = now
    if state.budget[group] < PACE:
        return False
    state.budget[group] -= PACE
    return True


@inlined
def _transfer_word(layout: Layout, state: State, core: int, transfer: int) -> None:
    moving = state.transfers[transfer]
    own = state.cores[core]
    now, at = state.clock[NOW], moving.progress
    source, target = moving.source, moving.target
    word = np.uint32(0)
    if moving.reads:
        word = load(layout, state, core, transfer)
    if source >= 0:
        came = state.wavelets[first_at(layout, state, source)].word
        fn = moving.fn
        word = combine(fn, moving.lanes, np.uint32(word), came) if fn else came
        pop(layout, state, source)
    if moving.writes:
        store(layout, state, core, transfer, np.uint32(word))
    if target >= 0:
        last = 1 if at + 1 == moving.words else 0
        passed = 1 if source >= 0 else 0  # a cycle between the ramps for what is passed on
        push(layout, state, target, np.uint32(word), last, now + passed + layout.figures[0])
    if moving.background and own.issue_free > now:
        own.issue_free += 1
    moving.progress = at + 1
    if at + 1 == moving.words:
        own.check = now + 1
    moving.due = max(moving.due, now * PACE) + moving.pace


@inlined
def _set_alarm(layout: Layout, state: State, core: int) -> bool:
    """Set a timer for the next cycle in which something of the core falls due; False where there is no room for it."""
    own = state.cores[core]
    now, soonest = state.clock[NOW], np.int64(NEVER)
    if own.issue_free > now:
        soonest = min(soonest, own.issue_free)
    for i in range(own.running):
        end = state.instructions[state.running[core, i]].end
        if end > now:
            soonest = min(soonest, end)
    for i in range(own.active):
        transfer = state.active[core * layout.figures[6] + i]
        moving = state.transfers[transfer]
        if moving.start > now:
            soonest = min(soonest, moving.start)
        finished = moving.progress >= moving.words
        due = (moving.due + PACE - 1) // PACE if finished else moving.due // PACE
        if due > now:
            soonest = min(soonest, due)
    group = own.group
    if group >= 0 and own.active and state.budget[group] < PACE:
        soonest = min(soonest, now + 1)
    if soonest < NEVER and not (now < own.alarm <= soonest):
        if state.clock[TIMERS] == len(state.timer_time):
            return False
        own.alarm = soonest
        add(state.timer_time, state.timer_core, state.clock, TIMERS, soonest, core)
    return True


@inlined
def called(layout: Layout, state: State, instruction: int) -> None:
    """The host has done its part of an instruction: it is done."""
    _note_done(layout, state, instruction)
    core = state.instructions[instruction].core
    state.cores[core].check = 0
    wake(state, core)


@inlined
def _note_done(layout: Layout, state: State, instruction: int) -> None:
    state.counter[state.instructions[instruction].counts] += 1
    state.instructions[instruction].done = state.clock[NOW]
    state.clock[LEFT] -= 1
