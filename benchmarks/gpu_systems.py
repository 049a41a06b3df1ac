"""Measured training and serving, row by row, as the programs that are simulated in their place.

What a row does not say is taken from where its authors say it, named beside it; where nobody does, the fastest of the
settings that fit the memory is taken, as a practitioner would. No constant anywhere is fitted on these rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pydantic import Field

from benchmarks.gpu_micro import cluster_of, shipped_gpu
from benchmarks.gpu_rows import Row, RowSet
from wsc.backends.gpu_cluster.clusters import cluster_named, cluster_sized
from wsc.backends.gpu_cluster.kernels import Precision
from wsc.backends.gpu_cluster.machine import Cluster
from wsc.backends.gpu_cluster.simulate.run import ClusterTrace, simulate_program
from wsc.backends.gpu_cluster.transformer.shape import Parallelism, TransformerShape
from wsc.backends.gpu_cluster.transformer.training import training_program
from wsc.compiler.errors import SimulationError, UserError, WscError

GPT_VOCAB, GPT_SEQUENCE = 51200, 2048
PRECISIONS = {"fp8": Precision.FP8, "bf16": Precision.BF16, "fp16": Precision.FP16}
# Micro-batch size and layers of a virtual stage: Megatron-LM, examples/sc21/run_table_1.sh, by hidden size.
SC21_SETTINGS = {
    2304: (16, 0),
    3072: (16, 0),
    4096: (16, 0),
    6144: (8, 0),
    8192: (4, 0),
    10240: (2, 5),
    12288: (2, 5),
    16384: (1, 3),
    20480: (1, 1),
    25600: (1, 0),
}
GPT_SIZES = {
    "175B": (12288, 96, 96),
    "530B": (20480, 128, 105),
}  # hidden, heads, layers: Narayanan et al., SC 2021


@dataclass(frozen=True)
class Measured:
    """One measured figure, what is simulated in its place, and the unit both are in."""

    set: str
    label: str
    unit: str
    measured: float
    simulated: float
    gpu: str = ""
    gpus: int = 0  # where errors are told by scale

    @property
    def error(self) -> float:
        """Simulated over measured, less one."""
        return self.simulated / self.measured - 1


class KorthikantiRow(Row):
    model: str
    hidden: int
    ffn: int
    heads: int
    layers: int
    gpus: int
    tp: int
    pp: int
    dp: int
    global_batch: int
    micro_batch: int
    interleave: int
    full_recompute_s: float = Field(gt=0)
    sequence_parallel_selective_s: float = Field(gt=0)


class Sc21Row(Row):
    params_b: float
    heads: int
    hidden: int
    layers: int
    tp: int
    pp: int
    gpus: int
    batch: int
    tflops_per_gpu: float = Field(gt=0)


class ZeroRow(Row):
    model: str
    scheme: str
    tp: int
    pp: int
    global_batch: int
    gpus: int
    tflops_per_gpu: float = Field(gt=0)


class CoreRow(Sc21Row):
    dp: int


class MlperfRow(Row):
    submitter_system: str
    gpu: str
    gpus: int
    tp: int
    pp: int
    vp: int
    cp: int
    mbs: int
    gbs: int
    seq: int
    precision: str
    median_step_s: float = Field(gt=0)


KORTHIKANTI = RowSet("Training, Korthikanti et al., Table 5", KorthikantiRow)
SC21 = RowSet("Training, Narayanan et al., SC 2021, Table 1", Sc21Row, frozenset({"dp"}))
ZERO = RowSet("Training, SC 2021, Table 2", ZeroRow)
CORE = RowSet("Training, Megatron-Core on H100", CoreRow)
MLPERF = RowSet("Training, MLPerf, Llama 3.1 405B", MlperfRow)
SYSTEM_SETS = (KORTHIKANTI, SC21, ZERO, CORE, MLPERF)


def gpt(name: str, hidden: int, heads: int, layers: int, vocab: int, sequence: int) -> TransformerShape:
    """A GPT of Megatron-LM: dropout, biases, one matrix for both embeddings."""
    return TransformerShape(name, layers, hidden, 4 * hidden, heads, heads, vocab, sequence, dropout=True)


def step(shape: TransformerShape, plan: Parallelism, cluster: Cluster) -> ClusterTrace:
    """A simulated training step."""
    return simulate_program(training_program(shape, plan, cluster), cluster)


def megatron(plan: Parallelism, interleave: int) -> Parallelism:
    """Settings of Megatron-LM in 2021 and 2022: fp16, no fused attention, nothing hidden but what the papers say."""
    return replace(
        plan,
        precision=Precision.FP16,
        fused_attention=False,
        overlap_pipeline=False,
        overlap_data=False,
        overlap_sums=False,
        virtual=interleave,
        schedule="interleaved" if interleave > 1 else "1f1b",
    )


def before_2022(plan: Parallelism) -> Parallelism:
    """Megatron-LM as of the commit that examples/sc21 names: gradients are added in fp16, after the product."""
    return replace(
        plan,
        fused_accumulation=False,
        accumulate_bytes=2,
        gradient_bytes=2,
        overlap_tensor=False,
        fused_norms=False,
    )


def korthikanti_plan(row: KorthikantiRow) -> tuple[TransformerShape, Parallelism]:
    """The model and the plan of a row, without what differs between its two columns."""
    plan = Parallelism(
        data=row.dp,
        tensor=row.tp,
        pipeline=row.pp,
        micro_batch=row.micro_batch,
        global_batch=row.global_batch,
    )
    shape = gpt(row.model, row.hidden, row.heads, row.layers, GPT_VOCAB, GPT_SEQUENCE)
    return shape, megatron(plan, row.interleave)


def korthikanti(rows: Iterable[KorthikantiRow]) -> Iterator[Measured]:
    """Section 4.2.2 hides the extra gather of the backward pass behind a product, and no other collective."""
    for row in rows:
        shape, plan = korthikanti_plan(row)
        cluster = cluster_sized("selene", row.gpus)
        for how, sequence, seconds in (
            ("full", False, row.full_recompute_s),
            ("selective", True, row.sequence_parallel_selective_s),
        ):
            spread = replace(plan, recompute=how, sequence=sequence)  # type: ignore[arg-type]
            trace = step(shape, spread, cluster)
            yield Measured(KORTHIKANTI.title, f"{row.model}, {how}", "s", seconds, trace.seconds)


def gpt_flops(row: Sc21Row, vocab: int, sequence: int, recomputed: bool) -> float:
    """Operations of a step as the authors count them (SC 2021, equation 3); a fourth pass where all is recomputed."""
    tokens = row.batch * sequence
    layers = 24 * tokens * row.layers * row.hidden**2 * (1 + sequence / (6 * row.hidden))
    return layers * (4 if recomputed else 3) + 6 * tokens * row.hidden * vocab


def sc21(rows: Iterable[Sc21Row]) -> Iterator[Measured]:
    """Full recomputation; gradients are summed behind the backward pass up to 18 billion parameters (DDP=torch)."""
    for row in rows:
        shape = gpt(f"{row.params_b}B", row.hidden, row.heads, row.layers, GPT_VOCAB, GPT_SEQUENCE)
        micro, of_stage = SC21_SETTINGS.get(row.hidden, (1, 0))
        virtual = row.layers // row.pp // of_stage if of_stage else 1
        data = row.gpus // row.tp // row.pp
        base = Parallelism(
            data=data, tensor=row.tp, pipeline=row.pp, micro_batch=micro, global_batch=row.batch
        )
        plan = replace(megatron(base, virtual), recompute="full", sequence=False, gradient_bytes=2)
        plan = replace(plan, overlap_data=row.pp == 1)
        trace = step(shape, before_2022(plan), cluster_sized("selene", row.gpus))
        rate = gpt_flops(row, GPT_VOCAB, GPT_SEQUENCE, True) / trace.seconds / row.gpus / 1e12
        yield Measured(SC21.title, f"{row.params_b}B, {row.gpus} GPUs", "TFLOP/s", row.tflops_per_gpu, rate)


def zero(rows: Iterable[ZeroRow]) -> Iterator[Measured]:
    """Micro-batches of one with pipelines; ZeRO-3 takes all of a rank's sequences at once (both as in Table 2).

    ZeRO-3 is DeepSpeed's of spring 2021 (v0.3.14, by whose code `transformer/sharded.py` gathers matrices).
    """
    for row in rows:
        hidden, heads, layers = GPT_SIZES[row.model]
        shape = gpt(row.model, hidden, heads, layers, GPT_VOCAB, GPT_SEQUENCE)
        data = row.gpus // row.tp // row.pp
        sharded = row.scheme != "ptd"
        plan = Parallelism(
            data=data,
            tensor=row.tp,
            pipeline=row.pp,
            micro_batch=row.global_batch // row.gpus if sharded else 1,
            global_batch=row.global_batch,
        )
        plan = replace(megatron(plan, 1), recompute="full", sequence=False, gradient_bytes=2)
        plan = before_2022(plan)
        if sharded:
            plan = replace(plan, shard=3, gather="matrix")
        trace = step(shape, plan, cluster_sized("selene", row.gpus))
        counted = Sc21Row(
            params_b=0,
            heads=heads,
            hidden=hidden,
            layers=layers,
            tp=row.tp,
            pp=row.pp,
            gpus=row.gpus,
            batch=row.global_batch,
            tflops_per_gpu=row.tflops_per_gpu,
        )
        rate = gpt_flops(counted, GPT_VOCAB, GPT_SEQUENCE, True) / trace.seconds / row.gpus / 1e12
        label = f"{row.model}, {row.scheme}, {row.gpus} GPUs"
        title = f"{ZERO.title}: {'ZeRO-3' if sharded else 'pipelines'}"
        yield Measured(title, label, "TFLOP/s", row.tflops_per_gpu, rate)


def core(rows: Iterable[CoreRow]) -> Iterator[Measured]:
    """bf16, fused attention, all overlaps on, sharded optimiser; the micro-batch that is fastest."""
    for row in rows:
        shape = replace(
            gpt(f"{row.params_b}B", row.hidden, row.heads, row.layers, 131072, 4096),
            dropout=False,
            tied=False,
        )
        cluster = cluster_named(f"h100x{row.gpus}")
        base = Parallelism(
            data=row.dp,
            tensor=row.tp,
            pipeline=row.pp,
            global_batch=row.batch,
            shard=1,
            sequence=row.tp > 1,
            overlap_products=True,
        )
        trace = fastest(shape, core_plans(base), cluster)
        rate = gpt_flops(row, 131072, 4096, False) / trace.seconds / row.gpus / 1e12
        yield Measured(
            CORE.title,
            f"{row.params_b}B, {row.gpus} GPUs",
            "TFLOP/s",
            row.tflops_per_gpu,
            rate,
            gpus=row.gpus,
        )


def core_plans(base: Parallelism) -> Iterator[Parallelism]:
    """Micro-batches that divide; the README names neither them nor virtual stages, so there are none of these."""
    share = base.global_batch // base.data
    for micro in (1, 2, 4):
        if share % micro == 0:
            yield replace(base, micro_batch=micro)


def fastest(shape: TransformerShape, plans: Iterable[Parallelism], cluster: Cluster) -> ClusterTrace:
    """The fastest step among plans that fit; with selective or full recomputation only where none fits without."""
    tried = list(plans)
    for recompute in ("none", "selective", "full"):
        traces = []
        for plan in tried:
            try:
                traces.append(step(shape, replace(plan, recompute=recompute), cluster))  # type: ignore[arg-type]
            except SimulationError:
                continue
        if traces:
            return min(traces, key=lambda trace: trace.seconds)
    raise WscError(f"{shape.name}: no plan fits the memory of {cluster.name}")


def group_of(plan: Parallelism) -> int:
    """Microbatches in a row where interleaved stages have them and their number is no multiple of the ranks: as few as
    divide it and keep all ranks busy. Raises UserError where there are too few.
    """
    if plan.virtual == 1 or plan.microbatches % plan.pipeline == 0:
        return 0
    found = (n for n in range(plan.pipeline, plan.microbatches + 1) if plan.microbatches % n == 0)
    if group := next(found, 0):
        return group
    raise UserError(f"{plan.microbatches} microbatches are too few for {plan.pipeline} interleaved stages")


def mlperf(rows: Iterable[MlperfRow]) -> Iterator[Measured]:
    """Llama 3.1 405B with the embedding and the head counted as a layer each, as NeMo splits the pipeline."""
    for row in rows:
        if row.precision not in PRECISIONS:
            raise UserError(f"no training in the precision '{row.precision}' is known here")
        shape = TransformerShape(
            *("llama-3.1-405b", 126, 16384, 53248, 128, 8, 128256, row.seq),
            gated=True,
            bias=False,
            rotary=True,
            tied=False,
        )
        data = row.gpus // (row.tp * row.pp * row.cp)
        plan = Parallelism(
            data=data,
            tensor=row.tp,
            pipeline=row.pp,
            context=row.cp,
            micro_batch=row.mbs,
            global_batch=row.gbs,
            virtual=row.vp,
            schedule="interleaved" if row.vp > 1 else "1f1b",
            shard=1,
            overlap_products=True,
            precision=PRECISIONS[row.precision],
        )
        plan = replace(plan, group=group_of(plan))
        cluster = cluster_of(shipped_gpu(row.gpu), row.gpus)
        trace = step(shape, plan, cluster)
        label = f"{row.submitter_system}, {row.gpus} GPUs"
        yield Measured(MLPERF.title, label, "s", row.median_step_s, trace.seconds, gpus=row.gpus)
