"""Times of collectives: NCCL's choices within a domain, rings, trees and hierarchies across domains, bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsc.backends.gpu_cluster.clusters import cluster_named
from wsc.backends.gpu_cluster.kernels import Collective, CollectiveKind
from wsc.backends.gpu_cluster.machine import Cluster
from wsc.backends.gpu_cluster.simulate.collectives import collective_seconds
from wsc.backends.gpu_cluster.simulate.domain import domain_choice
from wsc.backends.gpu_cluster.simulate.tuner import chosen_protocol

KINDS: tuple[CollectiveKind, ...] = ("all_reduce", "all_gather", "reduce_scatter", "all_to_all", "broadcast")
MEBIBYTE = 2**20


def pod() -> Cluster:
    return cluster_named("h100x1024")


@pytest.mark.parametrize(("ranks", "switch"), [(2, int(1.27e6)), (4, int(1.88e6)), (8, int(2.73e6))])
def test_nccl_leaves_the_low_latency_protocol_where_its_tuner_says(ranks: int, switch: int) -> None:
    """The sizes at which NCCL 2.27's own prediction changes on an A100; measured times jump there."""
    gpu = cluster_named("a100x8").gpu
    assert chosen_protocol(gpu, int(0.98 * switch), ranks, 1) == ("ring", "ll")
    assert chosen_protocol(gpu, int(1.02 * switch), ranks, 1)[1] != "ll"


def test_the_switch_reduces_only_where_it_can() -> None:
    size = 64 * MEBIBYTE
    for cluster, ranks, algorithm in (("h100x8", 8, "nvls"), ("h100x8", 2, "ring"), ("a100x8", 8, "ring")):
        collective = Collective("all_reduce", size, tuple(range(ranks)))
        assert collective_seconds(collective, cluster_named(cluster)).algorithm == algorithm


@given(
    kind=st.sampled_from(KINDS),
    size=st.integers(1, 2**31),
    ranks=st.sampled_from([(0, 1), tuple(range(8)), tuple(range(0, 1024, 8)), tuple(range(64))]),
)
def test_no_collective_beats_its_links(kind: CollectiveKind, size: int, ranks: tuple[int, ...]) -> None:
    cluster = pod()
    span = cluster.span(ranks)
    found = collective_seconds(Collective(kind, size, ranks), cluster)
    link = cluster.gpu.nvlink_bytes_per_second
    if span.domains > 1:
        link = min(link, cluster.system.nic_bytes_per_second * span.ranks_per_domain)
    crossing = (
        1 if kind == "broadcast" else (span.ranks - span.ranks_per_domain or span.ranks - 1) / span.ranks
    )
    assert found.seconds > crossing * size / link
    assert 0 < found.sm_share < 0.3
    assert 0 <= found.hbm_share <= 1


@given(kind=st.sampled_from(KINDS), size=st.integers(1, 2**30), share=st.floats(0.1, 1.0))
def test_contention_never_helps(kind: CollectiveKind, size: int, share: float) -> None:
    collective = Collective(kind, size, tuple(range(0, 256, 8)))
    alone, crowded = (collective_seconds(collective, pod(), part).seconds for part in (1.0, share))
    assert crowded >= alone


@pytest.mark.parametrize("kind", KINDS)
def test_more_bytes_across_domains_are_never_faster(kind: CollectiveKind) -> None:
    ranks = tuple(range(0, 512, 8))
    times = [collective_seconds(Collective(kind, 2**power, ranks), pod()).seconds for power in range(8, 32)]
    assert times == sorted(times)


def test_small_sums_climb_a_tree_and_large_ones_go_round_a_ring() -> None:
    ranks = tuple(range(0, 256, 8))
    small, large = (
        collective_seconds(Collective("all_reduce", size, ranks), pod()) for size in (4096, 2**31)
    )
    assert (small.algorithm, large.algorithm) == ("tree", "ring")
    assert (small.protocol, large.protocol) == ("ll", "simple")


def test_a_group_of_whole_domains_uses_all_their_ports() -> None:
    """Eight GPUs a node have eight ports: a gather over nodes is faster than on one rail by about that."""
    size = 2**31
    rail = collective_seconds(Collective("all_gather", size, tuple(range(0, 512, 8))), pod())
    whole = collective_seconds(Collective("all_gather", size, tuple(range(512))), pod())
    assert 6 < rail.seconds / whole.seconds < 8.5


def test_a_far_message_takes_the_switches_longer() -> None:
    cluster = cluster_named("h100x16384")
    near, far = (collective_seconds(Collective("send", 1, (0, rank)), cluster).seconds for rank in (8, 16376))
    assert far - near == pytest.approx(4 * cluster.system.switch_latency_seconds)


def test_one_shot_serves_small_sums_only() -> None:
    gpu = cluster_named("h100x8").gpu
    small, large = (
        domain_choice(Collective("all_reduce", size, tuple(range(8)), one_shot=True), gpu)
        for size in (16384, 64 * MEBIBYTE)
    )
    assert (small.algorithm, large.algorithm) == ("one_shot", "nvls")
    plain = domain_choice(Collective("all_reduce", 16384, tuple(range(8))), gpu)
    assert small.seconds < plain.seconds / 3


def test_nothing_takes_no_time() -> None:
    for collective in (Collective("all_reduce", 0, (0, 1)), Collective("all_gather", 8, (3,))):
        assert collective_seconds(collective, pod()).seconds == 0.0


def test_groups_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="over ranks"):
        Collective("all_reduce", 8, (0, 0))
    with pytest.raises(ValueError, match="two ranks"):
        Collective("send", 8, (0, 1, 2))
    with pytest.raises(ValueError, match="over rank 1024 of 1024 GPUs"):
        collective_seconds(Collective("send", 8, (0, 1024)), pod())
