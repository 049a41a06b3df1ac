"""Cycles of one line's reduction, word by word along its tree.

A part takes what its sources send, phase after phase. All but the last stream it receives as a whole; what it has
then is added to the last stream, word by word, as that passes through: a word is given back one cycle after it has
come, and `2 * ramp + hops` later is at the next part. That is the model of Luczynski et al., HPDC 2024, arXiv
2404.15888, played through rather than bounded: for a chain it gives their B + (2 T_R + 2)(P - 1), for two phases their
formula less the wait that the farthest leader is spared.

A stream that comes before its phase waits in the routers. Its first words, as many as find room in the queues between
where it meets the stream of the phase before and the core, go there at once: word by word in turn with that stream,
which ends as many cycles later as pass while it is under way. What passes in the cycles in which a core starts a task
holds nobody up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.trees import Phases


@dataclass(frozen=True)
class Reduction:
    """Cycles until the root has all, without the start of its first task; words and phases of the busiest part."""

    cycles: int
    words: int
    phases: int


@dataclass(frozen=True)
class _Stream:
    """What one source sends to a part, or to one `beyond`: when its first word comes, in which phase, from where."""

    comes: int
    phase: int
    offset: int
    beyond: int = 0


def reduce_line(machine: Wafer, tree: tuple[Phases, ...], words: int, pitch: int, root: int = 0) -> Reduction:
    """Reduce `words` words a part towards part `root`, `pitch` cores between neighbours.

    A part starts a task for every phase.
    """
    line = _Line(machine, words, pitch, [0] * len(tree))
    targets = {source: part for part, phases in enumerate(tree) for sources in phases for source in sources}
    passing: list[int] = []  # sources of streams that go over the next part
    for part in sorted(range(len(tree)), key=lambda part: -abs(part - root)):
        passing = [s for s in passing if (s - part) * (targets[s] - part) < 0]
        line.leaves[part] = line.first_word(part, tree[part], [(s, targets[s]) for s in passing])
        passing += [part] if part in targets else []
    received = max(sum(map(len, phases)) for phases in tree)
    return Reduction(line.leaves[root] + words, words * max(1, received), max(1, max(map(len, tree))))


@dataclass(frozen=True)
class _Line:
    """A line of parts that reduces; `leaves` says when a part's first word leaves it, as far as is known."""

    machine: Wafer
    words: int
    pitch: int
    leaves: list[int]

    def first_word(self, part: int, phases: Phases, passing: Sequence[tuple[int, int]]) -> int:
        """When a part gives its first word back: all streams but the last are there, and that one comes.

        Streams from sources to targets go past it.
        """
        streams = [
            _Stream(self._arrival(source, part), phase, source - part)
            for phase, sources in enumerate(phases)
            for source in sources
        ]
        if len(streams) < 2:
            return streams[0].comes + 1 if streams else 0
        others = [_Stream(self._arrival(s, part), len(phases), s - part, abs(t - part)) for s, t in passing]
        ready, phase, words = 0, 0, self.words
        passed = dict.fromkeys([*streams, *others], 0)  # words of later streams that are there already
        for number, stream in enumerate(streams):
            ready += self.machine.core.task_startup_cycles * (stream.phase - phase)
            phase, begin = stream.phase, max(ready, stream.comes)
            if number + 1 == len(streams):
                return begin + 1
            same_side = streams[number + 1].offset * stream.offset > 0
            end = streams[number + 1].offset if same_side else 2 * stream.offset
            chain = range(part + stream.offset, part + end, stream.offset)
            delay = 0
            for later in (s for s in [*streams[number + 1 :], *others] if s.phase > phase):
                delay += self._delay(part, chain, later, ready - later.comes, passed)
            ready = begin + words + delay
        return ready

    def _arrival(self, source: int, part: int) -> int:
        """When what leaves one part would be at another, were nothing in the way."""
        fabric = self.machine.fabric
        flight = fabric.hop_cycles * self.pitch * abs(source - part)
        return self.leaves[source] + 2 * fabric.ramp_cycles + flight

    def _delay(
        self, part: int, chain: range, later: _Stream, idle: int, passed: dict[_Stream, int]
    ) -> int:
        """Cycles by which a stream that comes before its phase delays a chain: most of its words on a link of it.

        `idle` cycles of it lie before the phase; what it passes is added to `passed`.
        """
        fabric, delay, through = self.machine.fabric, 0, passed[later]
        queue = fabric.queue_wavelets + fabric.hop_cycles - 1
        for source in chain:
            same_side = later.offset * (source - part) > 0
            links = (later.beyond + abs(source - part) * same_side) * self.pitch
            room = min(self.words, links * queue + fabric.queue_wavelets + fabric.ramp_cycles)
            first = self._arrival(source, part) if same_side else self._arrival(chain[0], part)
            ahead = first - later.comes
            before = max(passed[later], min(room, max(idle, ahead)))
            after = max(before, min(room, max(idle, ahead) + self.words - 1))
            if after - before > delay:
                delay, through = after - before, after
        passed[later] = through
        return delay
