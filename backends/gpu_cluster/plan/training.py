"""The plan of a training step: every mesh, schedule and sharding is looked at, the best are simulated.

The space is searched whole under the estimate: a plan is left out only where its bound is above the estimates of as
many others as are kept, or its memory overflows. What is kept is simulated, and the simulation decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from heapq import nsmallest

from wsc.backends.gpu_cluster.kernels import Precision
from wsc.backends.gpu_cluster.machine import Cluster
from wsc.backends.gpu_cluster.plan.graph_plan import room
from wsc.backends.gpu_cluster.plan.training_cost import TrainingCost, floor_seconds, in_flight
from wsc.backends.gpu_cluster.simulate.run import ClusterTrace, simulate_program
from wsc.backends.gpu_cluster.transformer.blocks import Blocks
from wsc.backends.gpu_cluster.transformer.shape import (
    Parallelism,
    Recompute,
    Schedule,
    TransformerShape,
    check,
)
from wsc.backends.gpu_cluster.transformer.stages import Stage, even_stages, stages_of
from wsc.backends.gpu_cluster.transformer.training import RankWriter, training_program
from wsc.compiler.errors import DoesNotFit, SimulationError, UserError
from wsc.compiler.quantities import format_bytes
from wsc.placement.stages import StageProblem, partition

FINALISTS = 6
LARGEST_CLUSTER = 1 << 17  # GPUs up to which a cluster that fits is looked for


@dataclass(frozen=True)
class Wish:
    """What a step has to do, and what the search may use."""

    global_batch: int
    precision: Precision = Precision.BF16
    micro_batches: tuple[int, ...] = (1, 2, 4, 8)
    recompute: tuple[Recompute, ...] = ("none", "full")
    contexts: tuple[int, ...] = (1, 2, 4, 8, 16)
    gradient_bytes: int = 4


@dataclass(frozen=True)
class Judged:
    """A plan, its stages, and what estimate and simulation say of a step."""

    plan: Parallelism
    stages: tuple[Stage, ...]
    estimate: float
    trace: ClusterTrace


@dataclass(frozen=True)
class Chosen:
    """The best plan, the runners-up best first, and how many plans were possible, estimated and left out by bound."""

    best: Judged
    others: tuple[Judged, ...]
    possible: int
    estimated: int
    bounded_out: int
    too_large: int


def plan_training(shape: TransformerShape, cluster: Cluster, wish: Wish) -> Chosen:
    """The plan whose simulated step is shortest, of the FINALISTS that the estimate likes best.

    Raises DoesNotFit with the smallest cluster that fits, UserError where no mesh divides the batch.
    """
    cost = TrainingCost(shape, cluster)
    plans = list(candidates(shape, cluster.gpus, cluster.system.domain_gpus, wish))
    if not plans:
        raise UserError(
            f"no mesh of the {cluster.gpus:,} GPUs of '{cluster.name}' divides '{shape.name}' with "
            f"{wish.global_batch:,} sequences a step: choose another number of sequences"
        )
    kept, estimated, too_large, bounded = _searched(cost, plans)
    judged = sorted(_simulated(cost, kept), key=lambda j: j.trace.seconds)
    if not judged:
        raise DoesNotFit(_too_large(shape, cluster, wish, cost, plans))
    return Chosen(judged[0], tuple(judged[1:]), len(plans), estimated, bounded, too_large)


def candidates(shape: TransformerShape, gpus: int, domain: int, wish: Wish) -> Iterator[Parallelism]:
    """Every plan that uses all GPUs and divides what it cuts; tensor groups stay within an NVLink domain."""
    for tensor in _divisors(gpus, min(domain, shape.heads)):
        for context in (c for c in wish.contexts if gpus // tensor % c == 0):
            for pipeline in _divisors(gpus // tensor // context, shape.layers + 2):
                data = gpus // (tensor * context * pipeline)
                for micro in (m for m in wish.micro_batches if wish.global_batch % (data * m) == 0):
                    plan = Parallelism(
                        data=data,
                        tensor=tensor,
                        pipeline=pipeline,
                        context=context,
                        micro_batch=micro,
                        global_batch=wish.global_batch,
                        sequence=tensor > 1,
                        precision=wish.precision,
                        gradient_bytes=wish.gradient_bytes,
                    )
                    yield from (p for p in _variants(shape, plan, wish) if _divides(shape, p))


def _variants(shape: TransformerShape, plan: Parallelism, wish: Wish) -> Iterator[Parallelism]:
    """Schedules, recomputation, sharding and expert groups of a mesh."""
    schedules: list[tuple[Schedule, int]] = [("1f1b", 1)]
    if plan.pipeline > 1:
        most = shape.layers // plan.pipeline
        schedules += [("gpipe", 1), ("zero-bubble", 1)]
        schedules += [
            ("interleaved", v)
            for v in range(2, most + 1)
            if (shape.layers + 2) % (v * plan.pipeline) == 0 or shape.layers % (v * plan.pipeline) == 0
        ]
    shards = [0, 1, *([2, 3] if plan.pipeline == 1 else [2])] if plan.data * plan.context > 1 else [0]
    experts = [
        e for e in _divisors(plan.data, max(1, shape.experts)) if not shape.experts or shape.experts % e == 0
    ]
    for schedule, virtual in schedules:
        for recompute in wish.recompute:
            for shard in shards:
                for expert in experts if shape.experts else [1]:
                    yield replace(
                        plan,
                        schedule=schedule,
                        virtual=virtual,
                        recompute=recompute,
                        shard=shard,
                        expert=expert,
                    )


def _divides(shape: TransformerShape, plan: Parallelism) -> bool:
    try:
        check(shape, plan)
    except UserError:
        return False
    return True


def _divisors(number: int, most: int) -> list[int]:
    return [d for d in range(1, min(number, most) + 1) if number % d == 0]


def _searched(
    cost: TrainingCost, plans: list[Parallelism]
) -> tuple[list[tuple[float, Parallelism]], int, int, int]:
    """(best by estimate, how many were estimated, were too large, were left out by their bound)."""
    order = sorted(range(len(plans)), key=lambda i: (floor_seconds(cost, plans[i]), i))
    found: list[tuple[float, int]] = []
    estimated = too_large = 0
    for done, i in enumerate(order):
        best = nsmallest(FINALISTS, found)
        if len(best) == FINALISTS and floor_seconds(cost, plans[i]) > best[-1][0]:
            return [(e, plans[j]) for e, j in best], estimated, too_large, len(order) - done
        if cost.bytes(plans[i]) > room(cost.cluster):
            too_large += 1
            continue
        found = [*best, (cost.seconds(plans[i]), i)]
        estimated += 1
    return [(e, plans[j]) for e, j in nsmallest(FINALISTS, found)], estimated, too_large, 0


def _simulated(cost: TrainingCost, kept: list[tuple[float, Parallelism]]) -> Iterator[Judged]:
    for estimate, plan in kept:
        for stages in (balanced_stages(cost, plan), even_stages(cost.shape, plan.stages)):
            if stages is None:
                continue
            program = training_program(cost.shape, plan, cost.cluster, stages)
            try:
                yield Judged(plan, stages, estimate, simulate_program(program, cost.cluster))
            except SimulationError:
                continue  # the program holds more than the estimate thought
            break


def balanced_stages(cost: TrainingCost, plan: Parallelism) -> tuple[Stage, ...] | None:
    """Layers of each stage so that the slowest is as fast as memory allows; None where no way fits."""
    if plan.pipeline == 1:
        return None
    shape, last = cost.shape, plan.stages - 1
    parts = cost.parts(plan)
    blank = stages_of([0] * plan.stages)
    one = stages_of([1] * plan.stages)
    extra_time = [0] * plan.stages
    extra_time[0] += round(parts["embedding"].both * 1e9)
    extra_time[last] += round(parts["head"].both * 1e9)
    units = [stage % plan.pipeline for stage in range(plan.stages)]
    states = 2 + plan.accumulate_bytes + plan.master_bytes // (plan.data * plan.context if plan.shard else 1)
    writers = [RankWriter(shape, plan, Blocks(shape, plan), blank, rank, ()) for rank in range(plan.pipeline)]
    ends = [0] * plan.pipeline
    for stage in (0, last):
        ends[units[stage]] += writers[0].dense_parameters(blank[stage]) * states
    layer = writers[0].dense_parameters(one[last // 2] if last > 1 else Stage(1)) * states
    layer += writers[0].expert_parameters(Stage(1)) * states
    activation = writers[0].layer_bytes()
    problem = StageProblem(
        items=shape.layers,
        item_time=max(1, round(parts["layer"].both * 1e9)),
        extra_time=tuple(extra_time),
        unit=tuple(units),
        item_memory=tuple(layer + activation * in_flight(plan, unit) // plan.virtual for unit in units),
        extra_memory=tuple(end + writers[0].workspace_bytes() for end in ends),
        capacity=room(cost.cluster),
    )
    counts = partition(problem)
    return stages_of(list(counts)) if counts is not None else None


def _too_large(
    shape: TransformerShape, cluster: Cluster, wish: Wish, cost: TrainingCost, plans: list[Parallelism]
) -> str:
    best = min(plans, key=lambda plan: (cost.bytes(plan), str(plan)))
    over = cost.bytes(best) - room(cluster)
    return (
        f"'{shape.name}' does not fit '{cluster.name}': the plan that spreads it best ({described(best)}) "
        f"holds {cost.bytes(best):,} bytes on a GPU, {over:,} more than the {room(cluster):,} there is room for. "
        f"{_smallest(shape, cluster, wish)}"
    )


def _smallest(shape: TransformerShape, cluster: Cluster, wish: Wish) -> str:
    """The smallest cluster of such GPUs, in steps of doubling, that holds the model with some plan."""
    gpus = cluster.gpus * 2
    while gpus <= LARGEST_CLUSTER:
        larger = cluster.model_copy(update={"gpus": gpus})
        cost = TrainingCost(shape, larger)
        plans = candidates(shape, gpus, cluster.system.domain_gpus, wish)
        if any(cost.bytes(plan) <= room(larger) for plan in plans):
            return f"The smallest cluster of these GPUs, doubling this one, that fits has {gpus:,}."
        gpus *= 2
    return f"No cluster of up to {LARGEST_CLUSTER:,} of these GPUs fits with {wish.global_batch:,} sequences a step."


def chosen_facts(chosen: Chosen) -> tuple[tuple[str, str], ...]:
    """What a person should know of the choice, as (name, value): why the best is best, and what the others lose."""
    best = chosen.best
    facts = [
        ("plan", described(best.plan)),
        ("simulated step", f"{best.trace.seconds:.3f} s"),
        ("layers of the stages", " ".join(str(stage.layers) for stage in best.stages)),
        ("memory of a GPU", f"{format_bytes(max(r.peak_bytes for r in best.trace.ranks))} at most"),
        (
            "plans",
            f"{chosen.possible:,} possible: {chosen.too_large:,} too large, {chosen.bounded_out:,} left out by a "
            f"bound, {chosen.estimated:,} estimated, {1 + len(chosen.others)} simulated",
        ),
    ]
    facts += [(f"runner-up {i}", _against(other, best)) for i, other in enumerate(chosen.others, start=1)]
    return tuple(facts)


def described(plan: Parallelism) -> str:
    """A plan in a line."""
    sizes = f"data={plan.data} pipeline={plan.pipeline} context={plan.context} tensor={plan.tensor}"
    experts = f" expert={plan.expert}" if plan.expert > 1 else ""
    virtual = f" x{plan.virtual}" if plan.virtual > 1 else ""
    return (
        f"{sizes}{experts}, {plan.microbatches} microbatches of {plan.micro_batch}, {plan.schedule}{virtual}, "
        f"shard={plan.shard}, recompute={plan.recompute}"
    )


def _against(other: Judged, best: Judged) -> str:
    """How much longer a runner-up takes, and where its slowest ranks spend it."""
    ours, theirs = _slowest(best.trace), _slowest(other.trace)
    lost = {
        "kernels": theirs[0] - ours[0],
        "collectives": theirs[1] - ours[1],
        "waiting": theirs[2] - ours[2],
    }
    where = ", ".join(f"{name} {seconds:+.3f} s" for name, seconds in lost.items())
    return f"{described(other.plan)}: {other.trace.seconds / best.trace.seconds - 1:.1%} longer ({where})"


def _slowest(trace: ClusterTrace) -> tuple[float, float, float]:
    """Of the rank that waits least: seconds in kernels, in collectives, waiting."""
    rank = min(trace.ranks, key=lambda r: r.idle_seconds)
    return rank.kernel_seconds, rank.exposed_seconds, rank.idle_seconds
