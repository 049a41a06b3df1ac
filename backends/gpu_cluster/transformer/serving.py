"""The program of one serving step of a transformer, prefill or decode: `serving_program` is the entry.

A decode step makes one token for every sequence of the batch, over keys and values that are cached; a prefill step
reads whole prompts. Norms are fused with the residual before them, norms and activations with the cast of their result
where products are in fp8; attention over prompts embeds positions and writes the cache by itself, a decode step has a
kernel for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wsc.backends.gpu_cluster.instructions import (
    Alloc,
    Call,
    Communicate,
    Free,
    Instruction,
    Launch,
    Recv,
    Send,
)
from wsc.backends.gpu_cluster.kernels import Attention, CollectiveKind, Gemm, Pointwise, Precision
from wsc.backends.gpu_cluster.machine import Cluster
from wsc.backends.gpu_cluster.program import Block, Program, RankClass, rank_mesh
from wsc.backends.gpu_cluster.transformer.shape import TransformerShape, check_divides
from wsc.backends.gpu_cluster.transformer.stages import Stage, stages_of
from wsc.compiler.errors import DoesNotFit, UserError

ELEMENT = 2  # bytes of an activation


@dataclass(frozen=True)
class Serving:
    """How a step is spread, and what it works on. Ranks = data x pipeline x expert x tensor.

    `batch` sequences a replica, of `length` tokens each: of the prompt in prefill, cached so far in decode. The cache
    has room for `room` tokens a sequence (`length` by default). Experts are shared out over the expert group, and each
    of its ranks serves its part of the batch.
    """

    phase: Literal["prefill", "decode"]
    batch: int
    length: int
    tensor: int = 1
    pipeline: int = 1
    expert: int = 1
    data: int = 1
    precision: Precision = Precision.BF16
    cache_bytes: int = 2  # of an element of keys and values
    room: int = 0

    @property
    def ranks(self) -> int:
        """GPUs that it takes."""
        return self.data * self.pipeline * self.expert * self.tensor

    @property
    def own_batch(self) -> int:
        """Sequences of one rank's attention."""
        return self.batch // self.expert

    @property
    def tokens(self) -> int:
        """Tokens that pass a rank's attention in a step."""
        return self.own_batch * (self.length if self.phase == "prefill" else 1)

    def mesh(self) -> dict[str, int]:
        """Sizes of the mesh's axes, outermost first."""
        return {"data": self.data, "pipeline": self.pipeline, "expert": self.expert, "tensor": self.tensor}


def serving_program(shape: TransformerShape, plan: Serving, cluster: Cluster) -> Program:
    """One step for every replica; decode is launched from CUDA graphs.

    Raises UserError where a size does not divide, DoesNotFit where the cluster has too few GPUs.
    """
    check(shape, plan)
    if plan.ranks > cluster.gpus:
        few = plan.ranks - cluster.gpus
        raise DoesNotFit(
            f"the mesh takes {plan.ranks:,} GPUs, and '{cluster.name}' has {cluster.gpus:,}: {few:,} too few"
        )
    base, more = divmod(shape.layers, plan.pipeline)
    stages = stages_of([base + (rank < more) for rank in range(plan.pipeline)])
    writer = _Writer(shape, plan)
    blocks = writer.blocks()
    classes = tuple(
        RankClass((("pipeline", rank),), tuple(writer.rank(rank, stage))) for rank, stage in enumerate(stages)
    )
    mesh, graphs = rank_mesh(plan.mesh()), plan.phase == "decode"
    return Program(shape.name, cluster.name, mesh, plan.data, graphs, (), (), blocks, classes)


def check(shape: TransformerShape, plan: Serving) -> None:
    """Raise UserError naming the first size of the plan that does not divide what it cuts."""
    rules = (
        (shape.heads, "heads", plan.tensor, "tensor"),
        (max(shape.kv_heads, plan.tensor), "heads of keys and values", plan.tensor, "tensor"),
        (shape.ffn, "columns of the feed-forward part", plan.tensor, "tensor"),
        (plan.batch, "sequences of a batch", plan.expert, "expert"),
        (shape.experts, "experts", plan.expert, "expert"),
    )
    check_divides(shape.name, rules)
    if plan.pipeline > shape.layers:
        raise UserError(f"{plan.pipeline} stages are more than the {shape.layers} layers of '{shape.name}'")
    if plan.expert > 1 and not shape.experts:
        raise UserError(f"'{shape.name}' has no experts to share out over expert = {plan.expert}")


