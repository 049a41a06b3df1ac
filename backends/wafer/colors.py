"""Colours: which messages of a program may share one, and which colour each of them gets.

Messages of one family (a movement of a kernel, or a stream) that pass no router in different ways can share a colour
that never changes. Where that takes too many, messages of one direction share colours whose routers go through their
positions in one order of messages, which is the same at every router: the first message that has not ended is always
the next at every router that it passes, so that none waits for ever.

Families get colours of their own wherever they meet. Which get the same number is graph colouring (networkx).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import networkx as nx

from wsc.backends.wafer.movement.parts import Message, Place
from wsc.compiler.errors import DoesNotFit, VerificationError

NORTH, SOUTH, EAST, WEST, RAMP = range(5)
MOST_POSITIONS = 4
Turn = tuple[int, tuple[int, ...]]  # the port a message comes from, and those it leaves by
Path = dict[Place, Turn]
_Kind = tuple[int, int, int]  # lane, and signs of the way along x and y
Key = tuple[str, int]  # family or group, colour within it
EMPTY: Mapping[str, Sequence[tuple[str, int]]] = MappingProxyType({})

_SHARES = (12, 10, 8, 7, 6, 5, 4, 3, 2, 1)  # colours that one family may take, tried in turn


@dataclass(frozen=True)
class Family:
    """Messages that are carried out by one instruction, or by one stream, in the order of a run.

    `owner` (a kernel or a stream) and `what` are for people. An `ordered` family has one colour a direction and lane.
    Families of one `group` are carried out one after another, and share colours.
    """

    name: str
    owner: str
    messages: tuple[Message, ...]
    what: str = ""
    ordered: bool = False
    group: str = ""

    @property
    def sharing(self) -> str:
        """Whose colours it takes: those of its group, or its own."""
        return self.group or self.name


@dataclass(frozen=True)
class Colored:
    """Colours of a program. `color[family]` has one for every message.

    `positions[color][place]` are the turns that the colour takes there, and `sequences[color][place]` the number of the
    turn for every message in order; where all of them take the same turn, there is a single entry.
    """

    color: dict[str, tuple[int, ...]]
    positions: dict[int, dict[Place, tuple[Turn, ...]]]
    sequences: dict[int, dict[Place, tuple[int, ...]]]
    needed: dict[str, int]

    @cached_property
    def used(self) -> int:
        """Colours used in all."""
        return len(self.positions)

    @cached_property
    def most_positions(self) -> int:
        """Positions of the colour that has most of them at one router."""
        return max((len(p) for places in self.positions.values() for p in places.values()), default=0)


def path(message: Message) -> Path:
    """The routers of a message, each with its turn; raises ValueError for a message to its own source."""
    comes: dict[Place, int] = {message.source: RAMP}
    leaves: dict[Place, set[int]] = defaultdict(set)
    for target in message.targets:
        if target == message.source:
            raise ValueError(f"a message from {target} to itself")
        here = message.source
        for step, port in _steps(here, target, message.route):
            leaves[here].add(port)
            here = here[0] + step[0], here[1] + step[1]
            comes[here] = (SOUTH, NORTH, WEST, EAST)[port]
        leaves[here].add(RAMP)
    return {place: (comes[place], tuple(sorted(ports))) for place, ports in leaves.items()}


def _steps(source: Place, target: Place, route: str) -> list[tuple[tuple[int, int], int]]:
    x, y = target[0] - source[0], target[1] - source[1]
    along_x = [((1, 0), EAST) if x > 0 else ((-1, 0), WEST)] * abs(x)
    along_y = [((0, 1), SOUTH) if y > 0 else ((0, -1), NORTH)] * abs(y)
    return along_x + along_y if route == "xy" else along_y + along_x


def allocate(
    families: Sequence[Family], colors: int, orders: Mapping[str, Sequence[tuple[str, int]]] = EMPTY
) -> Colored:
    """A colour for every message, of at most `colors`; raises DoesNotFit naming who needs most, and how many.

    `orders` says for every group in which order its families' messages pass, by family and number in it.
    """
    paths = [[path(message) for message in family.messages] for family in families]
    for share in _SHARES:
        local = [_within(f, p, share) for f, p in zip(families, paths, strict=True)]
        _merge(families, paths, local)
        numbers = _across(families, paths, local)
        if max(numbers.values(), default=-1) < colors:
            break
    else:
        raise DoesNotFit(_too_many(families, local, numbers, colors))
    return _colored(families, paths, local, numbers, orders)


def colors_within(family: Family) -> list[int]:
    """A colour, counted from 0, for every message of a family that has as many as one may take."""
    return _within(family, [path(message) for message in family.messages], _SHARES[0])


def least_colors(families: Sequence[Family]) -> int:
    """The fewest colours that `allocate` finds for families, where a family may take one only."""
    paths = [[path(message) for message in family.messages] for family in families]
    local = [_within(f, p, 1) for f, p in zip(families, paths, strict=True)]
    return max(_across(families, paths, local).values(), default=-1) + 1


def _too_many(
    families: Sequence[Family], local: Sequence[Sequence[int]], numbers: Mapping[Key, int], colors: int
) -> str:
    needed = max(numbers.values()) + 1
    by_owner = Counter[str]()
    for family, found in zip(families, local, strict=True):
        by_owner[family.owner] += len(set(found))
    owner, most = max(by_owner.items(), key=lambda item: (item[1], item[0]))
    return (
        f"the program takes {needed} colours where its routes meet, and the machine has {colors}: {owner} alone takes"
        f" {most}; a cut over fewer axes, or fewer streams through the region, takes fewer"
    )


# ---- within a family


def _within(family: Family, paths: Sequence[Path], share: int) -> list[int]:
    """A colour, counted from 0, for every message of a family: those that never change if `share` of them suffice."""
    fixed = None if family.ordered else _fixed(paths, share)
    return fixed if fixed is not None else _in_turn(family, paths, share)


def _fixed(paths: Sequence[Path], share: int) -> list[int] | None:
    """First-fit colouring of the messages that pass some router in different ways; None if it takes more colours."""
    taken: list[dict[Place, Turn]] = [{} for _ in range(share)]
    found = []
    for way in paths:
        for color, turns in enumerate(taken):
            if all(turns.get(place, turn) == turn for place, turn in way.items()):
                turns |= way
                found.append(color)
                break
        else:
            return None
    return found


def _in_turn(family: Family, paths: Sequence[Path], share: int) -> list[int]:
    """Colours that change: one set a direction, each message on the one where least has to pass before it.

    Lanes never share a colour: a core that passes words on sends on one lane while it receives on the other. An ordered
    family has one colour a direction and lane.
    """
    kinds = [(m.lane, *_direction(m)) for m in family.messages]
    groups = _groups(sorted(set(kinds)), 0 if family.ordered else share)
    load: dict[int, Counter[Place]] = defaultdict(Counter)
    turns: dict[tuple[int, Place], set[Turn]] = defaultdict(set)
    found = []
    for message, way, kind in zip(family.messages, paths, kinds, strict=True):
        able = [
            c
            for c in groups[kind]
            if all(len(turns[c, place] | {turn}) <= MOST_POSITIONS for place, turn in way.items())
        ]
        if not able:  # one more colour
            able = [max(c for group in groups.values() for c in group) + 1]
            groups[kind] += able
        color = min(able, key=lambda c: (max(load[c][place] for place in way), c))
        for place, turn in way.items():
            load[color][place] += message.words
            turns[color, place].add(turn)
        found.append(color)
    numbers = {color: i for i, color in enumerate(sorted(set(found)))}
    return [numbers[color] for color in found]


def _groups(kinds: Sequence[_Kind], share: int) -> dict[_Kind, list[int]]:
    """Colours for every kind of message: each lane has its part of the share; without one, a colour a direction."""
    lanes = sorted({lane for lane, *_ in kinds})
    groups: dict[_Kind, list[int]] = {}
    first = 0
    for lane in lanes:
        own = [kind for kind in kinds if kind[0] == lane]
        count = max(1, share // len(lanes)) if share else len(own)
        each = max(1, count // len(own))
        for number, kind in enumerate(own):
            groups[kind] = [first + number % count * each + i for i in range(each)]
        first += count
    return groups


def _direction(message: Message) -> tuple[int, int]:
    """Signs of the way along x and y; of several targets, those of the farthest."""
    x, y = message.source
    far = max(message.targets, key=lambda t: (abs(t[0] - x) + abs(t[1] - y), t))
    return (far[0] > x) - (far[0] < x), (far[1] > y) - (far[1] < y)


# ---- across families


def _merge(families: Sequence[Family], paths: Sequence[Sequence[Path]], local: Sequence[list[int]]) -> None:
    """Give the colours of a group's families common numbers, as far as the positions of routers go."""
    taken: dict[str, list[dict[Place, set[Turn]]]] = defaultdict(list)
    for family, ways, colors in zip(families, paths, local, strict=True):
        if not family.group:
            continue
        turns: dict[int, dict[Place, set[Turn]]] = defaultdict(lambda: defaultdict(set))
        for way, color in zip(ways, colors, strict=True):
            for place, turn in way.items():
                turns[color][place].add(turn)
        slots, number = taken[family.group], dict[int, int]()
        for color, wanted in sorted(turns.items()):
            fitting = (
                n
                for n, slot in enumerate(slots)
                if n not in number.values()
                and all(len(slot[place] | new) <= MOST_POSITIONS for place, new in wanted.items())
            )
            number[color] = next(fitting, len(slots))
            if number[color] == len(slots):
                slots.append(defaultdict(set))
            for place, new in wanted.items():
                slots[number[color]][place] |= new
        colors[:] = [number[color] for color in colors]


