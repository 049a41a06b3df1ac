"""How gradients are added and which collectives stay in the open, by the settings of a plan."""

from dataclasses import replace

from wsc.backends.gpu_cluster.clusters import cluster_named
from wsc.backends.gpu_cluster.instructions import Communicate, Launch
from wsc.backends.gpu_cluster.kernels import Gemm, Pointwise
from wsc.backends.gpu_cluster.simulate.run import simulate_program
from wsc.backends.gpu_cluster.transformer.layer import LayerWriter
from wsc.backends.gpu_cluster.transformer.shape import Parallelism, TransformerShape
from wsc.backends.gpu_cluster.transformer.training import training_program

SHAPE = TransformerShape("small", 4, 1024, 4096, 16, 16, 32000, 1024)
PLAN = Parallelism(tensor=8, micro_batch=2, global_batch=4)


def test_gradients_are_added_by_the_product_or_by_a_kernel_after_it() -> None:
    fused, apart = (
        LayerWriter(SHAPE, replace(PLAN, fused_accumulation=flag)).backward() for flag in (True, False)
    )
    launches = [i for i in fused if isinstance(i, Launch) and i.label.endswith("weight_gradient")]
    assert launches
    assert all(isinstance(i.kernel, Gemm) and i.kernel.accumulate for i in launches)
    sums = [i for i in apart if isinstance(i, Launch) and i.label.startswith("accumulate.")]
    assert len(sums) == len(launches)
    elements = launches[0].kernel.m * launches[0].kernel.n  # type: ignore[union-attr]
    assert sums[0].kernel == Pointwise((2 + 4) * elements, 4 * elements)


def test_sums_of_a_tensor_group_stay_in_the_open_where_the_plan_says_so() -> None:
    hidden, open_ = (
        [
            i.event
            for i in LayerWriter(SHAPE, replace(PLAN, overlap_sums=flag)).backward()
            if isinstance(i, Communicate)
        ]
        for flag in (True, False)
    )
    assert hidden.count("inputs") == open_.count("inputs") == 2
    assert (hidden.count("sums"), open_.count("sums")) == (2, 0)


def test_what_is_hidden_takes_less_time() -> None:
    cluster = cluster_named("h100x8")
    seconds = [
        simulate_program(training_program(SHAPE, replace(PLAN, **settings), cluster), cluster).seconds
        for settings in ({}, {"overlap_sums": False}, {"overlap_tensor": False})
    ]
    assert seconds == sorted(seconds)
    apart = training_program(SHAPE, replace(PLAN, fused_accumulation=False), cluster)
    assert simulate_program(apart, cluster).seconds > seconds[0]
