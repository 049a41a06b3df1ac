"""Measured serving, row by row: time per output token in a steady stream of requests, from simulated steps.

In the steady state `batch` sequences decode while others arrive: over the life of a sequence, each of the others is
read once, which stalls the rest. The time per output token is that of a decode step over caches half written, and the
share of those prefills. Where the caches of all sequences do not fit, as many decode as fit and the rest wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from pydantic import Field

from benchmarks.gpu_micro import cluster_of, shipped_gpu
from benchmarks.gpu_rows import Row, RowSet
from benchmarks.gpu_systems import Measured
from wsc.backends.gpu_cluster.kernels import Precision
from wsc.backends.gpu_cluster.machine import Cluster
from wsc.backends.gpu_cluster.simulate.run import simulate_program
from wsc.backends.gpu_cluster.transformer.serving import Serving, serving_program, weight_bytes
from wsc.backends.gpu_cluster.transformer.shape import TransformerShape
from wsc.backends.gpu_cluster.transformer.stages import Stage
from wsc.compiler.errors import UserError

USED_MEMORY = 0.9  # vLLM's gpu_memory_utilization, and what other servers take by default

# layers, hidden, feed-forward width, heads, heads of keys and values, vocabulary; from the models' config.json files
_DENSE = {
    "llama-3.1-8b": (32, 4096, 14336, 32, 8, 128256),
    "llama-3.1-70b": (80, 8192, 28672, 64, 8, 128256),
    "llama-3.1-405b": (126, 16384, 53248, 128, 8, 128256),
    "qwen2.5-72b": (80, 8192, 29568, 64, 8, 152064),
    "qwen3-32b": (64, 5120, 25600, 64, 8, 151936),
}


class ServingRow(Row):
    system: str
    model_path: str
    precision: str
    isl: int = Field(gt=0)
    osl: int = Field(gt=0)
    batch_size: int = Field(gt=0)
    tp_size: int = Field(gt=0)
    pp_size: int = 1
    silicon_tpot_ms: float = Field(gt=0)


SERVING = RowSet("Serving, time per output token", ServingRow)


def model_shape(path: str) -> TransformerShape:
    """The transformer that a model's path means; raises UserError for one that is not known here."""
    name = path.split("/")[-1].lower().removesuffix("-instruct").replace("meta-llama", "llama")
    if name not in _DENSE:
        raise UserError(f"the model '{path}' is not one of {', '.join(_DENSE)}")
    layers, hidden, ffn, heads, kv_heads, vocab = _DENSE[name]
    head_dim = 128 if heads * 128 != hidden else 0
    sizes = (layers, hidden, ffn, heads, kv_heads, vocab, 8192, head_dim)
    return TransformerShape(name, *sizes, gated=True, bias=False, rotary=True, tied=False)


def serving(rows: Iterable[ServingRow]) -> Iterator[Measured]:
    """Time per output token of every row; raises UserError for a model that is not known here."""
    for row in rows:
        shape = model_shape(row.model_path)
        label = f"{shape.name}, {row.isl} + {row.osl} tokens, {row.batch_size} sequences, {row.tp_size} GPUs"
        seconds = token_seconds(shape, row, cluster_of(shipped_gpu(row.system), row.tp_size * row.pp_size))
        yield Measured(SERVING.title, label, "ms", row.silicon_tpot_ms, 1e3 * seconds)


def token_seconds(shape: TransformerShape, row: ServingRow, cluster: Cluster) -> float:
    """Seconds per output token in the steady state."""
    precision = Precision.FP8 if row.precision == "fp8" else Precision.BF16
    plan = Serving(
        *("decode", row.batch_size, row.isl + row.osl // 2),
        tensor=row.tp_size,
        pipeline=row.pp_size,
        precision=precision,
    )
    plan = replace(plan, batch=min(row.batch_size, sequences_that_fit(shape, plan, cluster)))
    decode = simulate_program(serving_program(shape, plan, cluster), cluster).seconds
    prompt = replace(plan, phase="prefill", batch=1, length=row.isl)
    prefill = simulate_program(serving_program(shape, prompt, cluster), cluster).seconds
    return decode + (plan.batch - 1) * prefill / row.osl


def sequences_that_fit(shape: TransformerShape, plan: Serving, cluster: Cluster) -> int:
    """Sequences of the plan's length whose caches fit beside the weights."""
    weights = weight_bytes(shape, plan, Stage(shape.layers, embedding=True, head=True))
    token = 2 * shape.layers * max(1, shape.kv_heads // plan.tensor) * shape.head_dim * plan.cache_bytes
    room = USED_MEMORY * cluster.gpu.hbm_bytes - weights
    return max(1, int(room // (token * plan.length)))
