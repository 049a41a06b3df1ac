"""Why a fabric does not go on: the circle of cores and queues that wait for each other."""

from __future__ import annotations

from collections.abc import Iterator

import networkx as nx

from wsc.simulation.fabric.assemble import Assembled
from wsc.simulation.fabric.parts import PORTS
from wsc.simulation.fabric.state import FAULT_AT, NOW, PORT, State

_MOST = 8  # waits that are told where there is no circle


def describe_collision(parts: Assembled) -> str:
    """Where two wavelets of one colour met."""
    route = parts.network.routes[int(parts.state.clock[FAULT_AT])]
    return (
        f"collision at cycle {int(parts.state.clock[NOW])}: two wavelets of colour {route.color} meet at router"
        f" ({route.x}, {route.y}): its position takes them from two ports at once"
    )


def describe_overflow(parts: Assembled) -> str:
    """Which queue was full."""
    queue = int(parts.state.clock[FAULT_AT])
    return (
        f"queue overflow at cycle {int(parts.state.clock[NOW])}: a wavelet finds {_queue_name(parts, queue)} full,"
        f" whose colour does not wait for room"
    )


def describe_deadlock(parts: Assembled) -> str:
    """The cycle of waits, one line of text; where there is none, the first that wait."""
    waits = list(_waits(parts))
    graph = nx.DiGraph((a, b) for a, b, _ in waits)
    reasons = {(a, b): reason for a, b, reason in waits}
    try:
        edges = [(a, b) for a, b, *_ in nx.find_cycle(graph)]
    except nx.NetworkXNoCycle:
        edges = [(a, b) for a, b, _ in waits][:_MOST]
    told = " -> ".join(f"{_name(parts, a)} waits for {reasons[a, b]}" for a, b in edges)
    return f"deadlock at cycle {int(parts.state.clock[NOW])}: {told or 'nothing waits for anything'}"


Place = tuple[str, int]  # ("core" or "queue", number)


def _waits(parts: Assembled) -> Iterator[tuple[Place, Place, str]]:
    """Who waits for whom, and for what."""
    state, layout = parts.state, parts.layout
    for queue in range(len(state.queues)):
        if state.queues["count"][queue]:
            yield from _queue_waits(parts, queue)
    for core in range(len(parts.cores)):
        for i in range(int(state.cores["active"][core])):
            yield from _transfer_waits(parts, core, int(state.active[core * layout.figures[6] + i]))
        for line in range(layout.line_first[core], layout.line_first[core + 1]):
            if state.line_next[line] < layout.line_end[line]:
                yield from _issue_waits(parts, core, int(state.line_next[line]))


def _queue_waits(parts: Assembled, queue: int) -> Iterator[tuple[Place, Place, str]]:
    layout, state = parts.layout, parts.state
    node = int(parts.state.queues["node"][queue])
    here = ("queue", queue)
    if node < 0:
        yield here, ("core", int(parts.state.queues["core"][queue])), "the core to take a word"
        return
    position = int(layout.sequence[layout.node_first[node] + state.at[node]])
    if not (int(layout.node_inputs[node, position]) >> _port(parts, queue)) & 1:
        for port in range(5):
            other = int(layout.node_queues[node, port])
            if other >= 0 and (int(layout.node_inputs[node, position]) >> port) & 1:
                yield here, ("queue", other), f"a message from the {PORTS[port]} to pass first"
        return
    for target in layout.node_outputs[node, position]:
        if target >= 0 and _is_full(state, target):
            yield here, ("queue", int(target)), f"room in {_queue_name(parts, int(target))}"


def _transfer_waits(parts: Assembled, core: int, transfer: int) -> Iterator[tuple[Place, Place, str]]:
    state, here = parts.state, ("core", core)
    source, target = int(state.transfers["source"][transfer]), int(state.transfers["target"][transfer])
    if source >= 0 and not state.queues["count"][source]:
        yield here, ("queue", source), f"a word in {_queue_name(parts, source)}"
    if target >= 0 and _is_full(state, target):
        yield here, ("queue", target), f"room in {_queue_name(parts, target)}"


def _issue_waits(parts: Assembled, core: int, instruction: int) -> Iterator[tuple[Place, Place, str]]:
    """An instruction that is not issued waits for words that come, or for what its own core has to do first."""
    layout, state = parts.layout, parts.state
    first = state.cores["counters"][core]
    here = ("core", core)
    for i in range(layout.wait_first[instruction], layout.wait_first[instruction + 1]):
        if state.counter[first + layout.wait_counter[i]] < layout.wait_least[i]:
            return
    for i in range(layout.trigger_first[instruction], layout.trigger_first[instruction + 1]):
        queue = int(layout.trigger_queue[i])
        if not state.queues["count"][queue]:
            name = parts.instructions[instruction].name
            yield here, ("queue", queue), f"a word in {_queue_name(parts, queue)} to begin {name}"


def _name(parts: Assembled, place: Place) -> str:
    kind, number = place
    if kind == "queue":
        return _queue_name(parts, number)
    core = parts.cores[number]
    return f"core ({core.x}, {core.y})"


def _queue_name(parts: Assembled, queue: int) -> str:
    routes = parts.network.routes
    node = int(parts.state.queues["node"][queue])
    if node >= 0:
        route, port = routes[node], PORTS[_port(parts, queue)]
        return f"the {port} queue of colour {route.color} at ({route.x}, {route.y})"
    core, color = next(key for key, number in parts.network.ends.items() if number == queue)
    return f"the queue of colour {color} behind the ramp of ({parts.cores[core].x}, {parts.cores[core].y})"


def _port(parts: Assembled, queue: int) -> int:
    return int(parts.state.queues["place"][queue]) & PORT


def _is_full(state: State, queue: int) -> bool:
    return bool(state.queues["count"][queue] >= state.queues["capacity"][queue])
