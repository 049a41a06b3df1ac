"""What one rank of the pipeline holds and shares with the ranks that have the same parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from wsc.backends.gpu_cluster.instructions import Communicate, Instruction
from wsc.backends.gpu_cluster.kernels import CollectiveKind
from wsc.backends.gpu_cluster.transformer import memory
from wsc.backends.gpu_cluster.transformer.blocks import Blocks
from wsc.backends.gpu_cluster.transformer.schedule import Actions
from wsc.backends.gpu_cluster.transformer.shape import Parallelism, TransformerShape
from wsc.backends.gpu_cluster.transformer.stages import Stage


@dataclass
class Rank:
    """A rank of the pipeline, its stages, and the order of its passes."""

    shape: TransformerShape
    plan: Parallelism
    blocks: Blocks
    stages: tuple[Stage, ...]
    rank: int
    order: Actions

    def own(self, chunk: int) -> Stage:
        """The stage that is the rank's chunk-th."""
        return self.stages[chunk * self.plan.pipeline + self.rank]

    def own_stages(self) -> list[Stage]:
        """All stages of the rank, in the order of the model."""
        return [self.own(chunk) for chunk in range(self.plan.virtual)]

    def dense_parameters(self, stage: Stage) -> int:
        """Parameters of a stage on one rank that all data-parallel ranks hold alike."""
        shape, tensor = self.shape, self.plan.tensor
        layer = _layer_parameters(shape, self.plan)
        ends = int(stage.embedding) + int(stage.head) * self._head_matrix()
        embeddings = ends * (shape.vocab // tensor) * shape.hidden
        return stage.layers * layer + embeddings + stage.head * shape.norm_parameters

    def _head_matrix(self) -> int:
        """Whether the head has a matrix of its own on its rank: not where it is the embedding's, on the same rank."""
        return 0 if self.shape.tied and self.plan.pipeline == 1 else 1

    def expert_parameters(self, stage: Stage) -> int:
        """Parameters of a stage's experts on one rank."""
        if not self.shape.experts:
            return 0
        local = self.shape.experts // self.plan.expert
        return stage.layers * local * self.shape.expert_parameters // self.plan.tensor

    def layer_bytes(self) -> int:
        """Bytes that a layer keeps of one microbatch."""
        return memory.layer_activations(self.shape, self.plan)

    def kept_bytes(self, chunk: int) -> int:
        """Bytes that a chunk keeps of one microbatch."""
        stage, shape, plan = self.own(chunk), self.shape, self.plan
        ends = memory.embedding_activations(shape, plan) if stage.embedding else 0
        ends += memory.head_activations(shape, plan) if stage.head else 0
        return stage.layers * memory.layer_activations(shape, plan) + ends

    def unit(self, part: str) -> Stage:
        """A stage of a layer, the embedding or the head alone."""
        return {
            "layer": Stage(1),
            "embedding": Stage(0, embedding=True),
            "head": Stage(0, head=True),
        }[part]

    def over_data(
        self, kind: CollectiveKind, what: str, stage: Stage, size: int, **issue: object
    ) -> Iterator[Instruction]:
        """A collective over the ranks that hold the same parameters, `size` bytes each."""
        parts = (
            (self.dense_parameters(stage), self.plan.data_axes, what),
            (self.expert_parameters(stage), self.plan.expert_axes, f"{what}.experts"),
        )
        mesh = self.plan.mesh()
        for parameters, axes, label in parts:
            axes = tuple(axis for axis in axes if mesh[axis] > 1)
            if parameters and axes:
                yield Communicate(kind, parameters * size, axes, label, **issue)  # type: ignore[arg-type]


def _layer_parameters(shape: TransformerShape, plan: Parallelism) -> int:
    """Parameters of a layer on one rank, experts apart."""
    norms = 2 * shape.norm_parameters
    attention = shape.attention_parameters - shape.norm_parameters
    router = shape.hidden * shape.experts
    feed = 0 if shape.experts else shape.expert_parameters
    return (attention + feed) // plan.tensor + norms + router
