"""What a transformer is, and how its training or serving is spread over GPUs, in numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from wsc.backends.gpu_cluster.kernels import Precision
from wsc.compiler.errors import DoesNotFit, UserError

Recompute = Literal["none", "selective", "full"]
Schedule = Literal["gpipe", "1f1b", "interleaved", "zero-bubble"]


@dataclass(frozen=True)
class TransformerShape:
    """A decoder. `ffn` is the width of the feed-forward part (of one expert), `gated` gives it a second matrix upwards.

    `experts` > 0 replaces every feed-forward part by that many, of which each token takes `top_k`. `dropout` is on the
    residuals and, without fused attention, on the probabilities; `rotary` positions are applied in every layer.
    `norm` counts as layer norm with bias where `bias`. `tied` says that input and output embeddings are one matrix.
    """

    name: str
    layers: int
    hidden: int
    ffn: int
    heads: int
    kv_heads: int
    vocab: int
    sequence: int
    head_dim: int = 0
    gated: bool = False
    bias: bool = True
    rotary: bool = False
    dropout: bool = False
    tied: bool = True
    experts: int = 0
    top_k: int = 0

    def __post_init__(self) -> None:
        if not self.head_dim:
            object.__setattr__(self, "head_dim", self.hidden // self.heads)
        counts = (self.layers, self.hidden, self.ffn, self.heads, self.kv_heads, self.vocab, self.sequence)
        if min(counts) < 1 or self.heads % self.kv_heads or not 0 <= self.top_k <= self.experts:
            raise UserError(f"{self} is no transformer: counts are positive, and kv_heads divide heads")
        if bool(self.experts) != bool(self.top_k):
            raise UserError(
                f"'{self.name}' has {self.experts} experts, of which each token takes {self.top_k}"
            )

    @property
    def qkv(self) -> int:
        """Width of queries, keys and values together."""
        return (self.heads + 2 * self.kv_heads) * self.head_dim

    @property
    def attention_parameters(self) -> int:
        """Matrices and vectors of one layer's attention, its norm included."""
        width = self.heads * self.head_dim
        biases = self.qkv + self.hidden if self.bias else 0
        return self.hidden * (self.qkv + width) + biases + self.norm_parameters

    @property
    def expert_parameters(self) -> int:
        """Matrices and vectors of one feed-forward part."""
        ways = 2 if self.gated else 1
        biases = ways * self.ffn + self.hidden if self.bias else 0
        return (ways + 1) * self.hidden * self.ffn + biases

    @property
    def norm_parameters(self) -> int:
        """Of one norm."""
        return self.hidden * (2 if self.bias else 1)

    @property
    def layer_parameters(self) -> int:
        """Of one layer, all experts and their router included."""
        experts = max(1, self.experts) * self.expert_parameters
        return self.attention_parameters + experts + self.hidden * self.experts + self.norm_parameters

    @property
    def parameters(self) -> int:
        """Of the whole model."""
        embeddings = self.vocab * self.hidden * (1 if self.tied else 2)
        return self.layers * self.layer_parameters + embeddings + self.norm_parameters

    def flops_per_token(self) -> int:
        """Operations of matrix products of a token, forward and backward, attention over the whole sequence.

        Narayanan et al., SC 2021, equation 3 without recomputation, for any shape: three times the forward pass.
        """
        ways = 3 if self.gated else 2
        feed = max(1, self.top_k) * ways * self.hidden * self.ffn
        width = self.heads * self.head_dim
        layer = self.hidden * (self.qkv + width) + feed + 2 * self.sequence * width
        return 6 * (self.layers * layer + self.hidden * self.vocab)


@dataclass(frozen=True)
class Parallelism:
    """How a training step is spread. Ranks = data x pipeline x context x tensor; tensor groups are neighbours.

    `micro_batch` sequences pass at once, `global_batch` in a step. `shard` says what the data-parallel ranks share
    out: 0 nothing, 1 optimiser states, 2 gradients too, 3 weights too (fully sharded). `virtual` stages a rank are
    interleaved. `sequence` spreads norms and residuals over the tensor group too; then `regather` gathers inputs of
    matrices again in the backward pass, as Megatron-LM does, instead of keeping them, as PyTorch does. `expert` of the
    data-parallel ranks share out the experts. `overlap_data` hides reductions of gradients and gathers of weights
    behind the last and the first microbatches, `overlap_tensor` hides the collectives of a tensor group's backward
    pass behind gradients of weights (its gathers alone without `overlap_sums`), `overlap_products` computes products
    next to its other collectives in parts, while the rest passes, as Transformer Engine does (Megatron-LM's
    tp-comm-overlap); `overlap_pipeline` lets messages between stages pass while the rank computes. `fused_norms` says
    that layer norms read their tensors once, as since 2022. `gradient_bytes` is of an element as it is reduced,
    `accumulate_bytes` as it is summed up, by the product itself if `fused_accumulation`. `master_bytes` is the
    optimiser's state a parameter: 12 is Adam with a copy of the weights in single precision. `gather` says what fully
    sharded weights are gathered by (`sharded.py`): units, as FSDP does, or matrices, as DeepSpeed did in 2021. `group`
    microbatches pass one virtual stage of a rank before the next (Megatron-Core's microbatch_group_size_per_vp_stage);
    0 is as many as the pipeline has ranks.
    """

    data: int = 1
    tensor: int = 1
    pipeline: int = 1
    context: int = 1
    expert: int = 1
    micro_batch: int = 1
    global_batch: int = 1
    schedule: Schedule = "1f1b"
    virtual: int = 1
    shard: int = 0
    sequence: bool = True
    regather: bool = True
    recompute: Recompute = "none"
    fused_attention: bool = True
    overlap_data: bool = True
    overlap_tensor: bool = True
    overlap_sums: bool = True
    overlap_products: bool = False
    fused_norms: bool = True
    fused_accumulation: bool = True
    overlap_pipeline: bool = True
    precision: Precision = Precision.BF16
    gradient_bytes: int = 4
    accumulate_bytes: int = 4
    master_bytes: int = 12
    gather: Literal["unit", "matrix"] = "unit"
    group: int = 0

    @property
    def ranks(self) -> int:
        """GPUs that it takes."""
        return self.data * self.tensor * self.pipeline * self.context

    @property
    def element(self) -> int:
        """Bytes of an element of activations and weights, also where products run in fp8."""
        return 4 if self.precision is Precision.FP32 else 2

    @property
    def microbatches(self) -> int:
        """Microbatches a replica and step."""
        return self.global_batch // (self.data * self.micro_batch)

    @property
    def in_a_row(self) -> int:
        """Microbatches that pass one virtual stage of a rank before the next."""
        return self.group or self.pipeline

    @property
    def stages(self) -> int:
        """Stages, virtual ones counted."""
        return self.pipeline * self.virtual

    def mesh(self) -> dict[str, int]:
        """Sizes of the mesh's axes, outermost first; the expert axis is the inner part of the data axis."""
        return {
            "pipeline": self.pipeline,
            "replica": self.data // self.expert,
            "expert": self.expert,
            "context": self.context,
            "tensor": self.tensor,
        }

    @property
    def data_axes(self) -> tuple[str, ...]:
        """The axes whose ranks hold the same weights outside the experts: gradients are summed over them."""
        return ("replica", "expert", "context")

    @property
    def expert_axes(self) -> tuple[str, ...]:
        """The axes whose ranks hold the same experts."""
        return ("replica", "context")


