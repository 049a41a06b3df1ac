"""The feed-forward part of a layer with experts, as one rank computes it: tokens are exchanged, and their gradients."""

from __future__ import annotations

from wsc.backends.gpu_cluster.instructions import Launch
from wsc.backends.gpu_cluster.kernels import CollectiveKind, Gemm
from wsc.backends.gpu_cluster.transformer.writer import TENSOR, Writer

_COUNT_BYTES = 8  # of how many tokens a rank has for an expert, told before they are exchanged


def experts(writer: Writer) -> None:
    """Each token goes to `top_k` experts and back; the load is taken to be even."""
    size, shape = writer.size, writer.shape
    tokens = routed_tokens(writer)
    writer.body.append(Launch(Gemm(size.own_tokens, shape.experts, shape.hidden), "experts.route"))
    counts = _COUNT_BYTES * shape.experts
    writer.collective("all_to_all", counts, "expert", "experts.counts")
    if writer.plan.sequence:  # each rank of a tensor group has rows of its own
        writer.collective("all_gather", counts * writer.plan.tensor, TENSOR, "experts.counts")
    _exchange(writer, "experts.dispatch")
    writer.gemm("experts.up", tokens, size.up, shape.hidden, size.local_experts)
    writer.activation(tokens * size.local_experts)
    writer.gemm("experts.down", tokens, shape.hidden, size.ffn, size.local_experts)
    _exchange(writer, "experts.combine", back=True)


def routed_tokens(writer: Writer) -> int:
    """Tokens of one expert."""
    return max(1, writer.size.tokens * writer.shape.top_k // writer.size.local_experts)


def _exchange(writer: Writer, label: str, back: bool = False) -> None:
    """Tokens to the ranks of their experts, spread over the tensor group, and all of them on each of its ranks."""
    size, shape, plan = writer.size, writer.shape, writer.plan
    own = plan.element * size.own_tokens * shape.top_k * shape.hidden
    every = plan.element * size.tokens * shape.top_k * shape.hidden
    writer.stream(f"{label}.permute", own, own)
    kind: CollectiveKind = "reduce_scatter" if back else "all_gather"
    if back:
        writer.collective(kind if plan.sequence else "all_reduce", every, TENSOR, label)
    writer.collective("all_to_all", own, "expert", label)
    if not back and plan.sequence:
        writer.collective(kind, every, TENSOR, label)


def experts_backward(writer: Writer) -> None:
    """Gradients go the way of the tokens, and two products for each forward one are computed of them."""
    size, shape = writer.size, writer.shape
    tokens, count = routed_tokens(writer), size.local_experts
    _exchange(writer, "experts.combine.gradient")
    writer.gemm("experts.down.gradient", tokens, size.ffn, shape.hidden, count)
    writer.gemm("experts.down.weight_gradient", size.ffn, shape.hidden, tokens, count, accumulate=True)
    writer.activation_backward(tokens * count)
    writer.gemm("experts.up.gradient", tokens, shape.hidden, size.up, count)
    writer.gemm("experts.up.weight_gradient", shape.hidden, size.up, tokens, count, accumulate=True)
    _exchange(writer, "experts.dispatch.gradient", back=True)
    route = Gemm(size.own_tokens, shape.hidden, shape.experts)
    writer.body.append(Launch(route, "experts.route.gradient"))
    weights = Gemm(shape.hidden, shape.experts, size.own_tokens, accumulate=writer.plan.fused_accumulation)
    writer.body.append(Launch(weights, "experts.route.weight_gradient"))
    writer.sum_over_tokens("experts.route.sum", shape.hidden * shape.experts)
