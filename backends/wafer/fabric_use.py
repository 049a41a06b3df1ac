"""Colours and switch positions that a pipeline takes of the fabric, and whether its routes can lock.

A stream takes a colour at every router that it passes, with switch positions that change in the order of its messages;
a kernel takes those of its movements (`wsc.backends.wafer.colors`), found on a piece of its region: its mesh with four
parts an axis at most, three where it has more than two axes. Streams that meet at a router get colours of different
numbers, by graph colouring (networkx); kernels take those that the streams through their regions leave.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, count, islice
from typing import cast

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from wsc.backends.wafer.channels import check_routes
from wsc.backends.wafer.colors import Colored, Family, allocate, least_colors
from wsc.backends.wafer.instructions import Move
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.movement import Region, expand
from wsc.backends.wafer.movement.program import is_local
from wsc.backends.wafer.program import Kernel, Program
from wsc.backends.wafer.simulate.traffic import Traffic, find_traffic
from wsc.backends.wafer.text import print_instruction
from wsc.compiler.errors import AlgorithmError, DoesNotFit
from wsc.compiler.layout import Mesh

_PARTS = 4
_TURNS = 500
Map = NDArray[np.int64]


@dataclass(frozen=True)
class FabricUse:
    """Most colours at a router, of how many; at which, and in which kernel; numbers in all; most switch positions."""

    colors: int
    available: int
    at: tuple[int, int]
    kernel: str
    numbers: int
    positions: int

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """For a person, and for the build folder."""
        where = f"in '{self.kernel}'" if self.kernel else "between kernels"
        return (
            (
                "colours",
                f"at most {self.colors} of {self.available} at a router, at {self.at} {where}; {self.numbers} in all",
            ),
            ("switch positions", f"at most {self.positions} at a router"),
        )


def fabric_use(program: Program, machine: Wafer) -> FabricUse | None:
    """What a pipeline takes of the fabric; None for a program that runs in order.

    Raises DoesNotFit where colours run out, VerificationError where routes can lock.
    """
    if program.kernels[0].in_order:
        return None
    traffic = find_traffic(program, machine)
    for t in traffic:
        check_routes(t.stream.name, t.ways)
    passed = [_routers(program, t) for t in traffic]
    crossing = np.zeros((program.height, program.width), np.int64)
    for routers in passed:
        crossing += routers
    lanes = _stream_colors(program, passed, machine)
    made: dict[object, Colored] = {}
    kernels, numbers = [], max(lanes, default=-1) + 1
    for kernel in program.kernels:
        taken = {lane for lane, routers in zip(lanes, passed, strict=True) if routers[_region(kernel)].any()}
        found = _colored(kernel, machine, len(taken), made)
        free = (color for color in count() if color not in taken)
        numbers = max([numbers, *(color + 1 for color in islice(free, found.used))])
        kernels.append(found)
    total = crossing.copy()
    for kernel, found in zip(program.kernels, kernels, strict=True):
        total[_region(kernel)] += found.used
    y, x = (int(i) for i in np.unravel_index(int(total.argmax()), total.shape))
    name = next(
        (k.name for k in program.kernels if k.x <= x < k.x + k.width and k.y <= y < k.y + k.height), ""
    )
    positions = max((k.most_positions for k in kernels), default=1)
    return FabricUse(int(total.max()), machine.fabric.colors, (x, y), name, numbers, positions)


def _region(kernel: Kernel) -> tuple[slice, slice]:
    return slice(kernel.y, kernel.y + kernel.height), slice(kernel.x, kernel.x + kernel.width)


def _routers(program: Program, traffic: Traffic) -> NDArray[np.bool_]:
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


def _colored(kernel: Kernel, machine: Wafer, streams: int, made: dict[object, Colored]) -> Colored:
    """Colours of a kernel's movements, of those that the streams through its region leave."""
    most = machine.fabric.colors - streams
    buffers = tuple((b.type, b.layout) for b in kernel.buffers)
    key = kernel.mesh, buffers, tuple(kernel.flat_instructions()), most
    if (known := made.get(key)) is not None:
        return known
    try:
        return made.setdefault(key, allocate(_families(kernel), most))
    except DoesNotFit as error:
        least = least_colors(_families(kernel))
        raise DoesNotFit(
            f"kernel '{kernel.name}' ({kernel.location}) takes {least} colours at least, and the streams that pass"
            f" through its region {streams}: {machine.name} has {machine.fabric.colors}. A cut over fewer axes, or"
            " fewer streams through the region, takes fewer"
        ) from error


def _families(kernel: Kernel) -> list[Family]:
    """Messages of a kernel's movements on a piece of its region."""
    most = _PARTS if len(kernel.mesh.axes) <= 2 else _PARTS - 1
    axes = tuple(replace(axis, parts=min(axis.parts, most)) for axis in kernel.mesh.axes)
    piece = replace(kernel, mesh=Mesh(axes))
    region, found = Region.of(piece), []
    for number, instruction in enumerate(kernel.flat_instructions()):
        if is_local(instruction):
            continue
        try:
            made = expand(
                cast(Move, instruction.op),
                region,
                kernel[instruction.operands[0]],
                kernel[instruction.result],
            )
        except AlgorithmError:  # what only the fast simulator knows
            continue
        what = f"kernel '{kernel.name}', {print_instruction(instruction)}"
        if made.messages:
            name = f"{kernel.name}/{number}"
            found.append(Family(name, f"kernel '{kernel.name}'", tuple(made.messages), what, made.ordered))
    return found


def _stream_colors(program: Program, passed: Sequence[NDArray[np.bool_]], machine: Wafer) -> list[int]:
    """A colour for every stream, the same all the way; those that meet at a router differ. Raises DoesNotFit."""
    marks = np.random.default_rng(0).integers(2**63, size=len(passed), dtype=np.uint64)
    sets = np.zeros((program.height, program.width), np.uint64)
    for mark, routers in zip(marks, passed, strict=True):
        sets[routers] += mark
    members: dict[int, list[int]] = {}
    for stream, routers in enumerate(passed):
        for key in np.unique(sets[routers]).tolist():
            members.setdefault(key, []).append(stream)
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(range(len(passed)))
    for group in sorted({tuple(group) for group in members.values()}):
        graph.add_edges_from(combinations(group, 2))
    found = _colored_graph(graph, machine.fabric.colors)
    numbers = max(found.values(), default=-1) + 1
    if numbers > machine.fabric.colors:
        raise DoesNotFit(
            f"the streams of '{program.name}' take {numbers} colours where they meet, and {machine.name} has"
            f" {machine.fabric.colors}: fewer or shorter streams would take fewer."
        )
    return [found[stream] for stream in range(len(passed))]


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
