"""Bytes that one rank holds: activations kept for the backward pass, weights, gradients, optimiser states.

Activations as counted by Korthikanti et al., arXiv 2205.05198, section 4, generalised to grouped queries, gated
feed-forward parts, fused attention and no dropout; for their models it is 34 s b h / t with selective recomputation.
"""

from __future__ import annotations

from dataclasses import dataclass

from wsc.backends.gpu_cluster.kernels import Precision
from wsc.backends.gpu_cluster.transformer.experts import routed_tokens
from wsc.backends.gpu_cluster.transformer.shape import Parallelism, TransformerShape
from wsc.backends.gpu_cluster.transformer.sizes import Sizes
from wsc.backends.gpu_cluster.transformer.writer import Writer


def layer_activations(shape: TransformerShape, plan: Parallelism) -> int:
    """Bytes that a layer keeps of one microbatch."""
    size = Sizes(shape, plan)
    own, tokens = size.own_tokens * shape.hidden, size.tokens
    if plan.recompute == "full":
        return plan.element * own
    gathered = own if plan.regather else tokens * shape.hidden
    inputs = 2 * (
        plan.element * own + _matrix_input(plan) * gathered
    )  # of both norms and of both first matrices
    masks = 2 * own if shape.dropout else 0
    mixed = _matrix_input(plan) + (plan.element if plan.precision is Precision.FP8 else 0)
    attention = tokens * (plan.element * size.qkv + mixed * size.width)
    return inputs + masks + attention + _kept_scores(shape, plan) + _feed_forward(shape, plan)


def _matrix_input(plan: Parallelism) -> int:
    """Bytes of an element of a matrix's input, kept as it was multiplied."""
    return 1 if plan.precision is Precision.FP8 else plan.element


def _kept_scores(shape: TransformerShape, plan: Parallelism) -> int:
    size = Sizes(shape, plan)
    if plan.fused_attention:
        return 4 * size.tokens * size.heads  # the logarithms of the sums
    if plan.recompute == "selective":
        return 0
    return size.scores * (2 * plan.element + 1 if shape.dropout else plan.element)


def _feed_forward(shape: TransformerShape, plan: Parallelism) -> int:
    size = Sizes(shape, plan)
    if not shape.experts:
        return size.tokens * (plan.element * size.up + _matrix_input(plan) * size.ffn)
    routed = routed_tokens(Writer(shape, plan)) * size.local_experts
    return routed * (plan.element * size.up + _matrix_input(plan) * (shape.hidden + size.ffn))


def embedding_activations(shape: TransformerShape, plan: Parallelism) -> int:
    """Bytes that the embedding keeps of one microbatch: the mask of its dropout."""
    return Sizes(shape, plan).own_tokens * shape.hidden if shape.dropout else 0


def head_activations(shape: TransformerShape, plan: Parallelism) -> int:
    """Bytes that the last norm, the head and the loss keep of one microbatch; logits in single precision."""
    size = Sizes(shape, plan)
    return 2 * plan.element * size.own_tokens * shape.hidden + 4 * size.tokens * (shape.vocab // plan.tensor)


@dataclass(frozen=True)
class States:
    """Bytes of one rank that last from step to step."""

    weights: int
    gradients: int
    optimizer: int

    @property
    def bytes(self) -> int:
        """All of them."""
        return self.weights + self.gradients + self.optimizer


def states(parameters: int, plan: Parallelism, holders: int) -> States:
    """States of the parameters that a rank computes with; `holders` ranks hold the same ones and may share them out."""
    shares = [holders if plan.shard >= level else 1 for level in (3, 2, 1)]
    sizes = (plan.element, plan.accumulate_bytes, plan.master_bytes)
    return States(*(-(-parameters * size // share) for size, share in zip(sizes, shares, strict=True)))
