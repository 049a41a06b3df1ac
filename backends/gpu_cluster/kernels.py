"""The vocabulary of a rank's work: kernels by shape, collectives by group. What they cost is said elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal


class Precision(Enum):
    """Element types of kernels; the value is the name used in every text form."""

    FP8 = "fp8"
    INT8 = "int8"
    BF16 = "bf16"
    FP16 = "fp16"
    TF32 = "tf32"
    FP32 = "fp32"

    @property
    def bytes(self) -> int:
        """Bytes one element takes in memory."""
        return _BYTES[self]


_BYTES = {
    Precision.FP8: 1,
    Precision.INT8: 1,
    Precision.BF16: 2,
    Precision.FP16: 2,
    Precision.TF32: 4,
    Precision.FP32: 4,
}

Phase = Literal["forward", "backward", "prefill", "decode"]
CollectiveKind = Literal["all_reduce", "all_gather", "reduce_scatter", "all_to_all", "broadcast", "send"]


@dataclass(frozen=True)
class Gemm:
    """`batch` products of an m x k by a k x n matrix; operands of `precision`, two bytes an element of the result.

    `accumulate` adds to a result of four bytes an element, which is read and written (gradients of weights).
    """

    m: int
    n: int
    k: int
    batch: int = 1
    precision: Precision = Precision.BF16
    accumulate: bool = False

    def __post_init__(self) -> None:
        _positive(self, "m", "n", "k", "batch")

    @property
    def flops(self) -> int:
        """Operations, a multiply-add counted as two."""
        return 2 * self.batch * self.m * self.n * self.k


@dataclass(frozen=True)
class Attention:
    """Fused attention of `q_len` queries over `kv_len` keys and values, a sequence; lengths are of each sequence.

    `forward` and `backward` are a training step's; the gradient computes the scores again. `prefill` also embeds
    positions and writes the cache, as serving libraries do in one go; a `decode` step has one query a sequence (or a
    few, when it speculates) over a cache.
    """

    phase: Phase
    batch: int
    heads: int
    kv_heads: int
    q_len: int
    kv_len: int
    head_dim: int
    precision: Precision = Precision.BF16
    causal: bool = True

    def __post_init__(self) -> None:
        _positive(self, "batch", "heads", "kv_heads", "q_len", "kv_len", "head_dim")
        if self.heads % self.kv_heads:
            raise ValueError(
                f"{self.heads} heads do not divide among {self.kv_heads} heads of keys and values"
            )
        if self.causal and self.q_len > self.kv_len:
            raise ValueError(f"{self.q_len} causal queries over {self.kv_len} keys")


@dataclass(frozen=True)
class Pointwise:
    """A kernel that streams memory: elementwise chains, normalisations, softmax, optimiser steps, copies."""

    bytes_read: int
    bytes_written: int
    flops: int = 0

    def __post_init__(self) -> None:
        if min(self.bytes_read, self.bytes_written, self.flops) < 0:
            raise ValueError(f"negative figure in {self}")


@dataclass(frozen=True)
class Quantize:
    """Scales a tensor to fp8 by its largest element, which it finds first (dynamic scaling of a whole tensor)."""

    elements: int

    def __post_init__(self) -> None:
        _positive(self, "elements")


Kernel = Gemm | Attention | Pointwise | Quantize


@dataclass(frozen=True)
class Collective:
    """A collective over `ranks`, in the order of the group.

    `bytes` is what nccl-tests calls the size: the whole buffer that every rank holds before or after
    (all_reduce: the buffer; all_gather: the gathered result; reduce_scatter: the input; all_to_all: what a rank sends
    in all, the part for itself included; broadcast and send: the message). A send has two ranks: from, to.
    """

    kind: CollectiveKind
    bytes: int
    ranks: tuple[int, ...]
    one_shot: bool = False  # an all_reduce that may use a serving library's kernel for small messages

    def __post_init__(self) -> None:
        if self.bytes < 0 or not self.ranks or len(set(self.ranks)) != len(self.ranks):
            raise ValueError(f"{self.kind} of {self.bytes} bytes over ranks {self.ranks}")
        if self.kind == "send" and len(self.ranks) != 2:
            raise ValueError(f"a send has two ranks, not {len(self.ranks)}")


def _positive(record: object, *names: str) -> None:
    bad = {name: getattr(record, name) for name in names if getattr(record, name) < 1}
    if bad:
        raise ValueError(f"{type(record).__name__}: {bad} must be at least one")
