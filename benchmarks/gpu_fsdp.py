"""Measured fully-sharded training, row by row, as the programs that are simulated in their place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import Field

from benchmarks.gpu_micro import cluster_of, shipped_gpu
from benchmarks.gpu_rows import Row, RowSet
from benchmarks.gpu_systems import Measured, step
from wsc.backends.gpu_cluster.transformer.shape import Parallelism, TransformerShape
from wsc.compiler.errors import UserError

# hidden, heads, layers of MPT models: llm-foundry, scripts/train/benchmarking/README.md and its configurations.
_MPT = {
    "1b": (2048, 16, 24),
    "3b": (2560, 20, 32),
    "7b": (4096, 32, 32),
    "13b": (5120, 40, 40),
    "30b": (7168, 56, 48),
    "70b": (8192, 64, 80),
}
_VOCAB = 50368
_SHARD = {"FULL_SHARD": 3, "SHARD_GRAD_OP": 2}


class MosaicRow(Row):
    model: str = Field(alias="Model")
    sequence: int = Field(alias="SeqLen (T)")
    gpus: int = Field(alias="# GPUs")
    gpu: str = Field(alias="GPU")
    micro_batch: int = Field(alias="MicroBatchSize")
    global_batch: int = Field(alias="GlobalBatchSize")
    tokens_per_second_gpu: float = Field(alias="Throughput (T/s/GPU)", gt=0)
    reduction: str = Field(alias="MP Mode")
    strategy: str = Field(alias="Sharding Strategy")
    recomputed: bool = Field(alias="Activation Checkpointing")


MOSAIC = RowSet("Training, fully sharded, MosaicML llm-foundry", MosaicRow)


def mosaic(rows: Iterable[MosaicRow]) -> Iterator[Measured]:
    """MPT models: no biases, fused attention; gradients are reduced in fp32 unless the mode is PURE."""
    for row in rows:
        if row.model not in _MPT or row.strategy not in _SHARD:
            raise UserError(f"no MPT model '{row.model}' or sharding '{row.strategy}' is known here")
        hidden, heads, layers = _MPT[row.model]
        sizes = (layers, hidden, 4 * hidden, heads, heads, _VOCAB, row.sequence)
        shape = TransformerShape(f"mpt-{row.model}", *sizes, bias=False)
        plan = Parallelism(
            data=row.gpus,
            micro_batch=row.micro_batch,
            global_batch=row.global_batch,
            shard=_SHARD[row.strategy],
            recompute="full" if row.recomputed else "none",
            gradient_bytes=2 if row.reduction == "PURE" else 4,
        )
        trace = step(shape, plan, cluster_of(shipped_gpu(row.gpu), row.gpus))
        rate = row.global_batch * row.sequence / trace.seconds / row.gpus
        label = f"MPT-{row.model}, {row.gpus} GPUs, {row.strategy}"
        yield Measured(MOSAIC.title, label, "tokens/s a GPU", row.tokens_per_second_gpu, rate)
