"""Plans: exact choices against brute force, bounds that hold, refusals that say by how much."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compiler.golden import check
from tests.compiler.graphs import graph
from tests.gpu_cluster.programs import LLAMA_405B, SMALL, cluster
from wsc.backends.gpu_cluster.facts import plan_facts
from wsc.backends.gpu_cluster.plan.assign import cheapest
from wsc.backends.gpu_cluster.plan.graph_plan import MeshSize, make_plan, room
from wsc.backends.gpu_cluster.plan.split import split_products
from wsc.backends.gpu_cluster.plan.training import (
    FINALISTS,
    Wish,
    _searched,
    candidates,
    chosen_facts,
    plan_training,
)
from wsc.backends.gpu_cluster.plan.training_cost import TrainingCost, floor_seconds
from wsc.backends.gpu_cluster.simulate.run import simulate_program
from wsc.backends.gpu_cluster.transformer.training import training_program
from wsc.compiler.errors import DoesNotFit, UserError
from wsc.compiler.ops import Contract

ERRORS = Path(__file__).parent / "golden"


@st.composite
def choices(draw: st.DrawFn) -> tuple[list[np.ndarray], dict[tuple[int, int], np.ndarray]]:  # type: ignore[type-arg]
    sizes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=6))
    costs = st.integers(0, 9)
    single = [np.array(draw(st.lists(costs, min_size=n, max_size=n)), float) for n in sizes]
    pairs = {}
    for u in range(len(sizes)):
        for v in range(u + 1, len(sizes)):
            if draw(st.booleans()):
                count = sizes[u] * sizes[v]
                table = draw(st.lists(costs, min_size=count, max_size=count))
                pairs[u, v] = np.array(table, float).reshape(sizes[u], sizes[v])
    return single, pairs


@given(choices())
def test_no_choice_is_cheaper(case: tuple[list[np.ndarray], dict[tuple[int, int], np.ndarray]]) -> None:  # type: ignore[type-arg]
    single, pairs = case

    def cost(chosen: tuple[int, ...]) -> float:
        own = sum(float(table[chosen[v]]) for v, table in enumerate(single))
        return own + sum(float(table[chosen[u], chosen[v]]) for (u, v), table in pairs.items())

    every = product(*(range(len(table)) for table in single))
    assert cost(tuple(cheapest(single, pairs))) == min(cost(chosen) for chosen in every)


def test_a_product_that_is_taken_apart_becomes_products() -> None:
    found = split_products(
        graph(
            "%x = input(index=0) : f32[4,8]",
            "%w = parameter(key='w') : f32[24,8]",
            "%b = parameter(key='b') : f32[1,24]",
            "%y = contract(equation='ak,nk->an', windows=()) %x %w : f32[4,24]",
            "%z = elementwise(fn='add', scalars=(None, None)) %y %b : f32[4,24]",
            "%q = slice(dim=1, start=0, stop=8, step=1) %z : f32[4,8]",
            "%k = slice(dim=1, start=8, stop=24, step=1) %z : f32[4,16]",
            "return %q %k",
        )
    )
    shapes = [node.type.shape for node in found.nodes if isinstance(node.op, Contract)]
    assert shapes == [(4, 8), (4, 16)]
    assert {found[name].type.shape for name in found.outputs} == {(4, 8), (4, 16)}


def test_a_product_that_something_else_reads_stays() -> None:
    lines = (
        "%x = input(index=0) : f32[4,8]",
        "%w = parameter(key='w') : f32[24,8]",
        "%y = contract(equation='ak,nk->an', windows=()) %x %w : f32[4,24]",
        "%q = slice(dim=1, start=0, stop=8, step=1) %y : f32[4,8]",
        "return %q %y",
    )
    assert split_products(graph(*lines)) == graph(*lines)


def large(rows: int) -> tuple[str, ...]:
    return (
        "%x = input(index=0) : bf16[1,8192]",
        f"%w = parameter(key='w') : bf16[{rows},8192]",
        f"%y = contract(equation='ak,nk->an', windows=()) %x %w : bf16[1,{rows}]",
        "return %y",
    )


def test_a_graph_that_one_gpu_holds_is_not_cut_for_memory_alone() -> None:
    plan = make_plan(graph(*large(8)), cluster())
    assert plan.mesh == MeshSize(8, 1, 1)


def test_a_graph_too_large_for_a_gpu_is_cut() -> None:
    rows = 16 * room(cluster()) // 2 // 8192 // 10
    plan = make_plan(graph(*large(rows - rows % 8)), cluster())
    assert plan.mesh.tensor == 8
    assert plan.estimate.memory_bytes <= room(cluster())
    assert "tensor=8" not in dict(plan_facts(plan))["runner-up 1"]


def test_a_graph_too_large_for_all_is_refused_by_how_much() -> None:
    rows = 2 * 8 * room(cluster()) // 2 // 8192
    with pytest.raises(DoesNotFit) as caught:
        make_plan(graph(*large(rows - rows % 8)), cluster())
    check(str(ERRORS / "graph_too_large.txt"), f"{caught.value}\n")


def test_a_mesh_has_to_divide_the_cluster() -> None:
    with pytest.raises(UserError) as caught:
        make_plan(graph(*large(1024)), cluster(), MeshSize(1, 1, 3))
    check(str(ERRORS / "mesh_does_not_divide.txt"), f"{caught.value}\n")


WISH = Wish(global_batch=16, micro_batches=(1, 2), contexts=(1,), recompute=("none",))


def test_the_search_leaves_out_nothing_that_the_estimate_likes() -> None:
    cost = TrainingCost(SMALL, cluster())
    plans = list(candidates(SMALL, 8, 8, WISH))
    found, estimated, too_large, bounded = _searched(cost, plans)
    every = sorted(cost.seconds(plan) for plan in plans if cost.bytes(plan) <= room(cluster()))
    assert [estimate for estimate, _ in found] == every[:FINALISTS]
    assert estimated + too_large + bounded == len(plans)


def test_the_bound_is_below_estimate_and_simulation() -> None:
    cost = TrainingCost(SMALL, cluster())
    for plan in list(candidates(SMALL, 8, 8, WISH))[::40]:
        floor = floor_seconds(cost, plan)
        assert floor <= cost.seconds(plan)
        assert floor <= simulate_program(training_program(SMALL, plan, cluster()), cluster()).seconds


def test_memory_is_reckoned_as_the_program_holds_it() -> None:
    cost = TrainingCost(SMALL, cluster())
    for plan in list(candidates(SMALL, 8, 8, WISH))[::25]:
        trace = simulate_program(training_program(SMALL, plan, cluster()), cluster())
        held = max(r.peak_bytes for r in trace.ranks)
        assert 0.99 * held <= cost.bytes(plan) <= 1.15 * held  # rather too much: what fits here fits there


def test_the_best_plan_is_best_of_those_simulated() -> None:
    chosen = plan_training(SMALL, cluster(), WISH)
    assert all(chosen.best.trace.seconds <= other.trace.seconds for other in chosen.others)
    facts = dict(chosen_facts(chosen))
    assert "% longer (kernels " in facts["runner-up 1"]
    assert plan_training(SMALL, cluster(), WISH) == chosen


def test_a_model_too_large_for_any_plan_says_by_how_much_and_what_would_fit() -> None:
    wish = replace(WISH, global_batch=128, micro_batches=(1,), recompute=("full",))
    with pytest.raises(DoesNotFit) as caught:
        plan_training(LLAMA_405B, cluster(), wish)
    check(str(ERRORS / "model_too_large.txt"), f"{caught.value}\n")


def test_a_batch_that_no_mesh_divides_is_refused() -> None:
    odd = replace(SMALL, name="odd", heads=5, kv_heads=5, hidden=1285, layers=1, ffn=7)
    with pytest.raises(
        UserError, match="no mesh of the 8 GPUs of 'h100x8' divides 'odd' with 3 sequences a step"
    ):
        plan_training(odd, cluster(), Wish(3, contexts=(1,)))
