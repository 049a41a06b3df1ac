"""Colours of streams: each keeps one all the way, and those that meet at a router have different ones.

By greedy colouring (networkx). Where that takes too many, or leaves a kernel too few, colours are chosen exactly
(`wsc.placement.channels`), and with them, before the program is settled, along which way each stream goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from wsc.backends.wafer.kernel_colors import fewest_colors
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import HOST, Kernel, Program, Stream
from wsc.backends.wafer.simulate.traffic import Traffic, find_traffic
from wsc.compiler.errors import DoesNotFit
from wsc.placement.channels import Room, choose_channels, meetings

_TURNS = 500
Map = NDArray[np.bool_]


def region(kernel: Kernel) -> tuple[slice, slice]:
    """Rows and columns of a kernel's cores."""
    return slice(kernel.y, kernel.y + kernel.height), slice(kernel.x, kernel.x + kernel.width)


def routers(program: Program, traffic: Traffic) -> Map:
    """Routers that a stream's messages pass: those that they leave, and those that they come to."""
    loads = traffic.loads
    used = loads.words > 0
    _, height, width = used.shape
    found = np.zeros((program.height + 2, program.width + 4), np.bool_)
    y, x = loads.y + 1, loads.x + 2
    for (dx, dy), links in zip(((1, 0), (-1, 0), (0, 1), (0, -1)), used, strict=True):
        for at_x, at_y in ((x, y), (x + dx, y + dy)):
            place = found[at_y : at_y + height, at_x : at_x + width]
            place |= links[: place.shape[0], : place.shape[1]]
    return found[1:-1, 2:-2]


def stream_colors(program: Program, passed: Sequence[Map], machine: Wafer) -> list[int]:
    """A colour for every stream, by greedy colouring; `passed` are its routers. Raises DoesNotFit."""
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(range(len(passed)))
    for together in meetings(passed):
        graph.add_edges_from(combinations(together, 2))
    found = _colored_graph(graph, machine.fabric.colors)
    numbers = max(found.values(), default=-1) + 1
    if numbers > machine.fabric.colors:
        raise DoesNotFit(
            f"the streams of '{program.name}' take {numbers} colours where they meet, and {machine.name} has"
            f" {machine.fabric.colors}: fewer or shorter streams would take fewer."
        )
    return [found[stream] for stream in range(len(passed))]


def exact_colors(program: Program, passed: Sequence[Map], machine: Wafer) -> list[int] | None:
    """A colour for every stream that leaves each kernel those it needs at least; None where none is found."""
    found = choose_channels([[cells] for cells in passed], machine.fabric.colors, _rooms(program, machine))
    return None if found is None else [color for _, color in found]


def rerouted(program: Program, machine: Wafer) -> Program | None:
    """The program with its streams along ways on which the colours do; None where none is found."""
    turned = replace(program, streams=tuple(_turned(stream) for stream in program.streams))
    ways = [[routers(program, t)] for t in find_traffic(program, machine)]
    for options, stream, t in zip(ways, program.streams, find_traffic(turned, machine), strict=True):
        if t.stream.route != stream.route:
            options.append(routers(program, t))
    found = choose_channels(ways, machine.fabric.colors, _rooms(program, machine))
    if found is None:
        return None
    pairs = zip(program.streams, turned.streams, found, strict=True)
    return replace(program, streams=tuple(other if way else stream for stream, other, (way, _) in pairs))


def _turned(stream: Stream) -> Stream:
    """Along the other dimension first, unless the host is at one end: its words come and go on straight lines."""
    if HOST in (stream.source.kernel, stream.target.kernel):
        return stream
    return replace(stream, route="yx" if stream.route == "xy" else "xy")


def _rooms(program: Program, machine: Wafer) -> list[Room]:
    needs = fewest_colors(program.kernels)
    return [
        Room(region(kernel), machine.fabric.colors - need)
        for kernel, need in zip(program.kernels, needs, strict=True)
    ]


def _colored_graph(graph: nx.Graph[int], enough: int) -> dict[int, int]:
    """Greedy colouring, again and again in orders of whole colour classes until the colours are `enough`.

    An order by classes never takes more colours than before (J. Culberson, Iterated greedy graph coloring, 1992).
    """
    found: dict[int, int] = nx.greedy_color(graph, strategy="largest_first")
    rng = np.random.default_rng(0)
    for _ in range(_TURNS):
        classes = [[n for n, c in found.items() if c == color] for color in sorted(set(found.values()))]
        if len(classes) <= enough:
            break
        order = [node for index in rng.permutation(len(classes)) for node in classes[index]]
        found = nx.greedy_color(graph, strategy=lambda _graph, _colors, order=order: order)
    return found
