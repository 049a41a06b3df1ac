"""The plan of serving a transformer: meshes and batches of prefill and decode, each for itself, under latency targets.

Prefill and decode run on GPUs of their own. For each, every mesh within a replica and every batch that memory holds is
simulated, from small batches up, until a larger batch misses its target; time only grows with the batch, so nothing
beyond can meet it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf
from typing import Literal

from wsc.backends.gpu_cluster.kernels import Precision
from wsc.backends.gpu_cluster.machine import Cluster
from wsc.backends.gpu_cluster.plan.graph_plan import room
from wsc.backends.gpu_cluster.program import peak_bytes
from wsc.backends.gpu_cluster.simulate.run import simulate_program
from wsc.backends.gpu_cluster.transformer.serving import Serving, check, serving_program
from wsc.backends.gpu_cluster.transformer.shape import TransformerShape
from wsc.compiler.errors import DoesNotFit, UserError
from wsc.compiler.quantities import format_bytes

LARGEST_BATCH = 1024


@dataclass(frozen=True)
class Demand:
    """Requests of `prompt` tokens that get `answer` tokens, and how long a user waits at most.

    `first_seconds` is for the first token, `next_seconds` for each that follows.
    """

    prompt: int
    answer: int
    first_seconds: float = inf
    next_seconds: float = inf
    precision: Precision = Precision.BF16
    cache_bytes: int = 2


@dataclass(frozen=True)
class Phase:
    """A phase on one replica: how a step is spread, its time, and requests a second of one of its GPUs."""

    plan: Serving
    seconds: float
    memory_bytes: int
    requests_per_gpu_second: float


@dataclass(frozen=True)
class ServingPlan:
    """The best of each phase, replicas that share out the cluster so that neither waits, and the runners-up."""

    prefill: Phase
    decode: Phase
    prefill_replicas: int
    decode_replicas: int
    prefill_others: tuple[Phase, ...]
    decode_others: tuple[Phase, ...]

    @property
    def requests_per_second(self) -> float:
        """Requests that all replicas answer."""
        ahead = self.prefill_replicas * self.prefill.plan.ranks * self.prefill.requests_per_gpu_second
        return min(ahead, self.decode_replicas * self.decode.plan.ranks * self.decode.requests_per_gpu_second)


def plan_serving(shape: TransformerShape, cluster: Cluster, demand: Demand) -> ServingPlan:
    """The most requests a second within the targets.

    Raises DoesNotFit where no mesh holds the model, UserError where none meets a target, with the best there is.
    """
    prefill = _best(shape, cluster, demand, "prefill", demand.first_seconds)
    decode = _best(shape, cluster, demand, "decode", demand.next_seconds)
    pairs = [
        _shared(cluster, ahead, behind)
        for ahead in prefill
        for behind in decode
        if ahead.plan.ranks + behind.plan.ranks <= cluster.gpus
    ]
    if not pairs:
        raise DoesNotFit(
            f"'{cluster.name}' has {cluster.gpus} GPUs; prefill on {prefill[0].plan.ranks} and decode on "
            f"{decode[0].plan.ranks} of its own do not fit together"
        )
    best = max(pairs, key=lambda p: p.requests_per_second)
    others = [phase for phase in prefill if phase is not best.prefill]
    return replace(
        best,
        prefill_others=tuple(others),
        decode_others=tuple(phase for phase in decode if phase is not best.decode),
    )


def _best(
    shape: TransformerShape,
    cluster: Cluster,
    demand: Demand,
    phase: Literal["prefill", "decode"],
    limit: float,
) -> list[Phase]:
    """The best batch of each mesh that meets the target, best mesh first."""
    found: list[Phase] = []
    nearest: Phase | None = None
    fits = False
    for mesh in _meshes(shape, cluster, demand, phase):
        best: Phase | None = None
        batch = mesh.expert
        while batch <= LARGEST_BATCH:
            judged = _judged(shape, cluster, demand, replace(mesh, batch=batch))
            if judged is None:
                break
            fits = True
            if nearest is None or judged.seconds < nearest.seconds:
                nearest = judged
            if judged.seconds > limit:
                break
            best = max((best, judged), key=_rate)
            batch *= 2
        found += [best] if best is not None else []
    if not fits:
        raise DoesNotFit(_too_large(shape, cluster, demand))
    if not found:
        assert nearest is not None
        raise UserError(
            f"no mesh of '{cluster.name}' makes '{shape.name}' answer within {limit * 1e3:g} ms in {phase}: the "
            f"fastest takes {nearest.seconds * 1e3:.1f} ms ({described(nearest)})"
        )
    return sorted(found, key=_rate, reverse=True)


def _rate(phase: Phase | None) -> float:
    return phase.requests_per_gpu_second if phase is not None else -1.0


def _meshes(
    shape: TransformerShape, cluster: Cluster, demand: Demand, phase: Literal["prefill", "decode"]
) -> Iterator[Serving]:
    """Every mesh of a replica within one NVLink domain, or of stages over several."""
    length = demand.prompt if phase == "prefill" else demand.prompt + demand.answer // 2
    for tensor in _powers(cluster.system.domain_gpus):
        for pipeline in _powers(max(1, cluster.gpus // tensor)):
            for expert in _powers(cluster.gpus // tensor // pipeline) if shape.experts else [1]:
                mesh = Serving(
                    phase,
                    expert,
                    length,
                    tensor,
                    pipeline,
                    expert,
                    precision=demand.precision,
                    cache_bytes=demand.cache_bytes,
                    room=demand.prompt + demand.answer,
                )
                if mesh.ranks <= cluster.gpus and _divides(shape, mesh):
                    yield mesh


def _powers(most: int) -> list[int]:
    return [1 << i for i in range(most.bit_length()) if 1 << i <= most]


def _divides(shape: TransformerShape, mesh: Serving) -> bool:
    try:
        check(shape, mesh)
    except UserError:
        return False
    return True


def _judged(shape: TransformerShape, cluster: Cluster, demand: Demand, plan: Serving) -> Phase | None:
    """Simulate a step; None where memory is too small."""
    program = serving_program(shape, plan, cluster)
    memory = max(peak_bytes(program, ranks) for ranks in program.classes)
    if memory > room(cluster):
        return None
    seconds = simulate_program(program, cluster).seconds
    steps = 1 if plan.phase == "prefill" else demand.answer
    in_flight = plan.pipeline * plan.batch  # each stage works on a batch of its own
    return Phase(plan, seconds, memory, in_flight / (seconds * steps * plan.ranks))


def _shared(cluster: Cluster, prefill: Phase, decode: Phase) -> ServingPlan:
    """The GPUs shared out so that the slower phase is as fast as can be; every split of whole replicas is tried."""
    plans = []
    most = (cluster.gpus - decode.plan.ranks) // prefill.plan.ranks
    for ahead in range(1, most + 1):
        behind = (cluster.gpus - ahead * prefill.plan.ranks) // decode.plan.ranks
        plans.append(ServingPlan(prefill, decode, ahead, behind, (), ()))
    return max(plans, key=lambda plan: plan.requests_per_second)


def _too_large(shape: TransformerShape, cluster: Cluster, demand: Demand) -> str:
    """By how much the smallest step overflows, and how many GPUs hold the weights."""
    least = min(
        _meshes(shape, cluster, demand, "decode"),
        key=lambda mesh: _held(shape, cluster, mesh),
    )
    held = _held(shape, cluster, least)
    weights = shape.parameters * demand.precision.bytes
    return (
        f"'{shape.name}' does not fit '{cluster.name}': spread over tensor={least.tensor} pipeline={least.pipeline} "
        f"expert={least.expert}, a GPU would hold {held:,} bytes, {held - room(cluster):,} more than the "
        f"{room(cluster):,} there is room for. No fewer than {-(-weights // room(cluster))} of these GPUs can hold the "
        "weights."
    )


def _held(shape: TransformerShape, cluster: Cluster, mesh: Serving) -> int:
    program = serving_program(shape, mesh, cluster)
    return max(peak_bytes(program, ranks) for ranks in program.classes)


def serving_facts(plan: ServingPlan) -> tuple[tuple[str, str], ...]:
    """What a person should know of the choice, as (name, value)."""
    facts = [
        ("requests a second", f"{plan.requests_per_second:,.2f}"),
        ("prefill", f"{plan.prefill_replicas} replicas of {described(plan.prefill)}"),
        ("decode", f"{plan.decode_replicas} replicas of {described(plan.decode)}"),
    ]
    for name, best, others in (
        ("prefill", plan.prefill, plan.prefill_others),
        ("decode", plan.decode, plan.decode_others),
    ):
        for number, other in enumerate(others[:3], start=1):
            loss = 1 - other.requests_per_gpu_second / best.requests_per_gpu_second
            change = f"{abs(loss):.1%} {'fewer' if loss >= 0 else 'more'} requests a GPU"
            facts.append((f"{name}, runner-up {number}", f"{described(other)}: {change}"))
    return tuple(facts)


def described(phase: Phase) -> str:
    """A phase in a line."""
    plan = phase.plan
    experts = f" expert={plan.expert}" if plan.expert > 1 else ""
    return (
        f"tensor={plan.tensor} pipeline={plan.pipeline}{experts}, batches of {plan.batch}, "
        f"{phase.seconds * 1e3:.1f} ms, {format_bytes(phase.memory_bytes)}"
    )
