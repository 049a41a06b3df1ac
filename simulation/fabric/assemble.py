"""The parts of a fabric as flat arrays, checked: what a compiled simulation runs on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsc.compiler.errors import SimulationError
from wsc.simulation.fabric.parts import (
    COMBINE,
    OPPOSITE,
    PACE,
    PORTS,
    RAMP,
    STEPS,
    Access,
    Core,
    Fabric,
    Instruction,
    Route,
)
from wsc.simulation.fabric.state import (
    AHEAD,
    CORE,
    INSTRUCTION,
    LEFT,
    NEVER,
    NO_CREDITS,
    PLAIN,
    PORT_BITS,
    QUEUE,
    TABLE,
    TRANSFER,
    WAKING,
    WAVELET,
    Layout,
    Records,
    State,
)

_MICRO_THREADS = 64  # transfers under way on a core, and instructions


class Network:
    """Queues and nodes, numbered: a queue for every port that a colour comes from, and one behind every ramp."""

    def __init__(self, fabric: Fabric, routes: Sequence[Route], cores: Sequence[Core]) -> None:
        self.fabric, self.routes = fabric, routes
        self.node = {(r.x, r.y, r.color): i for i, r in enumerate(self.routes)}
        if len(self.node) < len(routes):
            raise SimulationError("two routes are given for one colour at one router")
        self.core_at = {(c.x, c.y): i for i, c in enumerate(cores)}
        self.queues: list[tuple[int, int, int, int]] = []  # node, port, core, tile
        self.credits: list[bool] = []
        self.inputs: dict[tuple[int, int], int] = {}  # node, port
        self.ends: dict[tuple[int, int], int] = {}  # core, colour
        for number, route in enumerate(self.routes):
            self._add_queues(number, route)

    def _add_queues(self, number: int, route: Route) -> None:
        core = self.core_at.get((route.x, route.y), -1)
        tile = route.y * self.fabric.width + route.x
        for port in sorted({port for position in route.positions for port in position.inputs}):
            self.inputs[number, port] = len(self.queues)
            self.queues.append((number, port, core if port == RAMP else -1, tile))
            self.credits.append(route.credits)
        if any(RAMP in position.outputs for position in route.positions):
            if core < 0:
                raise SimulationError(
                    f"colour {route.color} ends at ({route.x}, {route.y}), where no core is"
                )
            self.ends[core, route.color] = len(self.queues)
            self.queues.append((-1, -1, core, tile))
            self.credits.append(route.credits)

    def target(self, route: Route, port: int) -> int:
        """The queue that a wavelet gets to which leaves a router by a port; raises SimulationError."""
        if port == RAMP:
            return self.ends[self.core_at[route.x, route.y], route.color]
        x, y = route.x + STEPS[port][0], route.y + STEPS[port][1]
        node = self.node.get((x, y, route.color), -1)
        queue = self.inputs.get((node, OPPOSITE[port]), -1)
        if queue < 0:
            raise SimulationError(
                f"colour {route.color} leaves ({route.x}, {route.y}) to the {PORTS[port]}, and ({x}, {y})"
                f" takes nothing of it from the {PORTS[OPPOSITE[port]]}"
            )
        return queue

    def entry(self, core: Core, color: int) -> int:
        """The queue that a core sends a colour into; raises SimulationError."""
        queue = self.inputs.get((self.node.get((core.x, core.y, color), -1), RAMP), -1)
        if queue < 0:
            raise SimulationError(
                f"core ({core.x}, {core.y}) sends colour {color}, which has no route from there"
            )
        return queue

    def exit(self, core: Core, color: int) -> int:
        """The queue in which a core finds a colour; raises SimulationError."""
        queue = self.ends.get((self.core_at[core.x, core.y], color), -1)
        if queue < 0:
            raise SimulationError(
                f"core ({core.x}, {core.y}) receives colour {color}, which has no route to there"
            )
        return queue


@dataclass(frozen=True, eq=False)
class Assembled:
    """Arrays of a fabric, and what its numbers mean."""

    fabric: Fabric
    network: Network
    cores: tuple[Core, ...]
    instructions: tuple[Instruction, ...]
    layout: Layout
    state: State


def assemble(fabric: Fabric, routes: Sequence[Route], cores: Sequence[Core]) -> Assembled:
    """All parts as arrays; raises SimulationError where a route leads nowhere or a core has none for its colour."""
    network = Network(fabric, routes, cores)
    instructions = tuple(i for core in cores for line in core.queues for i in line)
    figures = [
        fabric.ramp_cycles,
        fabric.read_bytes,
        fabric.write_bytes,
        fabric.banks,
        fabric.banks - 1 if fabric.banks & (fabric.banks - 1) == 0 else -1,
        _places(fabric),
        _MICRO_THREADS + 2 * max((len(i.transfers) for i in instructions), default=0),
    ]
    layout = Layout(
        figures=np.array(figures, np.int64),
        **_nodes(network),
        **_lines(fabric, cores),
        **_instruction_lists(network, cores, instructions),
        **_accesses(instructions),
    )
    state = State(
        queues=_queues(network),
        cores=_cores(fabric, cores),
        instructions=_instructions(cores, instructions),
        transfers=_transfers(network, cores),
        **_empty(fabric, network, cores, layout),
    )
    state.clock[LEFT] = len(instructions)
    state.clock[WAKING] = len(cores)
    return Assembled(fabric, network, tuple(cores), instructions, layout, state)


def _records(kind: np.dtype[np.void], size: int, **columns: object) -> Records:
    """Records of zeros, but for some fields: a value for all, or one each."""
    found = np.zeros(size, kind)
    for name, values in columns.items():
        found[name] = values
    return found


def _queues(network: Network) -> Records:
    fabric = network.fabric
    table = np.array(network.queues, np.int32).reshape(-1, 4)
    node, port, core, tile = table.T
    way = np.where((node < 0) | (port == RAMP), fabric.ramp_cycles, fabric.hop_cycles - 1)
    place = (tile << PORT_BITS) + np.where(network.credits, 0, NO_CREDITS) + np.maximum(port, 0)
    found = _records(QUEUE, len(table), node=node, core=core, place=place, onward=-1, popped=-1)
    found["capacity"] = fabric.queue_words + way
    for number, route in enumerate(network.routes):
        leaving = {port for position in route.positions for port in position.outputs}
        for leaves in leaving:
            queue = found[network.target(route, leaves)]
            queue["link"] = (route.y * fabric.width + route.x) * len(PORTS) + leaves
            queue["way"] = fabric.ramp_cycles if leaves == RAMP else fabric.hop_cycles
        entering = {port for position in route.positions for port in position.inputs}
        if len(route.positions) == len(entering) == len(leaving) == 1:  # it always goes one way
            (comes,), (leaves,) = entering, leaving
            found["onward"][network.inputs[number, comes]] = network.target(route, leaves)
    return found


def _places(fabric: Fabric) -> int:
    """Places of a queue in memory: a power of two."""
    deep = fabric.queue_words + max(fabric.hop_cycles - 1, fabric.ramp_cycles)
    return 1 << (deep - 1).bit_length()


def _nodes(network: Network) -> dict[str, Any]:
    routes = network.routes
    positions = [position for route in routes for position in route.positions]
    most = max((len(route.positions) for route in routes), default=1)
    widest = max((len(set(position.outputs)) for position in positions), default=1)
    inputs = np.zeros((len(routes), most), np.int32)
    outputs = np.full((len(routes), most, widest), -1, np.int32)
    queues = np.full((len(routes), 5), -1, np.int32)
    for number, route in enumerate(routes):
        for p, position in enumerate(route.positions):
            inputs[number, p] = sum(1 << port for port in set(position.inputs))
            for i, port in enumerate(sorted(set(position.outputs))):
                outputs[number, p, i] = network.target(route, port)
            for port in position.inputs:
                queues[number, port] = network.inputs[number, port]
    lengths = np.array([len(route.sequence) for route in routes], np.int32)
    return {
        "node_inputs": inputs,
        "node_outputs": outputs,
        "node_queues": queues,
        "node_first": (np.cumsum(lengths) - lengths).astype(np.int32),
        "node_length": lengths,
        "sequence": np.array([p for route in routes for p in route.sequence], np.int8),
    }


def _cores(fabric: Fabric, cores: Sequence[Core]) -> Records:
    first, stride, _ = _memories(cores)
    return _records(
        CORE,
        len(cores),
        alarm=-1,
        memory=first,
        stride=stride,
        tile=[c.y * fabric.width + c.x for c in cores],
        group=[c.group for c in cores],
        counters=_offsets([core.counters for core in cores])[:-1],
        woken=True,
    )


def _lines(fabric: Fabric, cores: Sequence[Core]) -> dict[str, Any]:
    lengths = [len(line) for core in cores for line in core.queues]
    return {
        "group_rate": np.array([max(1, int(rate * PACE)) for rate in fabric.rates], np.int64),
        "line_first": _offsets([len(core.queues) for core in cores]),
        "line_end": np.cumsum(lengths, dtype=np.int64),
    }


def _instructions(cores: Sequence[Core], instructions: Sequence[Instruction]) -> Records:
    owner = np.repeat(np.arange(len(cores)), [sum(map(len, core.queues)) for core in cores])
    counters = _offsets([core.counters for core in cores])
    return _records(
        INSTRUCTION,
        len(instructions),
        time=[i.occupancy for i in instructions],
        age=[i.age - (NEVER >> 1 if i.urgent else 0) for i in instructions],
        done=-1,
        counts=counters[owner] + np.array([i.counts for i in instructions], int),
        call=[i.call for i in instructions],
        core=owner,
        background=[i.background for i in instructions],
    )


def _instruction_lists(
    network: Network, cores: Sequence[Core], instructions: Sequence[Instruction]
) -> dict[str, Any]:
    triggers = [
        network.exit(core, color)
        for core in cores
        for line in core.queues
        for i in line
        for color in i.triggers
    ]
    return {
        "wait_first": _offsets([len(i.waits) for i in instructions]),
        "wait_counter": np.array([c for i in instructions for c, _ in i.waits], np.int32),
        "wait_least": np.array([n for i in instructions for _, n in i.waits], np.int32),
        "trigger_first": _offsets([len(i.triggers) for i in instructions]),
        "trigger_queue": np.array(triggers, np.int32),
        "transfer_first": _offsets([len(i.transfers) for i in instructions]),
    }


def _transfers(network: Network, cores: Sequence[Core]) -> Records:
    owned = [(core, i) for core in cores for line in core.queues for i in line]
    firsts = _offsets([len(i.transfers) for _, i in owned]).tolist()
    made = [(core, i, first, t) for (core, i), first in zip(owned, firsts, strict=False) for t in i.transfers]
    if not made:  # the first is asked for in any case
        return _records(TRANSFER, 1)
    return _records(
        TRANSFER,
        len(made),
        words=[t.words for *_, t in made],
        source=[network.exit(core, t.receives) if t.receives >= 0 else -1 for core, *_, t in made],
        target=[network.entry(core, t.sends) if t.sends >= 0 else -1 for core, *_, t in made],
        pace=[t.pace for *_, t in made],
        delay=[t.delay for *_, t in made],
        after=[first + t.after if t.after >= 0 else -1 for *_, first, t in made],
        behind=[first + t.behind if t.behind >= 0 else -1 for *_, first, t in made],
        whole=[t.whole for *_, t in made],
        fn=[COMBINE.index(t.combine) for *_, t in made],
        lanes=[int(t.lanes) for *_, t in made],
        read_at=[t.reads.base >> 2 if t.reads is not None else 0 for *_, t in made],
        write_at=[t.writes.base >> 2 if t.writes is not None else 0 for *_, t in made],
        reads=[_walk(t.reads) for *_, t in made],
        writes=[_walk(t.writes) for *_, t in made],
        background=[i.background for _, i, *_ in made],
    )


def _walk(access: Access | None) -> int:
    if access is None:
        return 0
    return PLAIN if access.table is None else TABLE


def _accesses(instructions: Sequence[Instruction]) -> dict[str, Any]:
    tables = _Tables()
    rows = [[tables.row(t.reads), tables.row(t.writes)] for i in instructions for t in i.transfers]
    both = np.array(rows, np.int64).reshape(-1, 2, 4)
    return {"reads": both[:, 0].copy(), "writes": both[:, 1].copy(), "table": tables.joined()}


class _Tables:
    """The tables of accesses, one after another; one that is used often is kept once."""

    def __init__(self) -> None:
        self._known: dict[int, int] = {}
        self._kept: list[NDArray[np.int32]] = []
        self._size = 0

    def row(self, access: Access | None) -> tuple[int, int, int, int]:
        """(base, where its table begins or -1, units, bytes of a unit)."""
        if access is None:
            return -1, -1, 0, 4
        if access.table is None:
            return access.base, -1, 0, 4
        if id(access.table) not in self._known:
            self._known[id(access.table)] = self._size
            self._kept.append(access.table)
            self._size += access.table.size
        return access.base, self._known[id(access.table)], access.table.size, access.unit

    def joined(self) -> NDArray[np.int32]:
        """All tables."""
        return np.concatenate([np.zeros(0, np.int32), *self._kept])


def _empty(fabric: Fabric, network: Network, cores: Sequence[Core], layout: Layout) -> dict[str, Any]:
    """What every simulation begins with: nothing under way, all cores awake."""
    queues, nodes, count = len(network.queues), len(network.routes), len(cores)
    memory = np.full(4 * _memories(cores)[2], 0xFF, np.uint8)
    places = int(layout.figures[6])
    state: dict[str, Any] = {
        "clock": np.zeros(14, np.int64),
        "wavelets": np.zeros(queues * _places(fabric), WAVELET),
        "routing": np.zeros((2, 3, queues + 3 * AHEAD), np.int32),
        "listed": np.zeros((2, 3), np.int64),
        "link": np.full(fabric.width * fabric.height * 5, -1, np.int32),
        "open": np.full(nodes, -1, np.int8),
        "running": np.zeros((count, _MICRO_THREADS), np.int32),
        "active": np.zeros((count + 1) * places, np.int32),
        "line_next": _line_starts(layout),
        "tile_seen": np.full(fabric.width * fabric.height, -1, np.int32),
        "budget": np.maximum(layout.group_rate, PACE),
        "memory8": memory,
        "memory16": memory.view(np.uint16),
        "memory32": memory.view(np.uint32),
        "waking": np.arange(count + 3 * AHEAD, dtype=np.int32) % max(1, count),
    }
    ints = {
        "freed": queues,
        "timer_core": 8 * count + 8,
        "call_instruction": count + 8,
        "due_calls": count + 8,
    }
    ints |= {"counter": sum(core.counters for core in cores), "at": nodes}
    longs = {"timer_time": 8 * count + 8, "call_time": count + 8, "budget_time": len(fabric.rates)}
    state |= {name: np.zeros(size, np.int32) for name, size in ints.items()}
    state |= {name: np.zeros(size, np.int64) for name, size in longs.items()}
    return state


def _line_starts(layout: Layout) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(min(1, len(layout.line_end)), np.int64), layout.line_end[:-1]])


def _memories(cores: Sequence[Core]) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Of every core the first word of its memory and the stride from word to word; and the words of all."""
    firsts: list[int] = []
    strides: list[int] = []
    end = 0
    for _, same in groupby(
        enumerate(cores), lambda c: (c[1].block, c[1].memory_bytes, c[0] * (c[1].block < 0))
    ):
        count, words = len(list(same)), -(-cores[len(firsts)].memory_bytes // 8) * 2
        firsts += range(end, end + count)
        strides += [count] * count
        end += count * words
    return np.array(firsts, np.int64), np.array(strides, np.int64), end


def _offsets(lengths: Sequence[int]) -> NDArray[np.int32]:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
