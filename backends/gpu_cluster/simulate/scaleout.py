"""Seconds of collectives across NVLink domains: rings, trees and hierarchies over the scale-out network.

Steps and rates are those of NCCL's tuner (NCCL 2.27, BSD, src/graph/tuning.cc): a step to another node takes much
longer than one within, and a ring that passes through all GPUs of a domain leaves it by all their ports at once. What
switches lie between is the cluster's: their latency adds to a step, and an oversubscribed tier cuts the rate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, log2

from wsc.backends.gpu_cluster.kernels import Collective, CollectiveKind
from wsc.backends.gpu_cluster.machine import Cluster, Span
from wsc.backends.gpu_cluster.simulate.domain import Choice, choice, domain_choice, step_latency
from wsc.backends.gpu_cluster.simulate.tuner import RingProtocol

# Seconds of a step between nodes and the share of the bandwidth that is not flags or waiting, by protocol.
_RING_STEP: dict[RingProtocol, float] = {"ll": 2.7e-6, "ll128": 4.0e-6, "simple": 14.0e-6}
_TREE_STEP: dict[RingProtocol, float] = {"ll": 5.0e-6, "ll128": 8.5e-6, "simple": 14.0e-6}
_LOCAL_STEP: dict[RingProtocol, float] = {"ll": 0.6e-6, "ll128": 1.9e-6, "simple": 3.4e-6}
_RATE: dict[RingProtocol, float] = {"ll": 0.25, "ll128": 0.92, "simple": 1.0}
_PLATEAU = 1.4  # a ring's steps in an all_reduce between nodes, simple protocol
_TREE_RATE = 0.85  # of the ring's: chunks wait for two children
_HOPS = {"leaf": 1, "spine": 3, "core": 5}


@dataclass(frozen=True)
class Route:
    """A group across domains: how many, ranks in each, bytes a second out of each domain, and the switches' latency."""

    span: Span
    bytes_per_second: float
    switch_seconds: float

    @property
    def local_steps(self) -> int:
        """Steps within domains, of a ring through all ranks."""
        return self.span.ranks - self.span.domains


def route(collective: Collective, cluster: Cluster, bandwidth_share: float) -> Route:
    """The route of a group that spans domains; `bandwidth_share` is what others leave of the ports."""
    span = cluster.span(collective.ranks)
    system = cluster.system
    rate = system.nic_bytes_per_second * system.nic_efficiency * bandwidth_share
    rate *= cluster.tier_share(span.level) * span.ranks_per_domain
    return Route(span, rate, (_HOPS[span.level] - 1) * system.switch_latency_seconds)


def scaleout_choices(collective: Collective, cluster: Cluster, bandwidth_share: float) -> Iterator[Choice]:
    """Every way to carry out a collective across domains."""
    way = route(collective, cluster, bandwidth_share)
    if collective.kind == "send":
        yield _send(collective, way, cluster)
        return
    if collective.kind == "all_to_all":
        yield _pairs(collective, way, cluster)
        return
    for protocol in _RING_STEP:
        yield _ring(collective, protocol, way, cluster)
        if collective.kind in ("all_reduce", "broadcast"):
            yield _tree(collective, protocol, way, cluster)
    if (
        way.span.ranks_per_domain > 1 and collective.kind == "all_reduce"
    ):  # NCCL gathers and scatters by rings alone
        yield _hierarchy(collective, cluster, bandwidth_share)


def _send(collective: Collective, way: Route, cluster: Cluster) -> Choice:
    seconds = cluster.gpu.calibration.collective_floor_seconds + cluster.system.nic_latency_seconds
    seconds += way.switch_seconds + collective.bytes / way.bytes_per_second
    return choice(cluster.gpu, "pairs", "simple", seconds, collective.bytes)


