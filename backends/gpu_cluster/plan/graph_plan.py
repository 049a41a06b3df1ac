"""The plan of a captured graph: a mesh of replicas, stages and tensor groups, and how every node lies on it.

One input is answered as fast as the estimate allows, give or take a tenth; of the meshes that do so the one that serves
most inputs at once is taken. Tensor groups stay
within an NVLink domain. Stages come in only where one group's memory is too small.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from wsc.backends.gpu_cluster.estimate import collective_estimate
from wsc.backends.gpu_cluster.lowering import VIEWS
from wsc.backends.gpu_cluster.machine import Cluster
from wsc.backends.gpu_cluster.plan.options import WHOLE
from wsc.backends.gpu_cluster.plan.split import split_products
from wsc.backends.gpu_cluster.plan.spread import Spread, find_kinds, spread, tile
from wsc.compiler.errors import DoesNotFit, UserError
from wsc.compiler.ir.graph import Graph
from wsc.compiler.ir.types import TensorType

RESERVED = 0.06  # of a GPU's memory, for the runtime, its communicators and fragmentation; an assumption

SLACK = 0.1  # of latency that is given for more inputs at once


@dataclass(frozen=True)
class MeshSize:
    """How many of what: replicas serve different inputs, stages follow each other, tensor groups share tensors."""

    replicas: int
    stages: int
    tensor: int

    @property
    def gpus(self) -> int:
        """GPUs that it takes."""
        return self.replicas * self.stages * self.tensor

    def __str__(self) -> str:
        return f"replica={self.replicas} stage={self.stages} tensor={self.tensor}"


@dataclass(frozen=True)
class Candidate:
    """A mesh and what the estimate says of it."""

    mesh: MeshSize
    latency: float
    interval: float
    memory_bytes: int


@dataclass(frozen=True)
class GraphPlan:
    """A graph, the stage of each of its nodes, and how it lies over a tensor group; `others` are the runners-up."""

    graph: Graph
    cluster: Cluster
    mesh: MeshSize
    spread: Spread
    stage_of: Mapping[str, int]
    estimate: Candidate
    others: tuple[Candidate, ...]


def make_plan(graph: Graph, cluster: Cluster, mesh: MeshSize | None = None) -> GraphPlan:
    """The plan of least estimated latency, or the best on a given mesh; raises DoesNotFit, or UserError for a mesh."""
    graph = split_products(graph)
    if mesh is not None:
        _check_mesh(mesh, cluster)
        return _planned(graph, cluster, mesh, ())
    sizes = [t for t in range(1, min(cluster.gpus, cluster.system.domain_gpus) + 1) if cluster.gpus % t == 0]
    kinds = find_kinds(graph)
    spreads = {t: spread(graph, cluster, t, kinds) for t in sizes}
    found: list[Candidate] = []
    for stages in (s for s in range(1, cluster.gpus + 1) if cluster.gpus % s == 0):
        for t in sizes:
            if cluster.gpus % (stages * t) == 0 and stages <= max(1, len(spreads[t].seconds)):
                size = MeshSize(cluster.gpus // (stages * t), stages, t)
                found.append(_judged(graph, cluster, size, spreads[t]))
        fitting = [c for c in found if c.memory_bytes <= room(cluster)]
        if fitting:
            ranked = _ranked(fitting)
            return _planned(graph, cluster, ranked[0].mesh, tuple(ranked[1:]), spreads[ranked[0].mesh.tensor])
    raise DoesNotFit(_too_large(graph, cluster, found))


def _ranked(fitting: Sequence[Candidate]) -> list[Candidate]:
    """Best first: of those whose latency is the least, give or take SLACK, the one of least interval; then the rest."""
    least = min(c.latency for c in fitting)
    near = [c for c in fitting if c.latency <= least * (1 + SLACK)]
    best = min(near, key=lambda c: (c.interval, c.latency, c.mesh.tensor))
    rest = [c for c in fitting if c is not best]
    return [best, *sorted(rest, key=lambda c: (c.latency, c.interval, c.mesh.tensor))]


def room(cluster: Cluster) -> int:
    """Bytes of a GPU that a program may hold."""
    return int(cluster.gpu.hbm_bytes * (1 - RESERVED))


def _check_mesh(mesh: MeshSize, cluster: Cluster) -> None:
    if min(mesh.replicas, mesh.stages, mesh.tensor) < 1 or cluster.gpus % mesh.gpus:
        raise UserError(
            f"a mesh of {mesh} takes {mesh.gpus:,} GPUs, which does not divide the {cluster.gpus:,} of '{cluster.name}'"
        )


def _too_large(graph: Graph, cluster: Cluster, found: Sequence[Candidate]) -> str:
    best = min(found, key=lambda c: c.memory_bytes)
    over = best.memory_bytes - room(cluster)
    total = sum(node.type.bytes for node in graph.weights)
    least = -(-total // room(cluster))
    return (
        f"'{graph.name}' does not fit '{cluster.name}': its weights are {total:,} bytes, and with the mesh that "
        f"spreads it best ({best.mesh}) a GPU would hold {best.memory_bytes:,} bytes, {over:,} more than the "
        f"{room(cluster):,} it has room for. No fewer than {least} of these GPUs can hold the weights."
    )


def _planned(
    graph: Graph, cluster: Cluster, mesh: MeshSize, others: tuple[Candidate, ...], known: Spread | None = None
) -> GraphPlan:
    chosen = known or spread(graph, cluster, mesh.tensor)
    stage_of = cut(graph, chosen, mesh.stages)
    estimate = _judged(graph, cluster, mesh, chosen)
    if estimate.memory_bytes > room(cluster):
        raise DoesNotFit(_too_large(graph, cluster, [estimate]))
    return GraphPlan(graph, cluster, mesh, chosen, stage_of, estimate, others)


def _judged(graph: Graph, cluster: Cluster, mesh: MeshSize, chosen: Spread) -> Candidate:
    stage_of = cut(graph, chosen, mesh.stages)
    seconds = [0.0] * mesh.stages
    for name, stage in stage_of.items():
        seconds[stage] += chosen.seconds[name]
    sent = sum(
        collective_estimate(
            "send", tile(graph[name].type, chosen.share(name), mesh.tensor).bytes, 2, cluster, 1
        )
        for name, _, _ in crossings(graph, stage_of)
    )
    memory = max(memory_of_stages(graph, chosen, stage_of, mesh.stages))
    return Candidate(mesh, sum(seconds) + sent, max(seconds) / mesh.replicas, memory)


def cut(graph: Graph, chosen: Spread, stages: int) -> dict[str, int]:
    """The stage of each computed node: stretches of the graph's order, the slowest as fast as can be."""
    names = [node.name for node in graph.nodes if not node.is_source]
    if stages == 1:
        return dict.fromkeys(names, 0)
    seconds = [chosen.seconds[name] for name in names]
    limit = _least_limit(seconds, stages)
    found: dict[str, int] = {}
    stage, spent = 0, 0.0
    for left, (name, time) in zip(range(len(names), 0, -1), zip(names, seconds, strict=True), strict=True):
        full = spent + time > limit * (1 + 1e-9)
        if found and stage < stages - 1 and (full or left <= stages - 1 - stage):
            stage, spent = stage + 1, 0.0
        found[name] = stage
        spent += time
    return found