def check(shape: TransformerShape, plan: Parallelism) -> None:
    """Raise UserError naming the first size of the plan that does not divide what it cuts."""
    rules = (
        (shape.heads, "heads", plan.tensor, "tensor"),
        (max(shape.kv_heads, plan.tensor), "heads of keys and values", plan.tensor, "tensor"),
        (shape.ffn, "columns of the feed-forward part", plan.tensor, "tensor"),
        (shape.sequence, "tokens of a sequence", 2 * plan.context if plan.context > 1 else 1, "2 x context"),
        (shape.sequence // plan.context, "tokens of a rank", plan.tensor if plan.sequence else 1, "tensor"),
        (plan.global_batch, "sequences of a step", plan.data * plan.micro_batch, "data x micro_batch"),
        (plan.data, "data-parallel ranks", plan.expert, "expert"),
        (shape.experts, "experts", plan.expert, "expert"),
    )
    check_divides(shape.name, rules)
    if plan.expert > 1 and not shape.experts:
        raise UserError(f"'{shape.name}' has no experts to share out over expert = {plan.expert}")
    if plan.virtual > 1 and plan.schedule != "interleaved":
        raise UserError(
            f"virtual = {plan.virtual} stages a rank need the schedule 'interleaved', not '{plan.schedule}'"
        )
    if plan.group and (plan.schedule != "interleaved" or plan.group < plan.pipeline):
        raise UserError(
            f"group = {plan.group} microbatches in a row need the schedule 'interleaved' and no fewer than "
            f"pipeline = {plan.pipeline}"
        )
    if plan.group and plan.microbatches % plan.group:
        raise UserError(f"{plan.microbatches} microbatches do not divide by group = {plan.group}")
    if plan.schedule == "interleaved" and not plan.group and plan.microbatches % plan.pipeline:
        raise UserError(
            f"the schedule 'interleaved' takes a number of microbatches that divides by pipeline = {plan.pipeline}, "
            f"not {plan.microbatches}"
        )
    if plan.stages > shape.layers + 2:
        raise UserError(f"{plan.stages} stages are more than {shape.layers} layers and the embeddings")
    if plan.gather == "matrix" and (plan.shard < 3 or plan.overlap_data or shape.experts):
        raise UserError(
            "weights are gathered matrix by matrix (gather = 'matrix') where they are fully sharded (shard = 3), in "
            "the open (overlap_data = False) and without experts"
        )
    if plan.shard == 3 and plan.pipeline > 1:
        raise UserError("fully sharded weights (shard = 3) and pipeline stages are not planned together")


def check_divides(name: str, rules: Iterable[tuple[int, str, int, str]]) -> None:
    """Raise UserError naming the first (size, of what, parts, axis) of a model whose size its parts do not divide."""
    for size, what, parts, axis in rules:
        if size % parts:
            raise UserError(f"'{name}' cannot be cut so: {size:,} {what} do not divide by {axis} = {parts}")


def fits(plan: Parallelism, gpus: int, cluster: str) -> None:
    """Raise DoesNotFit where a plan takes more GPUs than there are, UserError where it leaves some out."""
    if plan.ranks > gpus:
        raise DoesNotFit(
            f"the mesh takes {plan.ranks:,} GPUs, and '{cluster}' has {gpus:,}: {plan.ranks - gpus:,} too few"
        )
    if gpus % plan.ranks:
        sizes = ", ".join(f"{name} = {size}" for name, size in plan.mesh().items() if size > 1)
        raise UserError(
            f"a mesh of {plan.ranks:,} GPUs ({sizes}) does not divide the {gpus:,} GPUs of '{cluster}'"
        )
