"""Programs of transformers: work, memory, collectives counted by hand or by the papers' formulas; refusals."""

from collections import Counter
from dataclasses import replace

import pytest

from tests.gpu_cluster.programs import LLAMA_405B, SMALL, TINY, cluster
from wsc.backends.gpu_cluster.census import Census, take_census
from wsc.backends.gpu_cluster.instructions import Send
from wsc.backends.gpu_cluster.kernels import Attention, Gemm, Precision
from wsc.backends.gpu_cluster.program import Program, peak_bytes
from wsc.backends.gpu_cluster.simulate.run import simulate_program
from wsc.backends.gpu_cluster.transformer.memory import layer_activations
from wsc.backends.gpu_cluster.transformer.serving import Serving, serving_program
from wsc.backends.gpu_cluster.transformer.shape import Parallelism, TransformerShape
from wsc.backends.gpu_cluster.transformer.training import training_program
from wsc.backends.gpu_cluster.verify import verify
from wsc.compiler.errors import DoesNotFit, UserError

# Korthikanti et al., arXiv 2205.05198, Table 3: layers, hidden, heads, tensor, pipeline, virtual, micro batch, batch
MODELS = {
    "22B": (48, 6144, 64, 8, 1, 1, 4, 4),
    "175B": (96, 12288, 96, 8, 8, 3, 1, 64),
    "530B": (105, 20480, 128, 8, 35, 3, 1, 280),
    "1T": (128, 25600, 160, 8, 64, 1, 1, 512),
}


def korthikanti(name: str, sequence: bool, recompute: str) -> tuple[TransformerShape, Parallelism]:
    layers, hidden, heads, tensor, pipeline, virtual, micro, batch = MODELS[name]
    shape = TransformerShape(name, layers, hidden, 4 * hidden, heads, heads, 51200, 2048, dropout=True)
    plan = Parallelism(
        tensor=tensor,
        pipeline=pipeline,
        virtual=virtual,
        schedule="interleaved" if virtual > 1 else "1f1b",
        micro_batch=micro,
        global_batch=batch,
        sequence=sequence,
        recompute=recompute,  # type: ignore[arg-type]
        fused_attention=False,
        precision=Precision.FP16,
    )
    return shape, plan


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    ("sequence", "recompute", "formula"),
    [
        (False, "none", lambda s, a, h, t: 10 + 24 / t + 5 * a * s / (h * t)),
        (True, "none", lambda s, a, h, t: (34 + 5 * a * s / h) / t),
        (False, "selective", lambda s, a, h, t: 10 + 24 / t),
        (True, "selective", lambda s, a, h, t: 34 / t),
        (False, "full", lambda s, a, h, t: 2),
    ],
)
def test_activations_of_a_layer_are_those_of_the_paper(
    name: str, sequence: bool, recompute: str, formula: object
) -> None:
    shape, plan = korthikanti(name, sequence, recompute)
    s, b, h = shape.sequence, plan.micro_batch, shape.hidden
    expected = s * b * h * formula(s, shape.heads, h, plan.tensor)  # type: ignore[operator]
    assert layer_activations(shape, plan) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    "name", ["22B", "175B", *(pytest.param(name, marks=pytest.mark.slow) for name in ("530B", "1T"))]
)
def test_memory_of_a_gpu_is_within_five_percent_of_the_paper(name: str) -> None:
    """Equation 5 (first stage, all that 1F1B holds) and section 5's interleaving, with 18 bytes a parameter."""
    shape, plan = korthikanti(name, True, "selective")
    on = cluster(f"a100x{plan.ranks}")
    program = training_program(shape, plan, on)
    s, b, h, t, p, m = (
        shape.sequence,
        plan.micro_batch,
        shape.hidden,
        plan.tensor,
        plan.pipeline,
        plan.virtual,
    )
    held = 1 + (p - 1) / (p * m) if m > 1 else 1.0
    activations = 34 * s * b * h / t * shape.layers * held + s * b * h * p / t
    first = shape.layers // p * (12 * h * h + 13 * h) / t + shape.vocab * h / t
    if p == 1:
        activations += 4 * s * b * h / t * (1 + shape.vocab / h)
    expected = 18 * first + activations
    assert peak_bytes(program, program.classes[0]) == pytest.approx(expected, rel=0.05)


def census(program: Program, rank: int = 0) -> Census:
    return take_census(program, program.classes[rank].body)


