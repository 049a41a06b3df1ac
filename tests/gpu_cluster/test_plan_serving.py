"""Plans of serving: targets and memory kept, the split of GPUs the best there is; refusals that say what is missing."""

from dataclasses import replace
from functools import cache

import pytest

from tests.gpu_cluster.programs import LLAMA_405B, SMALL, cluster
from wsc.backends.gpu_cluster.plan.graph_plan import room
from wsc.backends.gpu_cluster.plan.serving import Demand, ServingPlan, plan_serving, serving_facts
from wsc.compiler.errors import DoesNotFit, UserError

DEMAND = Demand(512, 128, first_seconds=0.05, next_seconds=0.005)


@cache
def planned(demand: Demand = DEMAND) -> ServingPlan:
    return plan_serving(SMALL, cluster(), demand)


def test_targets_and_memory_are_kept() -> None:
    plan = planned()
    assert plan.prefill.seconds <= DEMAND.first_seconds
    assert plan.decode.seconds <= DEMAND.next_seconds
    assert max(plan.prefill.memory_bytes, plan.decode.memory_bytes) <= room(cluster())
    used = plan.prefill_replicas * plan.prefill.plan.ranks + plan.decode_replicas * plan.decode.plan.ranks
    assert used <= cluster().gpus


def test_a_tighter_target_never_serves_more() -> None:
    tight = replace(DEMAND, next_seconds=planned().decode.seconds * 0.9)
    assert planned(tight).requests_per_second <= planned().requests_per_second


def test_another_split_of_the_gpus_serves_no_more() -> None:
    plan = planned()
    for ahead in range(1, cluster().gpus):
        behind = (cluster().gpus - ahead * plan.prefill.plan.ranks) // plan.decode.plan.ranks
        if behind > 0:
            other = replace(plan, prefill_replicas=ahead, decode_replicas=behind)
            assert other.requests_per_second <= plan.requests_per_second


def test_runners_up_say_what_they_lose() -> None:
    assert "requests a GPU" in dict(serving_facts(planned()))["decode, runner-up 1"]


def test_a_target_that_none_meets_names_the_fastest() -> None:
    with pytest.raises(
        UserError, match=r"makes 'small' answer within 0.001 ms in decode: the fastest takes \d"
    ):
        planned(replace(DEMAND, next_seconds=1e-6))


def test_a_model_too_large_says_by_how_much() -> None:
    with pytest.raises(
        DoesNotFit, match=r"'llama-3-405b' does not fit 'h100x8': .* more than .* No fewer than 11 of"
    ):
        plan_serving(LLAMA_405B, cluster(), DEMAND)
