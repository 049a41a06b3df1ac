"""Folding: ranks that do the same, among ranks that do the same, are simulated once.

Ranks start with a colour for their class, their speed and how far their groups reach; then a colour is split wherever
two of its ranks talk to ranks of other colours, until nothing changes (colour refinement; Weisfeiler and Leman, 1968).
Ranks of one colour then pass every instruction at the same time, so one of them stands for all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsc.backends.gpu_cluster.instructions import Communicate, Instruction, Recv, Send
from wsc.backends.gpu_cluster.machine import Cluster
from wsc.backends.gpu_cluster.program import Program, class_of_ranks, once

Ints = NDArray[np.int64]
Axes = tuple[str, ...]
Hop = tuple[str, int]  # axis and steps


@dataclass(frozen=True)
class Folding:
    """`colors` gives each rank's colour; colours count from 0 in the order of their first ranks."""

    program: Program
    cluster: Cluster
    colors: Ints

    @cached_property
    def members(self) -> tuple[Ints, ...]:
        """The ranks of each colour."""
        order = np.argsort(self.colors, kind="stable")
        return tuple(np.split(order, np.cumsum(np.bincount(self.colors))[:-1]))

    def farthest(self, color: int, axes: Axes) -> tuple[int, ...]:
        """The group over `axes`, of those that a colour's ranks are in, that crosses the most switches."""
        groups = group_rows(self.program, axes)
        index = np.empty(self.program.ranks, np.int64)
        index[groups] = np.arange(len(groups))[:, None]
        rows = groups[np.unique(index[self.members[color]])]
        far = rows[np.lexsort((rows[:, 0], -reach(self.cluster, rows)))[0]]
        return tuple(int(rank) for rank in far)

    def farthest_hop(self, color: int, hop: Hop) -> tuple[int, int]:
        """The pair (from, to) of a message of a colour's ranks that crosses the most switches."""
        pairs = np.stack([self.members[color], neighbours(self.program, hop)[self.members[color]]], axis=1)
        source, target = pairs[np.lexsort((pairs[:, 0], -reach(self.cluster, pairs)))[0]]
        return int(source), int(target)


def fold(program: Program, cluster: Cluster, slowdown: Mapping[int, float]) -> Folding:
    """Colour the ranks; `slowdown` gives the factor of ranks that are slower than the others."""
    colors = _numbered(_start(program, slowdown, cluster))
    axes, hops = _talk(program)
    while True:
        columns = [colors]
        columns += [_group_colors(program, a, colors) for a in axes]
        for axis, steps in hops:
            columns += [colors[neighbours(program, (axis, s))] for s in (steps, -steps)]
        finer = _numbered(np.stack(columns, axis=1))
        if finer.max() == colors.max():
            return Folding(program, cluster, colors)
        colors = finer


def _start(program: Program, slowdown: Mapping[int, float], cluster: Cluster) -> NDArray[Any]:
    """Columns that tell ranks apart before they talk."""
    axes, hops = _talk(program)
    factor = np.ones(program.ranks)
    for rank, value in slowdown.items():
        factor[rank] = value
    columns = [class_of_ranks(program).astype(np.float64), factor]
    domains = np.arange(program.ranks) // cluster.system.domain_gpus
    for a in axes:
        groups = group_rows(program, a)
        spread = np.sort(domains[groups], axis=1)
        count = 1 + (np.diff(spread, axis=1) != 0).sum(axis=1)
        fullest = _longest_run(spread)
        column = np.empty(program.ranks)
        column[groups] = (count * (program.ranks + 1) + fullest)[:, None]
        columns.append(column)
    columns += [(domains[neighbours(program, hop)] == domains).astype(np.float64) for hop in hops]
    return np.stack(columns, axis=1)


def _longest_run(rows: Ints) -> Ints:
    """For each sorted row, how often its most frequent value occurs."""
    best = run = np.ones(len(rows), np.int64)
    for column in range(1, rows.shape[1]):
        run = np.where(rows[:, column] == rows[:, column - 1], run + 1, 1)
        best = np.maximum(best, run)
    return best


def _numbered(rows: NDArray[Any]) -> Ints:
    """Equal numbers for equal rows, in the order in which they first occur."""
    _, first, inverse = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    place = np.empty(len(first), np.int64)
    place[np.argsort(first)] = np.arange(len(first))
    return np.asarray(place[inverse.reshape(-1)])