def flops(program: Program) -> int:
    """Operations of products of all ranks, attention counted whole."""
    total = 0
    per_class = program.ranks // len(program.classes)
    for rank in range(len(program.classes)):
        for (_, kernel), count in census(program, rank).kernels.items():
            if isinstance(kernel, Gemm):
                total += kernel.flops * count * per_class
            elif isinstance(kernel, Attention):
                pairs = kernel.batch * kernel.heads * kernel.q_len * kernel.kv_len * kernel.head_dim
                total += (4 if kernel.phase == "forward" else 8) * pairs * count * per_class
    return total


@pytest.mark.parametrize(
    "plan",
    [
        Parallelism(global_batch=8),
        Parallelism(tensor=8, global_batch=8),
        Parallelism(tensor=2, sequence=False, data=4, shard=1, global_batch=8),
        Parallelism(pipeline=4, tensor=2, global_batch=8, schedule="zero-bubble"),
        Parallelism(pipeline=4, virtual=2, global_batch=8, schedule="interleaved", data=2),
        Parallelism(data=8, shard=3, global_batch=16),
    ],
)
def test_work_is_the_same_however_it_is_spread(plan: Parallelism) -> None:
    program = training_program(SMALL, plan, cluster())
    verify(program)
    assert flops(program) == SMALL.flops_per_token() * SMALL.sequence * plan.global_batch


def test_a_shared_sequence_does_the_causal_half_alike() -> None:
    """Each rank of a context group has a chunk from the front and one from the back."""
    program = training_program(SMALL, Parallelism(context=4, tensor=2, global_batch=8), cluster())
    kernels = [k for _, k in census(program).kernels if isinstance(k, Attention) and k.phase == "forward"]
    chunk = SMALL.sequence // 8
    assert [(k.q_len, k.kv_len) for k in kernels] == [(chunk, chunk), (chunk, SMALL.sequence)]


def test_recomputing_a_layer_is_one_more_forward_pass() -> None:
    none = flops(training_program(SMALL, Parallelism(global_batch=1), cluster()))
    full = flops(training_program(SMALL, Parallelism(global_batch=1, recompute="full"), cluster()))
    head = 2 * SMALL.sequence * SMALL.hidden * SMALL.vocab
    assert full - none == none // 3 - head


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (
            Parallelism(data=8, shard=0, global_batch=16),
            {"all_reduce": 6},
        ),
        (
            Parallelism(data=8, shard=1, global_batch=16),
            {"all_gather": 6, "reduce_scatter": 6},
        ),
        (
            Parallelism(data=8, shard=2, global_batch=16),
            {"all_gather": 6, "reduce_scatter": 12},
        ),
        (
            Parallelism(data=8, shard=3, global_batch=16),
            {"all_gather": 24, "reduce_scatter": 12},
        ),
    ],
)
def test_sharding_moves_each_unit_as_often_as_it_says(plan: Parallelism, expected: dict[str, int]) -> None:
    """TINY has four layers, an embedding and a head: six units; two microbatches."""
    found: Counter[str] = Counter()
    for (kind, _, bytes), count in census(training_program(TINY, plan, cluster())).collectives.items():
        found[kind] += count if bytes > 4 else 0
    assert +found == expected


def test_hiding_collectives_is_never_slower() -> None:
    on = cluster("h100x16")
    plan = Parallelism(data=8, tensor=2, shard=1, global_batch=32)
    hidden = simulate_program(training_program(SMALL, plan, on), on).seconds
    shown = replace(plan, overlap_data=False, overlap_tensor=False)
    assert hidden < simulate_program(training_program(SMALL, shown, on), on).seconds


