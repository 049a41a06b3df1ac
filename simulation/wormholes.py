"""How long messages take that block each other in a network: their words, link by link, without cores or data.

Messages of one colour pass every router in one order, those of all colours share its links word by word, and what
cannot go on waits in the queues behind it. A core sends its messages one after another and takes a word a cycle.
"""

# mypy: disallow-untyped-decorators = False

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wsc.simulation.fabric.jit import inlined, kept

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Place = tuple[int, int]
_BLOCKED, _PASSED, _NEW = range(3)


@dataclass(frozen=True)
class Worm:
    """A message over the routers of its way, those at its ends included, on a colour.

    `reads` and `writes` are the banks of memory that its words come from and go to, one after another.
    """

    way: tuple[Place, ...]
    color: int
    reads: Ints
    writes: Ints

    @property
    def words(self) -> int:
        """Its length."""
        return len(self.reads)


@dataclass(frozen=True)
class Network:
    """Room of a router's queues, cycles of a hop and of a ramp, and those that a core takes for a message's word."""

    queue_words: int
    hop_cycles: int
    ramp_cycles: int
    pace: float


class _Parts(NamedTuple):
    """`path[first[m] + s]`: the queue that message m waits in at stage s; the last is its target's.

    `order[order_first[n] + i]`: the place in `path` of the i-th message that passes node n (a router's colour, or a
    core's). `reads[word_first[m] + i]`: the bank of a message's word; `takes` are queues that lead to a core.
    """

    first: Ints
    word_first: Ints
    reads: Ints
    writes: Ints
    path: Ints
    message: Ints  # of a place in `path`
    node: Ints  # of a queue
    way: Ints
    room: Ints
    link: Ints
    order: Ints
    order_first: Ints
    sends: Ints  # messages, core by core
    sends_first: Ints
    takes: Ints
    takes_first: Ints


class _State(NamedTuple):
    """What changes, by queue, link, node, place in `path`, message and core."""

    when: Ints  # [queue, place]: the cycle from which a word may go on
    held: Ints  # words
    head: Ints
    popped: Ints  # the cycle in which a word last left
    used: Ints  # the cycle in which a link last passed a word
    turn: Ints  # messages that have passed a node
    passed: Ints
    lists: Ints  # [turn, list, place]: queues with words, those that had to wait first
    listed: Ints
    sent: Ints
    due: Floats  # when a message's target is free for its next word
    at: Ints  # messages that a core has sent
    free: Floats  # when a core is free to send its next word


def cycles_of(worms: Sequence[Worm], network: Network) -> int:
    """Cycles until every core has sent and received its last word; messages of a colour and of a core are in order."""
    if not worms:
        return 0
    parts = _parts(worms, network)
    return int(_run(parts, _start(parts), network.pace))


def _start(parts: _Parts) -> _State:
    queues, messages, cores = len(parts.node), len(parts.first) - 1, len(parts.sends_first) - 1

    def zeros(*shape: int) -> Ints:
        return np.zeros(shape, np.int64)

    return _State(
        zeros(queues, int(parts.room.max())), zeros(queues), zeros(queues), zeros(queues) - 1,
        zeros(int(parts.link.max()) + 1) - 1, zeros(len(parts.order_first) - 1), zeros(len(parts.path)),
        zeros(2, 3, queues), zeros(2, 3), zeros(messages), np.zeros(messages), zeros(cores), np.zeros(cores),
    )  # fmt: skip


class _Numbers(dict[Hashable, int]):
    """Numbers by key, in the order in which they are asked for."""

    def of(self, key: Hashable) -> int:
        """The number of a key, a new one where it has none."""
        return self.setdefault(key, len(self))


def _parts(worms: Sequence[Worm], network: Network) -> _Parts:
    queues, nodes, links = _Numbers(), _Numbers(), _Numbers()
    path, message, first = list[int](), list[int](), [0]
    kinds = dict[int, tuple[int, int, int]]()
    order, sends = defaultdict[int, list[int]](list), defaultdict[Place, list[int]](list)
    takes = defaultdict[Place, dict[int, None]](dict)
    for number, worm in enumerate(worms):
        source, target = worm.way[0], worm.way[-1]
        steps: list[tuple[Hashable, Hashable, int]] = [((source, "in"), source, 1)]
        steps += [((a, b), b, 0) for a, b in pairwise(worm.way)]
        steps.append(((target, "out"), (target, "out"), 1))
        for link, place, ramp in steps:
            queue, node = queues.of((worm.color, link)), nodes.of((worm.color, place))
            kinds[queue] = node, ramp, links.of(link)
            order[node].append(len(path))
            path.append(queue)
            message.append(number)
        first.append(len(path))
        sends[source].append(number)
        takes[target][path[-1]] = None
    node_of, ramp_of, link_of = np.array([kinds[q] for q in range(len(queues))], np.int64).T.copy()
    way = np.where(ramp_of, network.ramp_cycles, network.hop_cycles)
    cores = list(dict.fromkeys((*sends, *takes)))
    return _Parts(
        _longs(first), _longs(np.cumsum([0, *(worm.words for worm in worms)])),
        np.concatenate([worm.reads for worm in worms]), np.concatenate([worm.writes for worm in worms]),
        _longs(path), _longs(message), node_of, way, way + network.queue_words - 1 + ramp_of, link_of,
        *_flat([order[n] for n in range(len(nodes))]), *_flat([sends[core] for core in cores]),
        *_flat([list(takes[core]) for core in cores]),
    )  # fmt: skip


def _longs(values: Sequence[int] | Ints) -> Ints:
    return np.asarray(values, np.int64)


