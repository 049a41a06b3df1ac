"""One layer of a transformer as one rank computes it: kernels and collectives, forward and backward.

Spread as in Megatron-LM: the first matrices of attention and feed-forward part are cut by columns, the second by rows
(Shoeybi et al., arXiv 1909.08053), norms and residuals by tokens (Korthikanti et al., arXiv 2205.05198). The backward
pass has two products for each forward one; fused attention recomputes its scores (Dao et al., arXiv 2205.14135).
"""

from __future__ import annotations

from wsc.backends.gpu_cluster.instructions import Alloc, Free, Instruction, Launch, Wait
from wsc.backends.gpu_cluster.kernels import Attention, CollectiveKind, Gemm, Precision
from wsc.backends.gpu_cluster.transformer.experts import experts, experts_backward
from wsc.backends.gpu_cluster.transformer.writer import TENSOR, Writer

# Times of apex's first layer norm, which Megatron-LM had a copy of until the end of 2021, over those of the one that
# reads its tensors once: 1258 over 896 GB/s forward, 1163 over 572 backward, A100 (NVIDIA/apex, pull request 1037).
_OLD_NORM, _OLD_NORM_BACKWARD = 1.40, 2.03


class LayerWriter(Writer):
    """Writes one layer."""

    @property
    def _in_parts(self) -> bool:
        """Whether products before and after collectives of a tensor group are computed in parts, side by side."""
        return self.plan.overlap_products and self.plan.sequence and self.plan.tensor > 1

    def gathered_gemm(self, gather: str, label: str, n: int, k: int) -> None:
        """Tokens come together and are multiplied; in parts, only the part that comes last waits for all of them."""
        tokens = self.size.tokens
        if not self._in_parts:
            self.gather_tokens(gather)
            self.cast(label, tokens, k)
            self.gemm(label, tokens, n, k)
            return
        last = tokens // self.plan.tensor
        self.cast(label, tokens, k)
        self.gather_tokens(gather, "gathered")
        self.gemm(label, tokens - last, n, k)
        self.body.append(Wait(("gathered",)))
        self.gemm(label, last, n, k)

    def summed_gemm(self, label: str, sum: str, k: int) -> None:
        """A product whose addends are summed up; in parts, only the sum of the last part waits for all of it."""
        tokens, hidden = self.size.tokens, self.shape.hidden
        self.cast(label, tokens, k)
        if not self._in_parts:
            self.gemm(label, tokens, hidden, k)
            self.sum_partials(sum)
            return
        part = tokens // self.plan.tensor
        rest = self.residual_bytes // self.plan.tensor
        self.gemm(label, part, hidden, k)
        self._name_last("first part")
        self.collective("reduce_scatter", self.residual_bytes - rest, TENSOR, sum, "parts", ("first part",))
        self.gemm(label, tokens - part, hidden, k)
        self.body.append(Wait(("parts",)))
        self.collective("reduce_scatter", rest, TENSOR, sum)

    # -- forward

    def forward(self) -> tuple[Instruction, ...]:
        """The whole layer forward."""
        size, shape = self.size, self.shape
        self._norm("attention.norm")
        self.gathered_gemm("attention.gather", "attention.qkv", size.qkv, shape.hidden)
        self._rotary()
        self._keys_and_values()
        self.attention_core()
        self.summed_gemm("attention.out", "attention.sum", size.width)
        self._residual("attention.residual")
        self._norm("feed_forward.norm")
        self._feed_forward()
        self._residual("feed_forward.residual")
        return tuple(self.body)

    def _norm(self, label: str) -> None:
        bytes = self.own_bytes if self.plan.fused_norms else round(_OLD_NORM * self.own_bytes)
        self.stream(label, bytes, bytes)

    def _residual(self, label: str) -> None:
        mask = self.size.own_tokens * self.shape.hidden if self.shape.dropout else 0
        self.stream(label, 2 * self.own_bytes, self.own_bytes + mask, random=mask)

    def _rotary(self) -> None:
        if self.shape.rotary:
            bytes = (
                self.plan.element
                * self.size.tokens
                * (self.size.heads + self.size.kv_heads)
                * self.shape.head_dim
            )
            self.stream("attention.rotary", bytes, bytes)

    def _keys_and_values(self, kind: CollectiveKind = "all_gather") -> None:
        """Keys and values of the whole sequence, where a context group shares it out."""
        elements = 2 * self.size.tokens * self.plan.context * self.size.kv_heads * self.shape.head_dim
        self.collective(kind, self.plan.element * elements, "context", "attention.keys")

    def attention_core(self) -> None:
        """Scores, softmax and the mixture of values.

        Unfused, the softmax under the causal mask is Megatron-LM's (scaled_upper_triang_masked_softmax.h).
        """
        if self.plan.fused_attention:
            self._fused("attention.core", backward=False)
            return
        seq, head = self.shape.sequence, self.shape.head_dim
        batch, scores = self.plan.micro_batch * self.size.heads, self.plan.element * self.size.scores
        own = seq // self.plan.context
        self._product("attention.scores", own, seq, head, batch)
        self.stream("attention.softmax", scores // 2, scores)  # what the mask hides is not read, but written
        if self.shape.dropout:
            self.stream("attention.dropout", scores, scores + self.size.scores, random=self.size.scores)
        self._product("attention.mix", own, head, seq, batch)
        mixed = self.plan.element * self.size.tokens * self.size.width
        self.stream("attention.mix.copy", mixed, mixed)  # heads side by side again

    def _product(self, label: str, m: int, n: int, k: int, batch: int) -> None:
        """A product of activations, never in fp8."""
        precision = Precision.BF16 if self.plan.precision is Precision.FP8 else self.plan.precision
        self.body.append(Launch(Gemm(m, n, k, batch, precision), label))

    def _fused(self, label: str, backward: bool) -> None:
        """Fused attention; of a shared sequence a rank has the i-th chunk from the front and from the back."""
        size, context = self.size, self.plan.context
        precision = Precision.BF16 if self.plan.precision is Precision.FP8 else self.plan.precision
        whole = self.shape.sequence
        own = (
            ((whole, whole),)
            if context == 1
            else ((whole // (2 * context),) * 2, (whole // (2 * context), whole))
        )
        for queries, keys in own:
            kernel = Attention(
                "backward" if backward else "forward",
                self.plan.micro_batch,
                size.heads,
                size.kv_heads,
                queries,
                keys,
                self.shape.head_dim,
                precision,
            )
            self.body.append(Launch(kernel, label))

    def _feed_forward(self) -> None:
        size, shape = self.size, self.shape
        if shape.experts:
            experts(self)
            return
        self.gathered_gemm("feed_forward.gather", "feed_forward.up", size.up, shape.hidden)
        self.activation(size.tokens)
        self.summed_gemm("feed_forward.down", "feed_forward.sum", size.ffn)

    # -- backward

    @property
    def workspace_bytes(self) -> int:
        """Bytes of gradients of activations at one time: of the residual, of a matrix's input and of its output."""
        size = self.size
        return self.plan.element * size.tokens * (2 * self.shape.hidden + max(size.up, size.qkv))

    def backward(self) -> tuple[Instruction, ...]:
        """The whole layer backward; what a recomputation of the whole layer does first is not in it."""
        size = self.size
        self.body.append(Alloc("workspace", self.workspace_bytes))
        self._residual_backward("feed_forward.residual")
        self._feed_forward_backward()
        self._norm_backward("feed_forward.norm")
        self._residual_backward("attention.residual")
        self._rows_backward("attention.out", size.width)
        self._attention_backward()
        self._rotary()
        self._columns_backward("attention.qkv", size.qkv)
        self._norm_backward("attention.norm")
        self.body.append(Free("workspace"))
        return tuple(self.body)

    def _residual_backward(self, label: str) -> None:
        if self.shape.dropout:
            mask = self.size.own_tokens * self.shape.hidden
            self.stream(f"{label}.gradient", self.own_bytes + mask, self.own_bytes)

    def _norm_backward(self, label: str) -> None:
        """The norm's own gradient, then the sum with that of the residual that went past it, a kernel each."""
        bytes = self.own_bytes if self.plan.fused_norms else round(_OLD_NORM_BACKWARD * self.own_bytes)
        self.stream(f"{label}.gradient", 2 * bytes, bytes)
        self.sum_norm(label)
        self.stream(f"{label}.sum_gradients", 2 * self.own_bytes, self.own_bytes)

    def sum_norm(self, label: str) -> None:
        """Add up a norm's gradient over the tensor group, each rank of which has that of its own tokens."""
        self.sum_over_tokens(f"{label}.sum", self.shape.norm_parameters)

    def _rows_backward(self, label: str, width: int) -> None:
        """Gradient of a matrix cut by rows: tokens of the gradient come together first."""
        tokens, hidden = self.size.tokens, self.shape.hidden
        self.gathered_gemm(f"{label}.gather", f"{label}.gradient", width, hidden)
        self._bias_gradient(label, hidden)
        self.gemm(f"{label}.weight_gradient", width, hidden, tokens, accumulate=True)

    def _columns_backward(self, label: str, width: int) -> None:
        """Gradient of a matrix cut by columns; its collectives hide behind its products where the plan says so."""
        tokens, hidden, hide = self.size.tokens, self.shape.hidden, self.plan.overlap_tensor
        inputs = "inputs" if hide else ""
        sums = "sums" if hide and self.plan.overlap_sums else ""
        if self.plan.regather:
            self.gather_tokens(f"{label}.gather", inputs)
        self._bias_gradient(label, width)
        self.cast(f"{label}.gradient", tokens, width)
        self.gemm(f"{label}.gradient", tokens, hidden, width)
        gathered = hide and self.plan.sequence and self.plan.regather and self.plan.tensor > 1
        if hide and self.plan.tensor > 1:
            self._name_last("products")
            self.sum_partials(f"{label}.sum", sums, ("products",))
            if gathered:
                self.body.append(Wait(("inputs",)))
            self.gemm(f"{label}.weight_gradient", hidden, width, tokens, accumulate=True)
            if sums:
                self.body.append(Wait((sums,)))
        else:
            self.sum_partials(f"{label}.sum")
            self.gemm(f"{label}.weight_gradient", hidden, width, tokens, accumulate=True)

    def _name_last(self, event: str) -> None:
        last = self.body[-1]
        assert isinstance(last, Launch)
        self.body[-1] = Launch(last.kernel, last.label, event=event)

    def _bias_gradient(self, label: str, width: int) -> None:
        if self.shape.bias:
            self.stream(
                f"{label}.bias_gradient",
                self.plan.element * self.size.tokens * width,
                self.plan.element * width,
            )

    def _attention_backward(self) -> None:
        if self.plan.fused_attention:
            self._fused("attention.core.gradient", backward=True)
        else:
            self._scores_backward()
        self._keys_and_values("reduce_scatter")

    def _scores_backward(self) -> None:
        """Unfused: what was recomputed, then two products for each of the two, and the softmax's own gradient.

        Heads are taken apart by a copy, and gradients of queries, keys and values put side by side by another.
        """
        mixed, qkv = (
            self.plan.element * self.size.tokens * self.size.width,
            self.plan.element * self.size.tokens * self.size.qkv,
        )
        self.stream("attention.mix.copy_gradient", mixed, mixed)
        if self.plan.recompute == "selective":
            self.attention_core()
        seq, head = self.shape.sequence, self.shape.head_dim
        batch, scores = self.plan.micro_batch * self.size.heads, self.plan.element * self.size.scores
        own = seq // self.plan.context
        self._product("attention.mix.gradient", own, seq, head, batch)
        self._product("attention.mix.values", seq, head, own, batch)
        if self.shape.dropout:
            self.stream("attention.dropout.gradient", scores + self.size.scores, scores)
        self.stream(
            "attention.softmax.gradient", scores, scores
        )  # halves of the scores and of their gradient
        self._product("attention.scores.queries", own, head, seq, batch)
        self._product("attention.scores.keys", seq, head, own, batch)
        self.stream("attention.scores.join", qkv, qkv)

    def _feed_forward_backward(self) -> None:
        size = self.size
        if self.shape.experts:
            experts_backward(self)
            return
        self._rows_backward("feed_forward.down", size.ffn)
        self.activation_backward(size.tokens)
        self._columns_backward("feed_forward.up", size.up)