def test_all_of_the_405b_model_is_there() -> None:
    assert LLAMA_405B.parameters == 405_853_388_800  # as its weights on the hub count


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tensor": 3}, "16 heads do not divide by tensor = 3"),
        ({"global_batch": 5, "data": 2}, "5 sequences of a step do not divide by data x micro_batch = 2"),
        ({"context": 3}, "1,024 tokens of a sequence do not divide by 2 x context = 6"),
        (
            {"virtual": 2, "pipeline": 2},
            "virtual = 2 stages a rank need the schedule 'interleaved', not '1f1b'",
        ),
        (
            {"pipeline": 4, "schedule": "interleaved", "virtual": 2, "global_batch": 6},
            "divides by pipeline = 4, not 6",
        ),
        (
            {"pipeline": 4, "schedule": "interleaved", "virtual": 2, "global_batch": 6, "group": 5},
            "6 microbatches do not divide by group = 5",
        ),
        ({"pipeline": 4, "group": 4, "global_batch": 8}, "group = 4 microbatches in a row need the schedule"),
        ({"pipeline": 20, "global_batch": 20}, "20 stages are more than 16 layers and the embeddings"),
        (
            {"pipeline": 2, "shard": 3},
            "fully sharded weights (shard = 3) and pipeline stages are not planned",
        ),
        ({"expert": 2, "data": 2, "global_batch": 4}, "no experts"),
    ],
)
def test_a_mesh_that_does_not_divide_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(UserError) as caught:
        training_program(SMALL, Parallelism(**{"global_batch": 4, **changes}), cluster("h100x64"))  # type: ignore[arg-type]
    assert said in str(caught.value)


def test_a_mesh_and_a_cluster_have_to_fit() -> None:
    with pytest.raises(DoesNotFit, match="the mesh takes 16 GPUs, and 'h100x8' has 8: 8 too few"):
        training_program(SMALL, Parallelism(tensor=8, data=2, global_batch=4), cluster())
    with pytest.raises(
        UserError, match=r"a mesh of 3 GPUs \(replica = 3\) does not divide the 8 GPUs of 'h100x8'"
    ):
        training_program(SMALL, Parallelism(data=3, global_batch=3), cluster())


MOE = TransformerShape(
    "moe", 4, 256, 512, 8, 8, 1024, 256, gated=True, bias=False, tied=False, experts=8, top_k=2
)


def test_experts_are_exchanged_within_their_group() -> None:
    plan = Parallelism(data=8, expert=4, global_batch=8)
    program = training_program(MOE, plan, cluster())
    verify(program)
    exchanged = {
        (axes, bytes): n
        for (kind, axes, bytes), n in census(program).collectives.items()
        if kind == "all_to_all"
    }
    tokens = MOE.sequence * MOE.top_k * MOE.hidden * 2
    counts = 8 * MOE.experts
    assert exchanged == {
        (("expert",), tokens): 4 * MOE.layers,  # there and back, forward and backward
        (("expert",), counts): MOE.layers,
    }


def test_serving_reads_each_weight_once_a_step() -> None:
    shape = replace(TINY, hidden=1024, ffn=4096, heads=8, kv_heads=8, head_dim=128, vocab=32768)
    program = serving_program(shape, Serving("decode", 1, 128), cluster())
    verify(program)
    products = [k for (_, k), n in census(program).kernels.items() for _ in range(n) if isinstance(k, Gemm)]
    read = sum(k.k * k.n for k in products)
    norms = (2 * shape.layers + 1) * shape.hidden
    assert read == shape.parameters - norms - shape.vocab * shape.hidden


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (Serving("decode", 4, 64, tensor=3), "4 heads do not divide by tensor = 3"),
        (Serving("decode", 3, 64, expert=2), "3 sequences of a batch do not divide by expert = 2"),
        (Serving("decode", 4, 64, expert=2), "'tiny' has no experts to share out over expert = 2"),
        (Serving("decode", 4, 64, pipeline=5), "5 stages are more than the 4 layers"),
    ],
)
def test_a_serving_plan_that_cannot_be_is_refused(plan: Serving, said: str) -> None:
    with pytest.raises(UserError) as caught:
        serving_program(TINY, plan, cluster())
    assert said in str(caught.value)


@pytest.mark.parametrize(("shard", "regather", "shares"), [(0, False, 1), (1, True, 1), (1, False, 2)])
def test_the_ends_of_a_pipeline_exchange_the_gradient_of_a_tied_embedding(
    shard: int, regather: bool, shares: int
) -> None:
    """Whole, or a share where replicas have shared it out before."""
    plan = Parallelism(pipeline=4, data=2, global_batch=8, shard=shard, regather=regather)
    found = training_program(SMALL, plan, cluster())
    for stage, ranks in enumerate(found.classes):
        sent = {i.bytes for i in ranks.body if isinstance(i, Send) and i.channel == "embedding"}
        assert sent == ({4 * SMALL.vocab * SMALL.hidden // shares} if stage in (0, 3) else set())
    untied = training_program(replace(SMALL, tied=False), plan, cluster())
    assert all(getattr(i, "channel", "") != "embedding" for ranks in untied.classes for i in ranks.body)