def _pairs(collective: Collective, way: Route, cluster: Cluster) -> Choice:
    """Every rank sends to every other by its own port, on its rail, beside the part within its domain."""
    span = way.span
    away = collective.bytes * (span.ranks - span.ranks_per_domain) / span.ranks
    port = way.bytes_per_second / span.ranks_per_domain
    near = Collective(
        "all_to_all",
        collective.bytes * span.ranks_per_domain // span.ranks,
        _domain_ranks(collective, cluster),
    )
    inside = domain_choice(near, cluster.gpu).seconds
    latency = step_latency(0, cluster.gpu) + cluster.system.nic_latency_seconds + way.switch_seconds
    messages = (span.ranks - span.ranks_per_domain) * cluster.system.message_seconds
    seconds = max(inside, latency + messages + away / port)
    return choice(cluster.gpu, "pairs", "simple", seconds, collective.bytes)


def _ring(collective: Collective, protocol: RingProtocol, way: Route, cluster: Cluster) -> Choice:
    phases = 2 if collective.kind == "all_reduce" else 1
    span = way.span
    plateau = _PLATEAU if phases == 2 and protocol == "simple" else 1.0
    between = phases * (span.domains - 1) * (_RING_STEP[protocol] * plateau + way.switch_seconds)
    steps = between + phases * way.local_steps * _LOCAL_STEP[protocol]
    links = cluster.gpu.nvlink_bytes_per_second * cluster.gpu.calibration.nvlink_efficiency
    rate = min(way.bytes_per_second, links if span.ranks_per_domain > 1 else way.bytes_per_second)
    crossing = phases * (span.ranks - 1) / span.ranks * collective.bytes
    seconds = step_latency(0, cluster.gpu) + steps + crossing / (rate * _RATE[protocol])
    return choice(cluster.gpu, "ring", protocol, seconds, phases * collective.bytes)


def _tree(collective: Collective, protocol: RingProtocol, way: Route, cluster: Cluster) -> Choice:
    """Two trees of domains, each for half the bytes; in a domain the bytes pass along a chain."""
    phases = 2 if collective.kind == "all_reduce" else 1
    depth = ceil(log2(way.span.domains))
    steps = phases * depth * (_TREE_STEP[protocol] + way.switch_seconds)
    steps += phases * (way.span.ranks_per_domain - 1) * _LOCAL_STEP[protocol]
    seconds = step_latency(0, cluster.gpu) + steps
    seconds += phases * collective.bytes / (way.bytes_per_second * _RATE[protocol] * _TREE_RATE)
    return choice(cluster.gpu, "tree", protocol, seconds, phases * collective.bytes)


def _hierarchy(collective: Collective, cluster: Cluster, bandwidth_share: float) -> Choice:
    """Within domains, then between them on rails, each rank with its part: what the whole takes one after the other."""
    near = _domain_ranks(collective, cluster)
    rail = tuple(rank for rank in collective.ranks if cluster.domain(rank) != cluster.domain(near[0]))
    rail = (near[0], *_first_of_each(rail, cluster))
    part = Collective(collective.kind, ceil(collective.bytes / len(near)), rail)
    across = min(scaleout_choices(part, cluster, bandwidth_share), key=lambda found: found.seconds)
    halves: tuple[CollectiveKind, ...] = ("reduce_scatter", "all_gather")
    inside = halves if collective.kind == "all_reduce" else (collective.kind,)
    seconds = across.seconds
    for kind in inside:
        local = replace(collective, kind=kind, ranks=near, one_shot=False)
        seconds += domain_choice(local, cluster.gpu).seconds
    return choice(cluster.gpu, "hierarchical", across.protocol, seconds, len(inside) * collective.bytes)


def _domain_ranks(collective: Collective, cluster: Cluster) -> tuple[int, ...]:
    """The ranks of the group in the domain of its first."""
    home = cluster.domain(collective.ranks[0])
    return tuple(rank for rank in collective.ranks if cluster.domain(rank) == home)


def _first_of_each(ranks: tuple[int, ...], cluster: Cluster) -> tuple[int, ...]:
    """One rank of each domain."""
    firsts: dict[int, int] = {}
    for rank in ranks:
        firsts.setdefault(cluster.domain(rank), rank)
    return tuple(firsts.values())
