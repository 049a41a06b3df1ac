"""Memory of a GPU in Korthikanti et al.'s configurations: of the simulated program, and by their formulas.

Section 4 of arXiv 2205.05198 gives the activations of the first stage of a pipeline: 34 s b h / t a layer with sequence
parallelism and selective recomputation, for as many microbatches as stages, more where stages are interleaved. Weights,
gradients and optimiser take 18 bytes a parameter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from benchmarks.gpu_systems import GPT_SEQUENCE, GPT_VOCAB, KorthikantiRow, Measured, korthikanti_plan, step
from wsc.backends.gpu_cluster.clusters import cluster_sized

TITLE = "Memory of a GPU, Korthikanti et al.'s formulas"
STATE_BYTES = 18  # of a parameter: weights 2, gradients 4, Adam 12
GIBIBYTE = 2**30


def formula_bytes(row: KorthikantiRow) -> float:
    """Bytes on a GPU of the first stage, with sequence parallelism and selective recomputation."""
    layer_parameters = 12 * row.hidden**2 + 13 * row.hidden
    parameters = row.layers // row.pp * layer_parameters + GPT_VOCAB * row.hidden
    states = STATE_BYTES * parameters / row.tp
    residual = GPT_SEQUENCE * row.micro_batch * row.hidden
    held = row.layers * (1 + (row.pp - 1) / (row.pp * row.interleave) if row.interleave > 1 else 1)
    return states + 34 * residual / row.tp * held


def memory(rows: Iterable[KorthikantiRow]) -> Iterator[Measured]:
    """Peak bytes of the first stage beside the formula's."""
    for row in rows:
        shape, plan = korthikanti_plan(row)
        plan = replace(plan, recompute="selective")
        trace = step(shape, plan, cluster_sized("selene", row.gpus))
        first = min(trace.ranks, key=lambda rank: rank.first)
        yield Measured(
            TITLE,
            f"{row.model}, selective",
            "GiB",
            formula_bytes(row) / GIBIBYTE,
            first.peak_bytes / GIBIBYTE,
        )