def _flat(rows: Sequence[Sequence[int]]) -> tuple[Ints, Ints]:
    """Rows one after another, and where each begins."""
    ends = np.cumsum([0, *map(len, rows)])
    return _longs([value for row in rows for value in row]), _longs(ends)


@kept
def _run(parts: _Parts, state: _State, pace: float) -> int:
    left, now, side, end = len(parts.reads), 0, 0, 0.0
    while left > 0:
        _route(parts, state, now, side)
        for core in range(len(state.at)):
            bank = _send(parts, state, core, now, 1 - side, pace)
            message = _take(parts, state, core, now, bank)
            if message >= 0:
                state.due[message] = max(state.due[message], now) + pace
                end = max(end, state.due[message])
                left -= 1
        now, side = now + 1, 1 - side
    return int(np.ceil(end))


@inlined
def _full(parts: _Parts, state: _State, queue: int, now: int) -> bool:
    return bool(state.held[queue] + (state.popped[queue] == now) >= parts.room[queue])


@inlined
def _push(parts: _Parts, state: _State, queue: int, now: int) -> bool:
    """Put a word into a queue; whether it was empty."""
    place = (state.head[queue] + state.held[queue]) % parts.room[queue]
    state.when[queue, place] = now + parts.way[queue]
    state.held[queue] += 1
    return bool(state.held[queue] == 1)


@inlined
def _pop(parts: _Parts, state: _State, place: int, now: int) -> None:
    """Take a message's word out of its queue; after the last one it is the next message's turn."""
    queue = parts.path[place]
    state.held[queue] -= 1
    state.head[queue] = (state.head[queue] + 1) % parts.room[queue]
    state.popped[queue] = now
    state.passed[place] += 1
    if state.passed[place] == _words(parts, parts.message[place]):
        state.turn[parts.node[queue]] += 1


@inlined
def _words(parts: _Parts, message: int) -> int:
    return int(parts.word_first[message + 1] - parts.word_first[message])


@inlined
def _first(parts: _Parts, state: _State, queue: int) -> int:
    """The place in `path` of the message whose turn it is where a queue leads."""
    node = parts.node[queue]
    return int(parts.order[parts.order_first[node] + state.turn[node]])


@inlined
def _note(state: _State, side: int, part: int, queue: int) -> None:
    state.lists[side, part, state.listed[side, part]] = queue
    state.listed[side, part] += 1


@inlined
def _route(parts: _Parts, state: _State, now: int, side: int) -> None:
    """Pass on a word of every queue that can; those that had to wait go before the others next time."""
    for part in range(3):
        state.listed[1 - side, part] = 0
    for part in range(3):
        for i in range(state.listed[side, part]):
            queue, kept = state.lists[side, part, i], _PASSED
            if state.when[queue, state.head[queue]] <= now and not _pass_on(
                parts, state, queue, now, 1 - side
            ):
                kept = _BLOCKED
            if state.held[queue]:
                _note(state, 1 - side, kept, queue)


@inlined
def _pass_on(parts: _Parts, state: _State, queue: int, now: int, side: int) -> bool:
    place = _first(parts, state, queue)
    target = parts.path[place + 1]
    link = parts.link[target]
    if parts.path[place] != queue or state.used[link] == now or _full(parts, state, target, now):
        return False
    state.used[link] = now
    _pop(parts, state, place, now)
    last = place + 2 == parts.first[parts.message[place] + 1]
    if _push(parts, state, target, now) and not last:
        _note(state, side, _NEW, target)
    return True


@inlined
def _send(parts: _Parts, state: _State, core: int, now: int, side: int, pace: float) -> int:
    """A word of the message that a core is at, if it is due and there is room; the bank it comes from, or -1."""
    place = parts.sends_first[core] + state.at[core]
    if place == parts.sends_first[core + 1] or state.free[core] >= now + 1:
        return -1
    message = parts.sends[place]
    queue = parts.path[parts.first[message]]
    if state.sent[message] == 0 and state.free[core] > now:  # the last word of the one before takes its time
        return -1
    if _full(parts, state, queue, now):
        return -1
    if _push(parts, state, queue, now):
        _note(state, side, _NEW, queue)
    bank = int(parts.reads[parts.word_first[message] + state.sent[message]])
    state.sent[message] += 1
    state.free[core] = max(state.free[core], now) + pace
    state.at[core] += state.sent[message] == _words(parts, message)
    return bank


@inlined
def _is_due(parts: _Parts, state: _State, queue: int, place: int, now: int) -> bool:
    """Whether a core may take a message's word; the first one when the last of the one before has had its time."""
    if state.passed[place]:
        return bool(state.due[parts.message[place]] < now + 1)
    node = parts.node[queue]
    if state.turn[node] == 0:
        return True
    before = parts.order[parts.order_first[node] + state.turn[node] - 1]
    return bool(state.due[parts.message[before]] <= now)


@inlined
def _take(parts: _Parts, state: _State, core: int, now: int, bank: int) -> int:
    """Take a word of the first message that has one which is due, and goes to another bank: that message, or -1."""
    found = -1
    for i in range(parts.takes_first[core], parts.takes_first[core + 1]):
        queue = parts.takes[i]
        if state.held[queue] == 0 or state.when[queue, state.head[queue]] > now:
            continue
        place = _first(parts, state, queue)
        message = parts.message[place]
        if 0 <= found < place or not _is_due(parts, state, queue, place, now):
            continue
        if parts.writes[parts.word_first[message] + state.passed[place]] != bank:
            found = place
    if found < 0:
        return -1
    _pop(parts, state, found, now)
    return int(parts.message[found])
