"""What a rank of each stage holds, with the meshes that spread a model best, beside what a GPU has room for."""

from __future__ import annotations

from collections.abc import Iterator

from wsc.backends.gpu_cluster.machine import Cluster
from wsc.backends.gpu_cluster.plan.graph_plan import cut, parts_of_stages, room
from wsc.backends.gpu_cluster.plan.split import split_products
from wsc.backends.gpu_cluster.plan.spread import Spread, spread
from wsc.compiler.fit import Fit, Need
from wsc.compiler.ir.graph import Graph


def fits(graph: Graph, cluster: Cluster) -> tuple[Fit, ...]:
    """The widest tensor group alone, and with the most stages that the cluster leaves for it."""
    graph = split_products(graph)
    widest = max(t for t in range(1, cluster.system.domain_gpus + 1) if cluster.gpus % t == 0)
    chosen = spread(graph, cluster, widest)
    most = max(s for s in _divisors(cluster.gpus // widest) if s <= max(1, len(chosen.seconds)))
    counts = dict.fromkeys((1, most))
    return tuple(_fit(graph, cluster, chosen, stages) for stages in counts)


def _fit(graph: Graph, cluster: Cluster, chosen: Spread, stages: int) -> Fit:
    held = parts_of_stages(graph, chosen, cut(graph, chosen, stages), stages)
    needs = tuple(
        Need(
            f"stage {number}", "rank", chosen.parts, (("weights", weights), ("values", values)), room(cluster)
        )
        for number, (weights, values) in enumerate(held)
    )
    how = f"{stages} {'stage' if stages == 1 else 'stages'} of {chosen.parts} GPUs"
    return Fit(how, "GPU", cluster.gpus, needs)


def _divisors(count: int) -> Iterator[int]:
    return (n for n in range(1, count + 1) if count % n == 0)
