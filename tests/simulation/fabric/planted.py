"""Small fabrics by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from wsc.simulation.fabric import Access, Core, Fabric, Instruction, Machine, Position, Route, Transfer
from wsc.simulation.fabric.parts import EAST, RAMP, WEST

BYTES = 4096


def fabric(width: int, height: int = 1, **figures: Any) -> Fabric:
    given = {
        "queue_words": 2,
        "hop_cycles": 1,
        "ramp_cycles": 2,
        "read_bytes": 16,
        "write_bytes": 8,
        "banks": 8,
    }
    return Fabric(width, height, **{**given, **figures})


def cores(width: int, counters: int = 1) -> list[Core]:
    """A row of cores without instructions."""
    return [Core(x, 0, counters=counters, memory_bytes=BYTES) for x in range(width)]


def eastwards(width: int, color: int, target: int | None = None) -> list[Route]:
    """A colour from core 0 to the last core, or to every core on the way where there is no `target`."""
    last = width - 1 if target is None else target
    routes = [Route(0, 0, color, (Position((RAMP,), (EAST,)),))]
    on_the_way = (EAST, RAMP) if target is None else (EAST,)
    routes += [Route(x, 0, color, (Position((WEST,), on_the_way),)) for x in range(1, last)]
    return [*routes, Route(last, 0, color, (Position((WEST,), (RAMP,)),))]


def sending(words: int, color: int, base: int = 0, **more: Any) -> Instruction:
    return Instruction(
        "send", 0, words, transfers=(Transfer(words, sends=color, reads=Access(base), **more),)
    )


def receiving(words: int, color: int, base: int = 0, **more: Any) -> Instruction:
    transfer = Transfer(words, receives=color, writes=Access(base), **more)
    return Instruction("receive", 0, words, triggers=(color,), transfers=(transfer,))


def filled(machine: Machine, core: int, words: int) -> np.ndarray:
    """Numbers in a core's memory, as words."""
    memory = machine.memory(core).view(np.uint32)
    memory[:words] = np.arange(1, words + 1)
    return memory[:words].copy()


def found(machine: Machine, core: int, words: int, base: int = 0) -> np.ndarray:
    return machine.memory(core).view(np.uint32)[base // 4 : base // 4 + words].copy()