def _least_limit(seconds: Sequence[float], stages: int) -> float:
    """The least time of the slowest of `stages` stretches; exact, for it is the sum of some stretch."""
    low, high = max(seconds, default=0.0), sum(seconds)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if _stretches(seconds, middle) <= stages else (middle, high)
    return high


def _stretches(seconds: Sequence[float], limit: float) -> int:
    count, spent = 1, 0.0
    for time in seconds:
        if spent + time > limit:
            count, spent = count + 1, 0.0
        spent += time
    return count


def is_weight_view(graph: Graph, name: str) -> bool:
    """Whether a node is a view of a weight: every stage that reads it reads the weight itself."""
    node = graph[name]
    return isinstance(node.op, VIEWS) and graph[node.inputs[0]].is_weight


def crossings(graph: Graph, stage_of: Mapping[str, int]) -> Iterator[tuple[str, int, int]]:
    """(value, from, to) for each later stage that reads a value of an earlier one."""
    if len(set(stage_of.values())) < 2:
        return
    for name, stage in stage_of.items():
        if is_weight_view(graph, name):
            continue
        readers = {stage_of[user.name] for user in graph.users[name]}
        for reader in sorted(readers - {stage}):
            yield name, stage, reader


def memory_of_stages(graph: Graph, chosen: Spread, stage_of: Mapping[str, int], stages: int) -> list[int]:
    """Bytes of each stage on one rank."""
    return [weights + values for weights, values in parts_of_stages(graph, chosen, stage_of, stages)]


def parts_of_stages(
    graph: Graph, chosen: Spread, stage_of: Mapping[str, int], stages: int
) -> list[tuple[int, int]]:
    """Bytes of each stage on one rank: its weights as they are cut, and the most of its values alive at one time."""
    weights: list[set[tuple[str, int]]] = [set() for _ in range(stages)]
    alive: list[list[int]] = [[] for _ in range(stages)]
    last = {name: i for i, node in enumerate(graph.nodes) for name in node.inputs}
    births: list[dict[int, int]] = [{} for _ in range(stages)]
    tiles: dict[tuple[TensorType, int], int] = {}

    def held_bytes(type: TensorType, share: int) -> int:
        if (type, share) not in tiles:
            tiles[type, share] = tile(type, share, chosen.parts).bytes
        return tiles[type, share]

    for i, node in enumerate(graph.nodes):
        if node.is_source:
            continue
        stage, option = stage_of[node.name], chosen.options[node.name]
        for name, share in zip(node.inputs, option.operands, strict=True):
            if graph[name].is_weight:
                weights[stage].add((name, share))
        size = held_bytes(node.type, option.result)
        births[stage][i] = births[stage].get(i, 0) + size
        end = last.get(node.name, len(graph.nodes))
        births[stage][end + 1] = births[stage].get(end + 1, 0) - size
    for stage in range(stages):
        alive[stage] = list(accumulate(change for _, change in sorted(births[stage].items())))
    held = [sum(held_bytes(graph[n].type, share) for n, share in w) for w in weights]
    return [(h, max(a, default=0)) for h, a in zip(held, alive, strict=True)]


def output_share(share: int) -> int:
    """The share in which a result leaves the program: addends are summed first."""
    return max(share, WHOLE)
