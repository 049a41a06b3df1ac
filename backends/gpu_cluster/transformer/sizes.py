"""What one rank sees of a layer: tokens, heads and widths after the cuts of a plan."""

from __future__ import annotations

from dataclasses import dataclass

from wsc.backends.gpu_cluster.transformer.shape import Parallelism, TransformerShape


@dataclass(frozen=True)
class Sizes:
    """What one rank sees of a layer in one microbatch."""

    shape: TransformerShape
    plan: Parallelism

    @property
    def tokens(self) -> int:
        """Tokens that pass a rank's matrices."""
        return self.plan.micro_batch * self.shape.sequence // self.plan.context

    @property
    def own_tokens(self) -> int:
        """Tokens of norms and residuals on a rank."""
        return self.tokens // self.plan.tensor if self.plan.sequence else self.tokens

    @property
    def heads(self) -> int:
        """Heads of queries on a rank."""
        return self.shape.heads // self.plan.tensor

    @property
    def kv_heads(self) -> int:
        """Heads of keys and values on a rank; where there are fewer than ranks, each has a copy of one."""
        return max(1, self.shape.kv_heads // self.plan.tensor)

    @property
    def qkv(self) -> int:
        """Columns of the first matrix of attention on a rank."""
        return (self.heads + 2 * self.kv_heads) * self.shape.head_dim

    @property
    def width(self) -> int:
        """Rows of the second matrix of attention on a rank."""
        return self.heads * self.shape.head_dim

    @property
    def ffn(self) -> int:
        """Rows of the second matrix of a feed-forward part on a rank."""
        return self.shape.ffn // self.plan.tensor

    @property
    def up(self) -> int:
        """Columns of the first matrix of a feed-forward part on a rank."""
        return self.ffn * (2 if self.shape.gated else 1)

    @property
    def scores(self) -> int:
        """Scores of attention on a rank, where they are held in memory."""
        return self.plan.micro_batch * self.heads * self.shape.sequence**2 // self.plan.context

    @property
    def local_experts(self) -> int:
        """Experts on a rank."""
        return self.shape.experts // self.plan.expert
