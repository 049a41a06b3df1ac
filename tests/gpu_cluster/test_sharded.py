"""Fully sharded weights: gathered by units as FSDP does, or by matrices in lists as DeepSpeed did in 2021."""

from dataclasses import replace

import pytest

from tests.gpu_cluster.programs import SMALL, cluster, product, program
from wsc.backends.gpu_cluster.census import take_census
from wsc.backends.gpu_cluster.clusters import cluster_named
from wsc.backends.gpu_cluster.instructions import Host, Wait
from wsc.backends.gpu_cluster.simulate.run import simulate_program
from wsc.backends.gpu_cluster.text import parse_program, print_program
from wsc.backends.gpu_cluster.transformer.shape import Parallelism
from wsc.backends.gpu_cluster.transformer.training import training_program
from wsc.backends.gpu_cluster.verify import verify
from wsc.compiler.errors import UserError

BY_MATRIX = Parallelism(
    data=8, global_batch=8, shard=3, gather="matrix", overlap_data=False, recompute="full", gradient_bytes=2
)


def test_each_matrix_is_gathered_by_itself_and_the_last_one_recomputed_is_kept() -> None:
    found = training_program(SMALL, BY_MATRIX, cluster())
    verify(found)
    census = take_census(found, found.classes[0].body)
    moved = {"all_gather": 0, "reduce_scatter": 0}
    count = {"all_gather": 0, "reduce_scatter": 0}
    for (kind, _, bytes), n in census.collectives.items():
        if kind in moved:
            moved[kind] += n * bytes
            count[kind] += n
    layer, embedding = 12 * SMALL.hidden**2, SMALL.vocab * SMALL.hidden
    down = 4 * SMALL.hidden**2
    vectors = SMALL.layers * 13 * SMALL.hidden + 2 * SMALL.hidden  # norms and biases, which stay whole
    number = 8 * SMALL.layers + 2
    assert moved["reduce_scatter"] == 2 * (SMALL.layers * layer + 2 * embedding + vectors)
    assert moved["all_gather"] == 2 * (SMALL.layers * (3 * layer - down) + 4 * embedding + vectors)
    assert count == {"all_gather": 11 * SMALL.layers + 5, "reduce_scatter": 4 * SMALL.layers + 2 + number}
    copies, parts = (
        sum(n for (label, _), n in census.kernels.items() if label.endswith(end))
        for end in (".copy", ".part")
    )
    assert copies == 8 * (count["all_gather"] + count["reduce_scatter"])
    assert parts == 8 * number


def test_its_text_reads_back() -> None:
    found = training_program(SMALL, BY_MATRIX, cluster())
    assert "host(operations=16)" in print_program(found)
    assert parse_program(print_program(found)) == found


def test_the_host_holds_up_kernels_unless_they_are_in_a_graph() -> None:
    body = (Host(1000),)
    eager = replace(program({"data": 8}, body), graphs=False)
    assert simulate_program(eager, cluster()).seconds == 1000 * cluster().gpu.view_seconds
    assert simulate_program(replace(eager, graphs=True), cluster()).seconds == 0


def test_the_host_on_a_stream_of_its_own_runs_beside_kernels() -> None:
    work = (Host(1000, stream="host", event="ready"), product(), Wait(("ready",)))
    alone, host = (
        simulate_program(replace(program({"data": 8}, body), graphs=False), cluster()).seconds
        for body in ((product(),), (Host(1000),))
    )
    both = simulate_program(replace(program({"data": 8}, work), graphs=False), cluster()).seconds
    assert both == max(alone, host) < alone + host


def test_lists_cost_the_more_the_more_ranks_there_are() -> None:
    """As many sequences a rank, twice and four times as many ranks: units cost what they did, lists ever more."""

    def seconds(ranks: int, gather: str) -> float:
        plan = replace(BY_MATRIX, data=ranks, global_batch=ranks, gather=gather)  # type: ignore[arg-type]
        cluster = cluster_named(f"a100x{ranks}")
        return simulate_program(training_program(SMALL, plan, cluster), cluster).seconds

    units, lists = ([seconds(ranks, gather) for ranks in (32, 64, 128)] for gather in ("unit", "matrix"))
    assert all(a < b for a, b in zip(units, lists, strict=True))
    assert (lists[2] - lists[1]) / (lists[1] - lists[0]) == pytest.approx(2, rel=0.2)
    assert lists[2] - lists[1] > 3 * (units[2] - units[1])


@pytest.mark.parametrize("change", [{"shard": 2}, {"overlap_data": True}])
def test_gathers_by_matrix_are_refused_where_they_are_not_written(change: dict[str, object]) -> None:
    with pytest.raises(UserError, match="weights are gathered matrix by matrix"):
        training_program(SMALL, replace(BY_MATRIX, **change), cluster())  # type: ignore[arg-type]
