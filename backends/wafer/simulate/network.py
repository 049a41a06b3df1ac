"""The fabric as the streams see it: which resources a transfer holds, for how long, and with whom it shares them.

Links used by the same set of streams are one resource: a transfer of any of these streams waits for all of them and
holds all of them, each stream for as long as its busiest link among them. That is an upper bound, and leaves a few
hundred resources where the fabric has millions of links.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import HOST, Program
from wsc.backends.wafer.simulate.routes import LinkLoads
from wsc.backends.wafer.simulate.traffic import Traffic
from wsc.simulation.links import Path

Loads = dict[int, int]  # resource: cycles


@dataclass(frozen=True)
class Resource:
    """Something that transfers hold one after another: `streams` share it, `cycles` an input in all."""

    name: str
    streams: tuple[str, ...]
    cycles: int


@dataclass(frozen=True, eq=False)
class Network:
    """One path a stream, in the program's order, over common resources."""

    paths: tuple[Path, ...]
    resources: tuple[Resource, ...]


def build_network(program: Program, machine: Wafer, traffic: Sequence[Traffic]) -> Network:
    """Paths of a program's streams: every stream holds its own links, those it shares, and the host's the edge."""
    loads: list[Loads] = [{number: t.drain_cycles} for number, t in enumerate(traffic)]
    names = ["the links of stream"] * len(traffic)
    _add_shared_links(program, traffic, loads, names)
    _add_edges(machine, traffic, loads, names)
    users: list[list[int]] = [[] for _ in names]
    for number, load in enumerate(loads):
        for resource in load:
            users[resource].append(number)
    return Network(
        tuple(_path(machine, t, load) for t, load in zip(traffic, loads, strict=True)),
        tuple(_resource(name, i, users[i], traffic, loads) for i, name in enumerate(names)),
    )


def _path(machine: Wafer, traffic: Traffic, load: Loads) -> Path:
    resources = np.fromiter(load, np.int64, len(load))
    cycles = np.fromiter(load.values(), np.int64, len(load))
    drain = max(traffic.drain_cycles, traffic.edge_cycles(machine))
    return Path(resources, cycles, drain, traffic.flight_cycles(machine))


def _resource(
    name: str, at: int, users: list[int], traffic: Sequence[Traffic], loads: list[Loads]
) -> Resource:
    cycles = sum(loads[user][at] * traffic[user].stream.transfers for user in users)
    return Resource(name, tuple(traffic[user].stream.name for user in users), cycles)


def _add_edges(machine: Wafer, traffic: Sequence[Traffic], loads: list[Loads], names: list[str]) -> None:
    """All of the host's streams of one direction share the edge."""
    inward, outward = len(names), len(names) + 1
    names += ["the wafer's edge, inward,", "the wafer's edge, outward,"]
    for t, load in zip(traffic, loads, strict=True):
        if t.stream.source.kernel == HOST:
            load[inward] = t.edge_cycles(machine)
        if t.stream.target.kernel == HOST:
            load[outward] = t.edge_cycles(machine)


def _add_shared_links(
    program: Program, traffic: Sequence[Traffic], loads: list[Loads], names: list[str]
) -> None:
    """A set of streams is known by the sum of random 64-bit numbers, one a stream; sums of two sets are never equal."""
    marks = np.random.default_rng(0).integers(2**63, size=len(traffic), dtype=np.uint64)
    shape = (4, program.height, program.width + 2)  # with the columns before and behind the fabric
    sets = np.zeros(shape, np.uint64)
    users = np.zeros(shape, np.uint16)
    for mark, t in zip(marks, traffic, strict=True):
        used = t.loads.words > 0
        box = _box(t.loads)
        np.add(sets[box], mark, out=sets[box], where=used)
        np.add(users[box], 1, out=users[box], where=used, casting="unsafe")
    known: dict[int, int] = {}
    for t, load in zip(traffic, loads, strict=True):
        shared = (users[_box(t.loads)] > 1) & (t.loads.words > 0)
        for mark, words in _busiest_by_set(sets[_box(t.loads)][shared], t.loads.words[shared]):
            if mark not in known:
                known[mark] = len(names)
                names.append("a link shared by streams")
            load[known[mark]] = -(-words // t.parts)


def _box(loads: LinkLoads) -> tuple[slice, slice, slice]:
    _, height, width = loads.words.shape
    return slice(None), slice(loads.y, loads.y + height), slice(loads.x + 1, loads.x + 1 + width)


def _busiest_by_set(marks: NDArray[np.uint64], words: NDArray[np.float64]) -> list[tuple[int, int]]:
    """(set, most words on a link of it), in the order of marks."""
    found, place = np.unique(marks, return_inverse=True)
    most = np.zeros(found.size)
    np.maximum.at(most, place, words)
    return [(int(mark), int(count)) for mark, count in zip(found, most, strict=True)]
