"""Binary heaps of (cycle, number) in arrays: the soonest first, and of those of one cycle the lowest number."""

# mypy: disallow-untyped-decorators = False

from __future__ import annotations

from wsc.simulation.fabric.jit import inlined
from wsc.simulation.fabric.state import Ints, Longs


@inlined
def add(times: Longs, items: Ints, clock: Longs, size: int, time: int, item: int) -> None:
    """Put an entry in; `clock[size]` counts them."""
    at = clock[size]
    clock[size] += 1
    while at > 0:
        parent = (at - 1) // 2
        if times[parent] < time or (times[parent] == time and items[parent] <= item):
            break
        times[at], items[at] = times[parent], items[parent]
        at = parent
    times[at], items[at] = time, item


@inlined
def take(times: Longs, items: Ints, clock: Longs, size: int) -> int:
    """Take the first entry out and return its number."""
    first = items[0]
    clock[size] -= 1
    count = clock[size]
    time, item, at = times[count], items[count], 0
    while 2 * at + 1 < count:
        child = 2 * at + 1
        if child + 1 < count:
            left, right = times[child], times[child + 1]
            if right < left or (right == left and items[child + 1] < items[child]):
                child += 1
        if time < times[child] or (time == times[child] and item <= items[child]):
            break
        times[at], items[at] = times[child], items[child]
        at = child
    times[at], items[at] = time, item
    return int(first)