def _across(
    families: Sequence[Family], paths: Sequence[Sequence[Path]], local: Sequence[Sequence[int]]
) -> dict[Key, int]:
    """Colours of the machine: two that meet at a router are different."""
    users: dict[Place, set[Key]] = defaultdict(set)
    graph: nx.Graph[Key] = nx.Graph()
    for family, ways, colors in zip(families, paths, local, strict=True):
        for way, color in zip(ways, colors, strict=True):
            graph.add_node((family.sharing, color))
            for place in way:
                users[place].add((family.sharing, color))
    for keys in {frozenset(keys) for keys in users.values()}:
        ordered = sorted(keys)
        graph.add_edges_from((a, b) for i, a in enumerate(ordered) for b in ordered[i + 1 :])
    return dict(nx.greedy_color(graph, strategy="saturation_largest_first"))


def _colored(
    families: Sequence[Family],
    paths: Sequence[Sequence[Path]],
    local: Sequence[Sequence[int]],
    numbers: Mapping[Key, int],
    orders: Mapping[str, Sequence[tuple[str, int]]],
) -> Colored:
    positions: dict[int, dict[Place, list[Turn]]] = defaultdict(lambda: defaultdict(list))
    sequences: dict[int, dict[Place, list[int]]] = defaultdict(lambda: defaultdict(list))
    color, by_name = {}, {}
    for family, ways, chosen in zip(families, paths, local, strict=True):
        color[family.name] = tuple(numbers[family.sharing, c] for c in chosen)
        by_name[family.name] = ways
    for sharing in dict.fromkeys(family.sharing for family in families):
        own = [(sharing, n) for n in range(len(by_name.get(sharing, ())))]
        for name, message in orders.get(sharing, own):
            c = color[name][message]
            for place, turn in by_name[name][message].items():
                if turn not in positions[c][place]:
                    positions[c][place].append(turn)
                sequences[c][place].append(positions[c][place].index(turn))
    made = Colored(
        color,
        {c: {place: tuple(turns) for place, turns in at.items()} for c, at in positions.items()},
        {c: {place: _shortest(s) for place, s in at.items()} for c, at in sequences.items()},
        {family.name: len(set(chosen)) for family, chosen in zip(families, local, strict=True)},
    )
    _check_dependencies(made)
    return made


def _shortest(sequence: list[int]) -> tuple[int, ...]:
    """A sequence without repetition of the whole."""
    return tuple(sequence) if len(set(sequence)) > 1 else (sequence[0],)


def _check_dependencies(colored: Colored) -> None:
    """Raise VerificationError where queues of one colour wait for each other in a circle.

    The channel dependency graph of a colour has an edge from every queue to those that its wavelets go to next; queues
    of different colours never wait for each other in a router.
    """
    steps = ((0, -1), (0, 1), (1, 0), (-1, 0))
    for color, places in colored.positions.items():
        graph: nx.DiGraph[tuple[Place, int]] = nx.DiGraph()
        for (x, y), turns in places.items():
            for comes, leaves in turns:
                for port in leaves:
                    if port != RAMP:
                        there = x + steps[port][0], y + steps[port][1]
                        graph.add_edge(((x, y), comes), (there, (SOUTH, NORTH, WEST, EAST)[port]))
        if not nx.is_directed_acyclic_graph(graph):
            waits = " -> ".join(str(edge[0][0]) for edge in nx.find_cycle(graph))
            raise VerificationError(f"queues of colour {color} wait for each other in a circle: at {waits}")
