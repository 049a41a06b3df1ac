"""Seconds of a collective on a cluster, and what it takes from the kernels that run meanwhile."""

from __future__ import annotations

from wsc.backends.gpu_cluster.kernels import Collective
from wsc.backends.gpu_cluster.machine import Cluster
from wsc.backends.gpu_cluster.simulate.domain import NOTHING, Choice, domain_choice
from wsc.backends.gpu_cluster.simulate.scaleout import scaleout_choices

__all__ = ["Choice", "collective_seconds"]


def collective_seconds(collective: Collective, cluster: Cluster, bandwidth_share: float = 1.0) -> Choice:
    """How a collective is carried out and its seconds: NCCL's choice within a domain, the fastest way across domains.

    `bandwidth_share` is what contention leaves of the scale-out links. Raises ValueError for a rank the cluster lacks.
    """
    if max(collective.ranks) >= cluster.gpus or min(collective.ranks) < 0:
        raise ValueError(f"{collective.kind} over rank {max(collective.ranks)} of {cluster.gpus} GPUs")
    if len(collective.ranks) < 2 or not collective.bytes:
        return NOTHING
    if len({cluster.domain(rank) for rank in collective.ranks}) == 1:
        return domain_choice(collective, cluster.gpu)
    return min(scaleout_choices(collective, cluster, bandwidth_share), key=lambda found: found.seconds)
