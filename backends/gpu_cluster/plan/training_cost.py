"""The estimate of a training plan: seconds of a step and bytes of a GPU, and a bound that no such plan beats.

Work is that of the program's own layers; times are the coarse ones of estimate.py. Nothing is simulated here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from wsc.backends.gpu_cluster.estimate import collective_estimate, kernel_estimate
from wsc.backends.gpu_cluster.instructions import Call, Communicate, Instruction, Launch
from wsc.backends.gpu_cluster.machine import Cluster
from wsc.backends.gpu_cluster.transformer import memory
from wsc.backends.gpu_cluster.transformer.blocks import Blocks
from wsc.backends.gpu_cluster.transformer.schedule import Pass
from wsc.backends.gpu_cluster.transformer.shape import Parallelism, TransformerShape
from wsc.backends.gpu_cluster.transformer.stages import Stage, even_stages
from wsc.backends.gpu_cluster.transformer.training import RankWriter

HIDDEN = 0.8  # of the data-parallel traffic that a pass can hide; an assumption


@dataclass(frozen=True)
class PartTimes:
    """Seconds of one microbatch through a layer, the embedding or the head: forward and backward."""

    forward: float
    backward: float

    @property
    def both(self) -> float:
        """Forward and backward."""
        return self.forward + self.backward


class TrainingCost:
    """Costs plans of one shape on one cluster; remembers layers it has costed."""

    def __init__(self, shape: TransformerShape, cluster: Cluster) -> None:
        self.shape = shape
        self.cluster = cluster
        self._parts: dict[tuple[object, ...], dict[str, PartTimes]] = {}

    def parts(self, plan: Parallelism) -> dict[str, PartTimes]:
        """Times of the parts of a stage; they do not depend on how stages and replicas are arranged."""
        key = (plan.tensor, plan.context, plan.micro_batch, plan.recompute, plan.sequence, plan.expert)
        if key not in self._parts:
            blocks = Blocks(self.shape, plan)
            self._parts[key] = {
                part: PartTimes(self._part(blocks, plan, part, "F"), self._part(blocks, plan, part, "B"))
                for part in ("layer", "embedding", "head")
            }
        return self._parts[key]

    def _part(self, blocks: Blocks, plan: Parallelism, part: str, kind: Pass) -> float:
        name = blocks.part(part, kind)
        known = {block.name: block.body for block in blocks.made()}
        return self._body(known, plan, known[name])

    def _body(
        self, known: dict[str, tuple[Instruction, ...]], plan: Parallelism, body: tuple[Instruction, ...]
    ) -> float:
        total = 0.0
        for instruction in body:
            match instruction:
                case Launch(kernel=kernel):
                    total += kernel_estimate(kernel, self.cluster.gpu)
                case Communicate(event="") as collective:
                    total += self._collective(plan, collective)
                case Call(block=block, times=times):
                    total += times * self._body(known, plan, known[block])
                case _:
                    pass
        return total

    def _collective(self, plan: Parallelism, collective: Communicate) -> float:
        mesh = plan.mesh()
        ranks = 1
        for axis in collective.axes:
            ranks *= mesh[axis]
        inner = 1
        for axis in reversed(mesh):
            if axis in collective.axes:
                break
            inner *= mesh[axis]
        within = max(1, min(ranks, self.cluster.system.domain_gpus // inner))
        return collective_estimate(collective.kind, collective.bytes, ranks, self.cluster, within)

    def stage(self, plan: Parallelism, stage: Stage) -> PartTimes:
        """Times of a whole stage."""
        parts = self.parts(plan)
        counts = {"layer": stage.layers, "embedding": int(stage.embedding), "head": int(stage.head)}
        return PartTimes(
            sum(parts[part].forward * count for part, count in counts.items()),
            sum(parts[part].backward * count for part, count in counts.items()),
        )

    def seconds(self, plan: Parallelism, stages: tuple[Stage, ...] | None = None) -> float:
        """Estimated seconds of a step."""
        stages = stages or even_stages(self.shape, plan.stages)
        ranks = [
            [self.stage(plan, stages[chunk * plan.pipeline + rank]) for chunk in range(plan.virtual)]
            for rank in range(plan.pipeline)
        ]
        slowest = max(sum(times.both for times in chunks) for chunks in ranks)
        forward = max(sum(times.forward for times in chunks) for chunks in ranks)
        fill = {
            "gpipe": slowest,
            "1f1b": slowest,
            "interleaved": slowest / plan.virtual,
            "zero-bubble": forward,  # weights' gradients fill the rest
        }[plan.schedule]
        step = slowest * plan.microbatches + (plan.pipeline - 1) * fill
        return step + self._data_parallel(plan, slowest) + self._optimizer(plan)

    def _data_parallel(self, plan: Parallelism, last_pass: float) -> float:
        """Sums of gradients and gathers of weights that the passes around them do not hide."""
        mesh = plan.mesh()
        axes = tuple(axis for axis in plan.data_axes if mesh[axis] > 1)
        if not axes:
            return 0.0
        parameters = self.parameters(plan)
        times = plan.microbatches if plan.shard > 1 else 1
        gathers = 2 * plan.microbatches if plan.shard == 3 else int(plan.shard > 0)
        kind = Communicate("reduce_scatter" if plan.shard else "all_reduce", 0, axes, "")
        sums = times * self._collective(plan, replace(kind, bytes=parameters * plan.gradient_bytes))
        gathered = gathers * self._collective(plan, replace(kind, kind="all_gather", bytes=parameters * 2))
        passes = last_pass * max(times, gathers / 2)
        hidden = HIDDEN * passes if plan.overlap_data else 0.0
        return max(0.0, sums + gathered - hidden)

    def _optimizer(self, plan: Parallelism) -> float:
        share = plan.data * plan.context if plan.shard else 1
        moved = self.parameters(plan) / share * (2 * plan.master_bytes + 2 * plan.accumulate_bytes + 2)
        return moved / self.cluster.gpu.hbm_bytes_per_second

    def parameters(self, plan: Parallelism) -> int:
        """Parameters of the fullest rank."""
        stages = even_stages(self.shape, plan.stages)
        writer = RankWriter(self.shape, plan, Blocks(self.shape, plan), stages, 0, ())
        return max(
            sum(
                writer.dense_parameters(stages[c * plan.pipeline + rank])
                + writer.expert_parameters(stages[c * plan.pipeline + rank])
                for c in range(plan.virtual)
            )
            for rank in {0, plan.pipeline // 2, plan.pipeline - 1}
        )

    def bytes(self, plan: Parallelism, stages: tuple[Stage, ...] | None = None) -> int:
        """Bytes of the fullest GPU."""
        stages = stages or even_stages(self.shape, plan.stages)
        return max(
            self._bytes_of(plan, stages, rank) for rank in {0, min(1, plan.pipeline - 1), plan.pipeline - 1}
        )

    def _bytes_of(self, plan: Parallelism, stages: tuple[Stage, ...], rank: int) -> int:
        writer = RankWriter(self.shape, plan, Blocks(self.shape, plan), stages, rank, ())
        own = [stages[c * plan.pipeline + rank] for c in range(plan.virtual)]
        holders = plan.data * plan.context
        dense = memory.states(sum(map(writer.dense_parameters, own)), plan, holders)
        routed = memory.states(sum(map(writer.expert_parameters, own)), plan, holders // plan.expert)
        head = memory.head_activations(self.shape, plan) if rank == plan.pipeline - 1 else 0
        kept = sum(writer.kept_bytes(chunk) for chunk in range(plan.virtual)) - head
        held = kept * in_flight(plan, rank) // plan.virtual
        held += head * (1 if plan.schedule == "interleaved" else in_flight(plan, rank))
        return dense.bytes + routed.bytes + held + writer.workspace_bytes()

    @cached_property
    def floor_seconds_a_sequence(self) -> float:
        """Seconds of one GPU that no plan beats for one sequence: the products at the peak of the matrix units."""
        flops = self.shape.flops_per_token() * self.shape.sequence
        causal = 6 * self.shape.layers * self.shape.sequence**2 * self.shape.heads * self.shape.head_dim
        return float(flops - causal)


def floor_seconds(cost: TrainingCost, plan: Parallelism) -> float:
    """A bound on the step: all products at peak, the pipeline's fill included."""
    peak = cost.cluster.gpu.peak(plan.precision)
    work = cost.floor_seconds_a_sequence * plan.global_batch / plan.ranks / peak
    fills = {"gpipe": 1.0, "1f1b": 1.0, "interleaved": 1 / plan.virtual, "zero-bubble": 1 / 3}[plan.schedule]
    again = 4 / 3 if plan.recompute == "full" else 1.0
    return work * again * (1 + (plan.pipeline - 1) / plan.microbatches * fills)


def in_flight(plan: Parallelism, rank: int) -> int:
    """Microbatches, times chunks, whose activations a rank of the pipeline holds at most."""
    total = plan.microbatches * plan.virtual
    ahead = plan.pipeline - 1 - rank
    held = {
        "gpipe": total,
        "1f1b": ahead + 1,
        "interleaved": 2 * ahead + (plan.virtual - 1) * plan.in_a_row + 1,
        "zero-bubble": plan.pipeline,
    }[plan.schedule]
    return min(total, held)
