"""The program of one training step of a transformer: `training_program` is the entry.

Each rank of the pipeline is a class. It runs its passes in the order of the schedule, sends activations on and
gradients back, then brings gradients together over the data-parallel ranks and takes the optimiser's step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from wsc.backends.gpu_cluster.instructions import (
    COMPUTE,
    Alloc,
    Call,
    Communicate,
    Free,
    Instruction,
    Recv,
    Send,
    Wait,
)
from wsc.backends.gpu_cluster.kernels import CollectiveKind, Precision
from wsc.backends.gpu_cluster.machine import Cluster
from wsc.backends.gpu_cluster.program import Program, RankClass, rank_mesh
from wsc.backends.gpu_cluster.transformer import memory
from wsc.backends.gpu_cluster.transformer.blocks import Blocks, parts_of, pointwise
from wsc.backends.gpu_cluster.transformer.layer import LayerWriter
from wsc.backends.gpu_cluster.transformer.loops import rolled
from wsc.backends.gpu_cluster.transformer.rank import Rank
from wsc.backends.gpu_cluster.transformer.schedule import Action, actions
from wsc.backends.gpu_cluster.transformer.shape import Parallelism, TransformerShape, check, fits
from wsc.backends.gpu_cluster.transformer.sharded import gather_persistent, gathered_bytes, sharded_passes
from wsc.backends.gpu_cluster.transformer.sizes import Sizes
from wsc.backends.gpu_cluster.transformer.stages import Stage, even_stages


def training_program(
    shape: TransformerShape,
    plan: Parallelism,
    cluster: Cluster,
    stages: tuple[Stage, ...] | None = None,
    graphs: bool = False,
) -> Program:
    """One training step; `stages` gives the layers of each stage, in the order of the model (even by default).

    Raises UserError where a size does not divide, DoesNotFit where the cluster has too few GPUs. That memory suffices
    is judged by the simulator, and by the planner before.
    """
    check(shape, plan)
    fits(plan, cluster.gpus, cluster.name)
    stages = stages or even_stages(shape, plan.stages)
    blocks = Blocks(shape, plan)
    orders = actions(plan.schedule, plan.pipeline, plan.virtual, plan.microbatches, plan.group)
    classes = tuple(
        RankClass((("pipeline", rank),), RankWriter(shape, plan, blocks, stages, rank, order).body())
        for rank, order in enumerate(orders)
    )
    return Program(
        *(shape.name, cluster.name, rank_mesh(plan.mesh()), 1, graphs, (), ()), blocks.made(), classes
    )


@dataclass
class RankWriter(Rank):
    """Writes what one rank of the pipeline does."""

    out: list[Instruction] = field(default_factory=list)

    def body(self) -> tuple[Instruction, ...]:
        """All of it."""
        self._states()
        if self.plan.shard == 3:
            self.out += sharded_passes(self)
            self._sum_norms()
            if self.plan.gather == "unit":
                self.out.append(Wait(("summed",)))
        else:
            self._gather_weights()
            passes: list[Instruction] = []
            for number, action in enumerate(self.order):
                passes += self._pass(action, self._is_last(number))
            self.out += rolled(passes, 10 * self.plan.stages)
            ends = self._tied_embeddings()
            self.out += ends if self.plan.regather else []
            self._sum_norms()
            self._reduce_rest()
            self.out += [] if self.plan.regather else ends
        self._optimizer()
        if self.plan.gather == "matrix":
            self.out += gather_persistent(self)
        return tuple(self.out)

    # -- what it holds

    def _states(self) -> None:
        plan = self.plan
        dense = sum(self.dense_parameters(stage) for stage in self.own_stages())
        experts = sum(self.expert_parameters(stage) for stage in self.own_stages())
        every = memory.states(dense, plan, plan.data * plan.context)
        routed = memory.states(experts, plan, plan.data * plan.context // plan.expert)
        self.out += [
            Alloc("weights", every.weights + routed.weights),
            Alloc("gradients", every.gradients + routed.gradients),
            Alloc("optimizer", every.optimizer + routed.optimizer),
        ]

    def workspace_bytes(self) -> int:
        """Bytes that a pass takes for itself, and, where weights are fully sharded, those gathered ahead."""
        workspace = LayerWriter(self.shape, self.plan).workspace_bytes
        return workspace + (gathered_bytes(self) if self.plan.shard == 3 else 0)

    # -- passes

    def _is_last(self, number: int) -> bool:
        """Whether gradients of weights of a chunk are complete after an action."""
        action = self.order[number]
        return action.kind in ("B", "W") and all(
            later.chunk != action.chunk or later.kind not in ("B", "W") for later in self.order[number + 1 :]
        )

    def _pass(self, action: Action, last: bool) -> Iterator[Instruction]:
        """Receive, compute, send on."""
        kind, chunk = action.kind, action.chunk
        stage = self.own(chunk)
        index = chunk * self.plan.pipeline + self.rank
        before, behind = index > 0, index < self.plan.stages - 1
        kept = f"activations {chunk}"
        if kind == "F":
            if before:
                yield from self._receive(f"forward {index}", -1)
            yield Alloc(kept, self.kept_bytes(chunk))
            yield from self._calls(stage, action, first=action.microbatch == 0, last=False)
            if behind:
                yield self._send(f"forward {index + 1}", +1)
            return
        if kind in ("B", "I") and behind:
            yield from self._receive(f"backward {index}", +1)
        yield from self._calls(stage, action, first=False, last=last)
        if kind in ("B", "W"):
            yield Free(kept)
        if kind in ("B", "I") and before:
            yield self._send(f"backward {index - 1}", -1)

    @property
    def _message(self) -> int:
        """Bytes of a rank's share of the residual: a tensor group's ranks send a part each."""
        return self.plan.element * Sizes(self.shape, self.plan).tokens * self.shape.hidden // self.plan.tensor

    def _send(self, channel: str, steps: int) -> Send:
        stream = f"send {channel.split()[0]}" if self.plan.overlap_pipeline else COMPUTE
        return Send(channel, "pipeline", steps, self._message, stream=stream, after=("passed",))

    def _receive(self, channel: str, steps: int) -> Iterator[Instruction]:
        yield Recv(channel, "pipeline", steps, self._message)
        if self.plan.tensor > 1 and not self.plan.sequence:
            whole = self._message * self.plan.tensor
            yield Communicate("all_gather", whole, ("tensor",), "received")

    def _calls(self, stage: Stage, action: Action, first: bool, last: bool) -> Iterator[Instruction]:
        """A stage's pass: layer by layer where gathers of weights or sums of gradients hide behind it."""
        gathers = first and action.kind == "F" and self.plan.shard > 0
        complete = last or (self.plan.shard > 1 and action.kind in ("B", "W"))  # shares are all that is kept
        sums = complete and self._gradients_are_summed()
        if not self.plan.overlap_data or not (gathers or sums):
            yield Call(self.blocks.stage(stage, action.kind), event="passed")
            return
        units = [part for part, times in parts_of(stage, action.kind) for _ in range(times)]
        for number, part in enumerate(units):
            after = (f"weights {action.chunk}.{number}",) if gathers else ()
            yield Call(self.blocks.part(part, action.kind), event="passed", after=after)
            if sums:
                yield from self._sum_gradients(self.unit(part), ("passed",), "sums")

    def _gradients_are_summed(self) -> bool:
        return self.plan.data * self.plan.context > 1

    # -- over data-parallel ranks

    def _sum_gradients(
        self, stage: Stage, after: tuple[str, ...] = (), stream: str = COMPUTE
    ) -> Iterator[Instruction]:
        kind: CollectiveKind = "reduce_scatter" if self.plan.shard else "all_reduce"
        size = self.plan.gradient_bytes
        yield from self.over_data(
            kind,
            "gradients",
            stage,
            size,
            stream=stream,
            event="summed" if stream != COMPUTE else "",
            after=after,
        )

    def _gather_weights(self) -> None:
        """Weights that the optimiser's ranks hold in shares come together: ahead of their first use, or at once."""
        if not self.plan.shard:
            return
        for chunk in range(self.plan.virtual):
            stage = self.own(chunk)
            if not self.plan.overlap_data:
                self.out += self.over_data("all_gather", "weights", stage, self.plan.element)
                continue
            units = [part for part, times in parts_of(stage, "F") for _ in range(times)]
            for number, part in enumerate(units):
                event = f"weights {chunk}.{number}"
                self.out += self.over_data(
                    "all_gather", "weights", self.unit(part), self.plan.element, stream="gather", event=event
                )

    def _reduce_rest(self) -> None:
        if not self._gradients_are_summed():
            return
        if self.plan.overlap_data:
            self.out.append(Wait(("summed",)))
            return
        for stage in self.own_stages():
            self.out += self._sum_gradients(stage)

    def _sum_norms(self) -> None:
        """Gradients of norms and routers, which a rank of a tensor group has of its own tokens: added up at the end.

        Megatron-LM adds them up as one tensor; PyTorch each by itself, with FSDP2 in every backward pass (layer.py).
        """
        plan, shape = self.plan, self.shape
        if plan.tensor == 1 or not plan.sequence or (plan.shard > 1 and not plan.regather):
            return
        stages = self.own_stages()
        counts = (
            (sum(2 * stage.layers + stage.head for stage in stages), shape.norm_parameters),
            (sum(stage.layers for stage in stages) if shape.experts else 0, shape.hidden * shape.experts),
        )
        if plan.regather:
            bytes = plan.accumulate_bytes * sum(count * parameters for count, parameters in counts)
            self.out.append(Communicate("all_reduce", bytes, ("tensor",), "norms.sum"))
            return
        for count, parameters in counts:
            bytes = plan.element * parameters
            self.out += [Communicate("all_reduce", bytes, ("tensor",), "norms.sum")] * count

    def _tied_embeddings(self) -> list[Instruction]:
        """The first and the last rank of a pipeline add up their gradients of one embedding.

        Megatron-LM does so before replicas add up theirs, PyTorch after that, when each may have a share alone.
        """
        plan, last = self.plan, self.plan.pipeline - 1
        if not self.shape.tied or plan.pipeline == 1 or self.rank not in (0, last):
            return []
        shares = plan.data * plan.context if plan.shard and not plan.regather else 1
        rows = -(-self.shape.vocab // plan.tensor // shares)
        bytes = plan.gradient_bytes * rows * self.shape.hidden
        steps = -1 if self.rank == 0 else 1  # round the end
        return [
            Send("embedding", "pipeline", steps, bytes, stream="send embedding", after=("passed",)),
            Recv("embedding", "pipeline", steps, bytes),
            pointwise("embedding.sum_gradients", 2 * bytes, bytes),
        ]

    # -- the step

    def _optimizer(self) -> None:
        """A kernel each, as in Megatron-LM: unscale in half precision, norm, clip, Adam, cast, clear."""
        plan = self.plan
        dense = sum(self.dense_parameters(stage) for stage in self.own_stages())
        experts = sum(self.expert_parameters(stage) for stage in self.own_stages())
        holders = plan.data * plan.context
        mine = dense + experts
        if plan.shard:
            mine = -(-dense // holders) + -(-experts * plan.expert // holders)
        gradients = plan.accumulate_bytes * mine
        if plan.precision is Precision.FP16:
            self.out.append(pointwise("gradient.unscale", gradients, gradients))
        self.out.append(pointwise("gradient.norm", gradients, 0))
        shared = ("pipeline", "tensor", *(plan.data_axes if plan.shard else ()))
        axes = tuple(axis for axis in plan.mesh() if axis in shared and plan.mesh()[axis] > 1)
        if axes:
            self.out.append(Communicate("all_reduce", 4, axes, "gradient.norm"))
        states = plan.master_bytes * mine
        held = mine if plan.shard == 3 else dense + experts
        self.out += [
            pointwise("gradient.clip", gradients, gradients),
            pointwise("optimizer", states + gradients, states),
            pointwise("optimizer.cast", plan.master_bytes // 3 * mine, self.plan.element * mine),
            pointwise("gradient.clear", 0, plan.accumulate_bytes * held),
        ]