def weight_bytes(shape: TransformerShape, plan: Serving, stage: Stage) -> int:
    """Bytes of the weights of a stage on one rank; embeddings have two bytes an element."""
    dense = shape.attention_parameters + shape.norm_parameters + shape.hidden * shape.experts
    feed = max(1, shape.experts // plan.expert) * shape.expert_parameters
    ends = (int(stage.embedding) + int(stage.head)) * shape.vocab * shape.hidden
    matrices = stage.layers * (dense + feed) * plan.precision.bytes
    return (matrices + ends * ELEMENT) // plan.tensor


def cache_bytes(shape: TransformerShape, plan: Serving, stage: Stage) -> int:
    """Bytes of the keys and values of a stage on one rank."""
    heads = max(1, shape.kv_heads // plan.tensor)
    tokens = plan.own_batch * max(plan.room, plan.length)
    return 2 * tokens * heads * shape.head_dim * plan.cache_bytes * stage.layers


@dataclass(frozen=True)
class _Writer:
    """Writes what ranks do."""

    shape: TransformerShape
    plan: Serving

    def blocks(self) -> tuple[Block, ...]:
        """One layer, the embedding and the head."""
        parts = (("embedding", self._embedding()), ("layer", self._layer()), ("head", self._head()))
        return tuple(Block(name, tuple(body)) for name, body in parts)

    def rank(self, rank: int, stage: Stage) -> list[Instruction]:
        """A stage of the pipeline."""
        shape, plan = self.shape, self.plan
        message = (
            ELEMENT * plan.tokens * shape.hidden // plan.tensor
        )  # a tensor group's ranks send a part each
        out: list[Instruction] = [
            Alloc("weights", weight_bytes(shape, plan, stage)),
            Alloc("cache", cache_bytes(shape, plan, stage)),
            Alloc("activations", self._workspace()),
        ]
        if rank:
            out.append(Recv("forward", "pipeline", -1, message))
            out += self._collective("all_gather", message * plan.tensor, "tensor", "received")
        if stage.embedding:
            out.append(Call("embedding"))
        out.append(Call("layer", stage.layers, event="passed"))
        if stage.head:
            out.append(Call("head"))
        if rank < plan.pipeline - 1:
            out.append(Send("forward", "pipeline", 1, message, stream="send", after=("passed",)))
        return [*out, Free("activations")]

    def _workspace(self) -> int:
        """Most bytes of activations at one time: a residual, and the widest tensor of a layer or the logits."""
        shape, plan = self.shape, self.plan
        widest = max(shape.qkv, (2 if shape.gated else 1) * shape.ffn * max(1, shape.top_k))
        logits = 4 * plan.own_batch * shape.vocab // plan.tensor
        return plan.tokens * ELEMENT * (2 * shape.hidden + widest // plan.tensor) + logits

    def _gemm(self, label: str, m: int, n: int, k: int, batch: int = 1) -> Launch:
        """A product by a weight; the kernel before it has cast its input to fp8, where products are in fp8."""
        return Launch(Gemm(m, n, k, batch, self.plan.precision), label)

    def _cast(self, label: str, elements: int) -> list[Launch]:
        """A cast to fp8 by a kernel of its own, after attention, which cannot be fused with one."""
        if self.plan.precision is not Precision.FP8:
            return []
        return [_streamed(f"{label}.cast", ELEMENT * elements, elements)]

    @property
    def _matrix_input(self) -> int:
        """Bytes of an element of a product's input."""
        return self.plan.precision.bytes

    def _collective(self, kind: CollectiveKind, bytes: int, axis: str, label: str) -> list[Instruction]:
        return (
            [Communicate(kind, bytes, (axis,), label, one_shot=kind == "all_reduce")]
            if self.plan.mesh()[axis] > 1
            else []
        )

    def _sum(self, label: str) -> list[Instruction]:
        return self._collective("all_reduce", self._residual, "tensor", label)

    @property
    def _residual(self) -> int:
        return ELEMENT * self.plan.tokens * self.shape.hidden

    def _embedding(self) -> list[Instruction]:
        return [_streamed("embedding", self._residual, self._residual), *self._sum("embedding.sum")]

    def _layer(self) -> list[Instruction]:
        shape, plan = self.shape, self.plan
        tokens, moved = plan.tokens, self._residual
        heads, kv_heads = shape.heads // plan.tensor, max(1, shape.kv_heads // plan.tensor)
        qkv, width = (heads + 2 * kv_heads) * shape.head_dim, heads * shape.head_dim
        norm = (2 * moved, moved + self._matrix_input * tokens * shape.hidden)
        out: list[Instruction] = [
            _streamed("attention.norm", *norm),
            self._gemm("attention.qkv", tokens, qkv, shape.hidden),
        ]
        if plan.phase == "decode":
            cached = 2 * tokens * kv_heads * shape.head_dim
            turned = ELEMENT * tokens * width if shape.rotary else 0
            read, written = turned + ELEMENT * cached, turned + plan.cache_bytes * cached
            out.append(_streamed("attention.cache", read, written))
        out += [
            Launch(self._attention(heads, kv_heads), "attention.core"),
            *self._cast("attention.out", tokens * width),
            self._gemm("attention.out", tokens, shape.hidden, width),
            *self._sum("attention.sum"),
            _streamed("feed_forward.norm", *norm),
        ]
        return out + (self._experts() if shape.experts else self._feed_forward())

    def _attention(self, heads: int, kv_heads: int) -> Attention:
        plan = self.plan
        queries = plan.length if plan.phase == "prefill" else 1
        precision = Precision.FP8 if plan.cache_bytes == 1 else Precision.BF16
        sizes = (plan.own_batch, heads, kv_heads, queries, plan.length, self.shape.head_dim)
        return Attention(plan.phase, *sizes, precision)

    def _feed_forward(self) -> list[Instruction]:
        shape, plan = self.shape, self.plan
        ffn = shape.ffn // plan.tensor
        up = ffn * (2 if shape.gated else 1)
        return [
            self._gemm("feed_forward.up", plan.tokens, up, shape.hidden),
            _streamed(
                "feed_forward.activation",
                ELEMENT * plan.tokens * up,
                self._matrix_input * plan.tokens * ffn,
            ),
            self._gemm("feed_forward.down", plan.tokens, shape.hidden, ffn),
            *self._sum("feed_forward.sum"),
        ]

    def _experts(self) -> list[Instruction]:
        """Tokens to their experts and back; the load is taken to be even, an expert without tokens has one."""
        shape, plan = self.shape, self.plan
        routed = plan.tokens * shape.top_k
        local = shape.experts // plan.expert
        met = min(local, routed)  # experts whose weights are read
        each = max(1, -(-routed // met))
        ffn = shape.ffn // plan.tensor
        up = ffn * (2 if shape.gated else 1)
        moved = ELEMENT * routed * shape.hidden
        return [
            Launch(Gemm(plan.tokens, shape.experts, shape.hidden), "experts.route"),
            _streamed("experts.dispatch.permute", moved, moved),
            *self._collective("all_to_all", moved, "expert", "experts.dispatch"),
            self._gemm("experts.up", each, up, shape.hidden, met),
            _streamed("experts.activation", ELEMENT * routed * up, self._matrix_input * routed * ffn),
            self._gemm("experts.down", each, shape.hidden, ffn, met),
            *self._collective("all_to_all", moved, "expert", "experts.combine"),
            _streamed("experts.combine.permute", moved, self._residual),
            *self._sum("experts.sum"),
        ]

    def _head(self) -> list[Instruction]:
        """Logits of the last token of each sequence, and the choice of the next."""
        shape, plan = self.shape, self.plan
        columns, rows = shape.vocab // plan.tensor, plan.own_batch
        return [
            _streamed("head.norm", 2 * ELEMENT * rows * shape.hidden, ELEMENT * rows * shape.hidden),
            Launch(Gemm(rows, columns, shape.hidden), "head.logits"),
            *self._collective("all_gather", ELEMENT * rows * shape.vocab, "tensor", "head.gather"),
            _streamed("head.sample", 2 * 4 * rows * shape.vocab, 4 * rows * shape.vocab),
        ]


def _streamed(label: str, read: int, written: int) -> Launch:
    return Launch(Pointwise(read, written), label)
