"""The parts of a fabric as flat arrays, checked: what a compiled simulation runs on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
from wsc.simulation.fabric.state import LEFT, NEVER, WAKING, Layout, State

_MICRO_THREADS = 64  # transfers under way on a core, and instructions


class Network:
    """Queues and nodes, numbered: a queue for every port that a colour comes from, and one behind every ramp."""

    def __init__(self, fabric: Fabric, routes: Sequence[Route], cores: Sequence[Core]) -> None:
        self.fabric, self.routes = fabric, routes
        self.node = {(r.x, r.y, r.color): i for i, r in enumerate(routes)}
        if len(self.node) < len(routes):
            raise SimulationError("two routes are given for one colour at one router")
        self.core_at = {(c.x, c.y): i for i, c in enumerate(cores)}
        self.queues: list[tuple[int, int, int, int]] = []  # node, port, core, tile
        self.credits: list[bool] = []
        self.inputs: dict[tuple[int, int], int] = {}  # node, port
        self.ends: dict[tuple[int, int], int] = {}  # core, colour
        for number, route in enumerate(routes):
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
    layout = Layout(
        figures=np.array(
            [
                fabric.ramp_cycles,
                fabric.hop_cycles,
                fabric.read_bytes,
                fabric.write_bytes,
                fabric.banks,
                PACE,
            ],
            np.int64,
        ),
        **_queues(network),
        **_nodes(network),
        **_cores(fabric, cores),
        **_instructions(cores, instructions),
        **_edges(network, cores),
        **_transfers(network, cores),
    )
    return Assembled(fabric, network, tuple(cores), instructions, layout, _state(fabric, cores, layout))


def _queues(network: Network) -> dict[str, Any]:
    table = np.array(network.queues, np.int32).reshape(-1, 4)
    return {
        "queue_node": table[:, 0].copy(),
        "queue_port": table[:, 1].copy(),
        "queue_core": table[:, 2].copy(),
        "queue_tile": table[:, 3].copy(),
        "queue_credits": np.array(network.credits, np.bool_),
    }


def _nodes(network: Network) -> dict[str, Any]:
    routes = network.routes
    inputs = np.zeros((len(routes), 4), np.int32)
    outputs = np.full((len(routes), 4, 5), -1, np.int32)
    queues = np.full((len(routes), 5), -1, np.int32)
    for number, route in enumerate(routes):
        for p, position in enumerate(route.positions):
            inputs[number, p] = sum(1 << port for port in set(position.inputs))
            for port in position.outputs:
                outputs[number, p, port] = network.target(route, port)
            for port in position.inputs:
                queues[number, port] = network.inputs[number, port]
    lengths = np.array([len(route.sequence) for route in routes], np.int32)
    return {
        "node_inputs": inputs,
        "node_outputs": outputs,
        "node_queues": queues,
        "node_first": (np.cumsum(lengths) - lengths).astype(np.int32),
        "node_length": lengths,
        "node_tile": np.array([r.y * network.fabric.width + r.x for r in routes], np.int32),
        "sequence": np.array([p for route in routes for p in route.sequence], np.int8),
    }


def _cores(fabric: Fabric, cores: Sequence[Core]) -> dict[str, Any]:
    lines = [len(core.queues) for core in cores]
    lengths = [len(line) for core in cores for line in core.queues]
    counters = [core.counters for core in cores]
    return {
        "core_tile": np.array([c.y * fabric.width + c.x for c in cores], np.int32),
        "core_group": np.array([c.group for c in cores], np.int32),
        "memory_first": _memory_offsets(cores)[:-1],
        "group_rate": np.array([max(1, int(rate * PACE)) for rate in fabric.rates], np.int64),
        "line_first": _offsets(lines),
        "line_end": np.cumsum(lengths, dtype=np.int64),
        "counter_first": _offsets(counters),
    }


def _instructions(cores: Sequence[Core], instructions: Sequence[Instruction]) -> dict[str, Any]:
    owner = np.repeat(np.arange(len(cores)), [sum(map(len, core.queues)) for core in cores])
    counters = _offsets([core.counters for core in cores])
    ages = [i.age - (NEVER >> 1 if i.urgent else 0) for i in instructions]
    return {
        "instruction_counts": (counters[owner] + np.array([i.counts for i in instructions], int)).astype(
            np.int32
        ),
        "instruction_time": np.array([i.occupancy for i in instructions], np.int64),
        "instruction_age": np.array(ages, np.int64),
        "instruction_call": np.array([i.call for i in instructions], np.int32),
        "instruction_background": np.array([i.background for i in instructions], np.bool_),
        "transfer_background": np.array([i.background for i in instructions for _ in i.transfers], np.bool_),
        "instruction_core": owner.astype(np.int32),
        "wait_first": _offsets([len(i.waits) for i in instructions]),
        "wait_counter": np.array([c for i in instructions for c, _ in i.waits], np.int32),
        "wait_least": np.array([n for i in instructions for _, n in i.waits], np.int32),
        "trigger_first": _offsets([len(i.triggers) for i in instructions]),
        "transfer_first": _offsets([len(i.transfers) for i in instructions]),
    }


def _edges(network: Network, cores: Sequence[Core]) -> dict[str, Any]:
    triggers = [
        network.exit(core, color)
        for core in cores
        for line in core.queues
        for i in line
        for color in i.triggers
    ]
    return {"trigger_queue": np.array(triggers, np.int32)}


def _transfers(network: Network, cores: Sequence[Core]) -> dict[str, Any]:
    tables = _Tables()
    columns: dict[str, list[int]] = {
        name: [] for name in ("words", "source", "target", "fn", "lanes", "pace", "delay", "after", "behind")
    }
    reads, writes = [], []
    first = 0
    for core in cores:
        for instruction in (i for line in core.queues for i in line):
            for t in instruction.transfers:
                columns["words"].append(t.words)
                columns["source"].append(network.exit(core, t.receives) if t.receives >= 0 else -1)
                columns["target"].append(network.entry(core, t.sends) if t.sends >= 0 else -1)
                columns["fn"].append(COMBINE.index(t.combine))
                columns["lanes"].append(int(t.lanes))
                columns["pace"].append(t.pace)
                columns["delay"].append(t.delay)
                columns["after"].append(first + t.after if t.after >= 0 else -1)
                columns["behind"].append(first + t.behind if t.behind >= 0 else -1)
                reads.append(tables.row(t.reads))
                writes.append(tables.row(t.writes))
            first += len(instruction.transfers)
    small = {"fn": np.int8, "lanes": np.int8}
    found: dict[str, Any] = {
        name: np.array(values, small.get(name, np.int32)) for name, values in columns.items()
    }
    found |= {
        "reads": np.array(reads, np.int64).reshape(-1, 4),
        "writes": np.array(writes, np.int64).reshape(-1, 4),
        "table": tables.joined(),
    }
    return found


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


def _state(fabric: Fabric, cores: Sequence[Core], layout: Layout) -> State:
    queues, nodes, count = len(layout.queue_node), len(layout.node_first), len(cores)
    instructions, transfers = len(layout.instruction_counts), len(layout.words)
    deep = fabric.queue_words + max(fabric.hop_cycles - 1, fabric.ramp_cycles)
    way = np.where(
        (layout.queue_node < 0) | (layout.queue_port == RAMP), fabric.ramp_cycles, fabric.hop_cycles - 1
    )
    memory = np.full(int(_memory_offsets(cores)[-1]), 0xFF, np.uint8)
    places = _MICRO_THREADS + 2 * max(np.diff(layout.transfer_first), default=0)
    state: dict[str, Any] = {
        "clock": np.zeros(13, np.int64),
        "room": (fabric.queue_words + way).astype(np.int32),
        "word": np.zeros((queues, deep), np.uint32),
        "last": np.zeros((queues, deep), np.bool_),
        "ready": np.zeros((queues, deep), np.int64),
        "link": np.full(fabric.width * fabric.height * 5, -1, np.int64),
        "open": np.full(nodes, -1, np.int8),
        "woken": np.ones(count, np.bool_),
        "running": np.zeros((count, _MICRO_THREADS), np.int32),
        "active": np.zeros((count, places), np.int32),
        "line_next": _line_starts(layout),
        "tile_seen": np.full(fabric.width * fabric.height, -1, np.int64),
        "budget": np.maximum(layout.group_rate, PACE),
        "memory8": memory,
        "memory16": memory.view(np.uint16),
        "memory32": memory.view(np.uint32),
        "instruction_done": np.full(instructions, -1, np.int64),
        "alarm": np.full(count, -1, np.int64),
        "waking": np.arange(count, dtype=np.int32),
    }
    ints: dict[str, int] = {
        "head": queues,
        "count": queues,
        "at": nodes,
        "running_count": count,
        "active_count": count,
    }
    ints |= {"routing": 2 * queues, "blocked": 2 * queues, "moved": 2 * queues, "freed": 2 * queues}
    ints |= {"timer_core": 8 * count + 8, "call_instruction": count + 8, "due_calls": count + 8, "progress": transfers}
    ints |= {"counter": int(layout.counter_first[-1]), "instruction_left": instructions}
    longs = {"until": count, "timer_time": 8 * count + 8, "call_time": count + 8, "issue_free": count}
    longs |= {"instruction_end": instructions, "start": transfers, "due": transfers}
    longs |= {"budget_time": len(fabric.rates)}
    state |= {name: np.zeros(size, np.int32) for name, size in ints.items()}
    state |= {name: np.zeros(size, np.int64) for name, size in longs.items()}
    made = State(**state)
    made.clock[LEFT] = instructions
    made.clock[WAKING] = count
    return made


def _line_starts(layout: Layout) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(min(1, len(layout.line_end)), np.int64), layout.line_end[:-1]])


def _memory_offsets(cores: Sequence[Core]) -> NDArray[np.int64]:
    sizes = [-(-core.memory_bytes // 8) * 8 for core in cores]
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _offsets(lengths: Sequence[int]) -> NDArray[np.int32]:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