def _group_colors(program: Program, axes: Axes, colors: Ints) -> Ints:
    groups = group_rows(program, axes)
    kinds = _numbered(np.sort(colors[groups], axis=1))
    found = np.empty(program.ranks, np.int64)
    found[groups] = kinds[:, None]
    return found


def group_rows(program: Program, axes: Axes) -> Ints:
    """[groups, ranks of a group]: the groups over `axes`, in the order of the mesh's axes."""
    shape = program.mesh.shape
    at = [i for i, axis in enumerate(program.mesh.axes) if axis.name in axes]
    ranks = np.arange(program.ranks, dtype=np.int64).reshape(shape)
    return np.moveaxis(ranks, at, range(-len(at), 0)).reshape(-1, int(np.prod([shape[i] for i in at])))


def group_of(program: Program, axes: Axes, rank: int) -> Ints:
    """The ranks of the group over `axes` that a rank is in."""
    shape = program.mesh.shape
    place = np.unravel_index(rank, shape)
    index = tuple(
        slice(None) if axis.name in axes else int(at)
        for axis, at in zip(program.mesh.axes, place, strict=True)
    )
    return np.arange(program.ranks, dtype=np.int64).reshape(shape)[index].reshape(-1)


def neighbours(program: Program, hop: Hop) -> Ints:
    """For each rank, the rank `steps` further along an axis."""
    axis, steps = hop
    ranks = np.arange(program.ranks, dtype=np.int64).reshape(program.mesh.shape)
    return np.roll(ranks, -steps, axis=program.mesh.index(axis)).reshape(-1)


def reach(cluster: Cluster, rows: Ints) -> Ints:
    """For each row of ranks: 0 within an NVLink domain, 1 within a leaf switch, 2 within a pod, 3 beyond."""
    found = (_differ(rows // cluster.system.domain_gpus)).astype(np.int64)
    if cluster.tiers:
        leaves = leaf_of(cluster, rows)
        found += found * _differ(leaves)
        found += (found > 1) * _differ(pod_of(cluster, leaves))
    return found


def leaf_of(cluster: Cluster, ranks: Ints) -> Ints:
    """The leaf switch of each rank's port."""
    system = cluster.system
    if cluster.tiers[0].switches == 1:
        return np.zeros_like(ranks)
    if system.rails:
        return np.asarray(
            ranks // system.node_gpus // system.unit_nodes * system.node_gpus + ranks % system.node_gpus
        )
    return np.asarray(ranks // cluster.tiers[0].down_ports)


def pod_of(cluster: Cluster, leaves: Ints) -> Ints:
    """The pod of each leaf."""
    return np.asarray(leaves // cluster.tiers[1].down_ports if len(cluster.tiers) > 2 else leaves * 0)


def _differ(rows: Ints) -> NDArray[np.bool_]:
    return np.asarray((rows != rows[:, :1]).any(axis=1))


def trunk_share(program: Program, cluster: Cluster, axes: Axes) -> float:
    """What the trunks of the tree leave each port when all groups over `axes` talk at once, round a ring; at most 1."""
    if len(cluster.tiers) < 2:
        return 1.0
    groups = group_rows(program, axes)
    leaves = leaf_of(cluster, groups)
    onward = np.roll(leaves, -1, axis=1)
    tiers = cluster.tiers
    share = _share(leaves[leaves != onward], tiers[0].up_ports)
    pods, next_pods = pod_of(cluster, leaves), pod_of(cluster, onward)
    if len(tiers) > 2:
        share = min(share, _share(pods[pods != next_pods], tiers[1].down_ports * tiers[1].up_ports))
    return share


def _share(switches: Ints, ports: int) -> float:
    """Ports upwards of the busiest switch over the flows that leave it, at most 1."""
    if not switches.size:
        return 1.0
    return min(1.0, ports / int(np.bincount(switches).max()))


def _talk(program: Program) -> tuple[tuple[Axes, ...], tuple[Hop, ...]]:
    """The sets of axes that collectives run over, and the hops of messages."""
    axes: dict[Axes, None] = {}
    hops: dict[Hop, None] = {}
    for instruction in _all(program):
        if isinstance(instruction, Communicate):
            axes[instruction.axes] = None
        elif isinstance(instruction, Send | Recv):
            hops[(instruction.axis, instruction.steps)] = None
    return tuple(axes), tuple(hops)


def _all(program: Program) -> Iterator[Instruction]:
    bodies: Sequence[Any] = [*program.blocks, *program.classes]
    for owner in bodies:
        yield from once(owner.body)
