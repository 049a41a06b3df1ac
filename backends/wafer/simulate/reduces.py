"""Cycles of one line's reduction, word by word along its tree.

A part takes what its sources send, phase after phase. All but the last stream it receives as a whole; what it has
then is added to the last stream, word by word, as that passes through: a word is given back one cycle after it has
come, and `2 * ramp + hops` later is at the next part. A stream that comes early waits in the routers until the one
before it has passed there. That is the model of Luczynski et al., HPDC 2024, arXiv 2404.15888, played through rather
than bounded: for a chain it gives their B + (2 T_R + 2)(P - 1), for two phases their formula less the wait that the
farthest leader is spared.
"""

from __future__ import annotations

from dataclasses import dataclass

from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.trees import Phases


@dataclass(frozen=True)
class Reduction:
    """Cycles until the root has all, without the start of its first task; words and phases of the busiest part."""

    cycles: int
    words: int
    phases: int


def reduce_line(machine: Wafer, tree: tuple[Phases, ...], words: int, pitch: int, root: int = 0) -> Reduction:
    """Reduce `words` words a part towards part `root`, `pitch` cores between neighbours.

    A part starts a task for every phase.
    """
    ramps, hop = 2 * machine.fabric.ramp_cycles, machine.fabric.hop_cycles * pitch
    leaves = [0] * len(tree)  # when a part's first word leaves it
    ready = 0
    for part in sorted(range(len(tree)), key=lambda part: -abs(part - root)):
        ready = 0  # when the words received so far are there, or the stream that is added on the way comes
        last = tree[part][-1][-1] if tree[part] else -1
        for number, sources in enumerate(tree[part]):
            ready += machine.core.task_startup_cycles if number else 0
            for source in sources:
                ready = max(ready, leaves[source] + ramps + hop * abs(source - part))
                ready += 1 if source == last else words
        leaves[part] = ready
    received = max(sum(map(len, phases)) for phases in tree)
    return Reduction(ready + words, words * max(1, received), max(1, max(map(len, tree))))
