"""GPUs and clusters: data files, patterns, topology, and what is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsc.backends.gpu_cluster.clusters import (
    HERE,
    cluster_named,
    cluster_sized,
    gpu_names,
    read_cluster,
    shipped,
)
from wsc.backends.gpu_cluster.constants import MOST_A_GPU, Calibration
from wsc.backends.gpu_cluster.kernels import Precision
from wsc.backends.gpu_cluster.topology.tiers import Tier, fat_tree, tier_fault
from wsc.compiler.errors import MachineError


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_shipped_cluster_reads_as_its_name_says(name: str) -> None:
    cluster = read_cluster(shipped()[name])
    assert cluster == cluster_named(name)
    gpu = cluster.gpu
    assert gpu.peak(Precision.BF16) > gpu.peak(Precision.TF32) > gpu.peak(Precision.FP32)
    assert gpu.power.idle_watts < gpu.power.memory_bound_watts <= gpu.power.tdp_watts


def test_a_gpu_has_at_most_ten_constants() -> None:
    assert len(Calibration.model_fields) <= MOST_A_GPU == 10


def test_names_by_the_pattern_count_racks_where_gpus_come_in_racks() -> None:
    assert cluster_named("h100x1536").gpus == 1536
    racks = cluster_named("gb200-nvl72x4")
    assert racks.gpus == 288
    assert racks.level((0, 71)) == "nvlink"
    assert racks.level((0, 72)) != "nvlink"


def test_the_x_of_a_gpu_s_own_name_is_written_once() -> None:
    assert cluster_named("mi300x8").gpu.name == "mi300x"
    assert cluster_named("mi300x16").gpus == cluster_named("mi300xx16").gpus == 16


def test_a_cluster_may_have_some_figures_of_its_own() -> None:
    """Selene's ports gave what its authors measured; another cluster of A100 is taken as any other."""
    selene, other = cluster_sized("selene", 64), cluster_named("a100x64")
    assert (selene.gpus, selene.tiers) == (64, other.tiers)
    assert selene.system == other.system.model_copy(update={"nic_efficiency": 0.5})
    assert other.system.nic_efficiency > 0.9


def test_a_superpod_of_16384_has_the_switches_that_its_maker_states() -> None:
    tiers = cluster_named("h100x16384").tiers
    assert [(tier.name, tier.switches) for tier in tiers] == [("leaf", 512), ("spine", 512), ("core", 256)]
    assert fat_tree(16384, 64) == tiers  # the file and the pattern agree


def test_rails_meet_in_a_leaf_and_other_gpus_in_a_spine() -> None:
    cluster = cluster_named("h100x1024")
    assert cluster.level((0, 8, 16)) == "leaf"
    assert cluster.level((0, 9)) == "spine"
    assert cluster.level((0, 8 * 40)) == "spine"  # another unit
    assert cluster_named("h100x16384").level((0, 16376)) == "core"
    assert cluster.level((0, 1)) == "nvlink"
    assert cluster.level((5,)) == "rank"


def test_a_path_starts_and_ends_at_the_ports_and_crosses_the_trunks_of_its_level() -> None:
    cluster = cluster_named("h100x16384")
    names = [link.name for link in cluster.path(0, 16376)]
    assert names == [
        *("gpu0.nic.out", "leaf0.up", "pod0.up"),
        *("pod15.down", "leaf504.down", "gpu16376.nic.in"),
    ]
    assert len(cluster.path(0, 8)) == 2
    assert [link.name for link in cluster.path(0, 1)] == ["gpu0.nvlink.out", "gpu1.nvlink.in"]
    assert cluster.path(3, 3) == ()


def test_more_switches_take_longer() -> None:
    cluster = cluster_named("h100x16384")
    seconds = [cluster.latency_seconds(0, rank) for rank in (1, 8, 9, 16376)]
    assert seconds[0] == 0.0
    assert seconds == sorted(set(seconds))


@given(ends=st.integers(1, 16384), ports=st.sampled_from([16, 32, 40, 64]))
def test_a_fat_tree_joins_all_ends_or_is_refused(ends: int, ports: int) -> None:
    if ends > (ports // 2) ** 2 * ports:
        with pytest.raises(ValueError, match="three tiers"):
            fat_tree(ends, ports)
        return
    tiers = fat_tree(ends, ports)
    assert tier_fault(tiers, ends) == ""
    assert all(tier.down_ports + tier.up_ports <= ports for tier in tiers)


def test_a_tree_with_missing_links_is_told() -> None:
    leaf = Tier(name="leaf", switches=4, ports=64, down_ports=32, up_ports=32)
    few = Tier(name="spine", switches=1, ports=64, down_ports=64, up_ports=0)
    assert (
        tier_fault((leaf, few), 128)
        == "64 of 128 up-links of the leaf switches have no link to a spine switch"
    )
    assert "lead nowhere" in tier_fault((leaf,), 128)
    assert "32 of 160 ports of GPUs" in tier_fault((leaf, few), 160)
    assert "uses 48 down and 32 up" in tier_fault((leaf.model_copy(update={"down_ports": 48}), few), 128)
    assert "belongs" in tier_fault((few,), 1)


def test_the_slowest_of_many_is_slower_than_of_few() -> None:
    gpu = cluster_named("h100x8").gpu
    paces = [gpu.slowest(count) for count in (1, 8, 64, 512, 16384)]
    assert paces[0] == 1.0
    assert paces == sorted(set(paces))
    assert paces[-1] < 1.1


ERRORS = {
    "unknown": (
        'target = "gpu_cluster"\ngpu = "h10"\ngpus = 8\n',
        "names an unknown GPU, 'h10'. Did you mean 'h100'?",
    ),
    "missing": ('target = "gpu_cluster"\ngpu = "h100"\n', "gpus: Field required"),
    "links": (
        'target = "gpu_cluster"\ngpu = "h100"\ngpus = 128\n'
        '[[tiers]]\nname = "leaf"\nswitches = 4\nports = 64\ndown_ports = 32\nup_ports = 32\n'
        '[[tiers]]\nname = "spine"\nswitches = 1\nports = 64\ndown_ports = 64\nup_ports = 0\n',
        "64 of 128 up-links of the leaf switches have no link to a spine switch",
    ),
    "too-many": (
        'target = "gpu_cluster"\ngpu = "h100"\ngpus = 70000\n',
        "three tiers of switches with 64 ports",
    ),
    "source": (
        'target = "gpu_cluster"\ngpu = "h100"\ngpus = 16\n[system]\nnode_gpus = 8\n',
        "system.node_gpus: expected { value = ..., source",
    ),
    "broken": ("gpus = = 8\n", "cannot read the machine file"),
}


@pytest.mark.parametrize("what", sorted(ERRORS))
def test_a_bad_file_is_told_what_is_wrong(what: str, tmp_path: Path) -> None:
    text, message = ERRORS[what]
    path = tmp_path / f"{what}.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MachineError) as error:
        read_cluster(path)
    assert message in str(error.value)


def test_a_name_that_is_no_pattern_is_told_the_gpus() -> None:
    with pytest.raises(MachineError, match=f"with a GPU of {', '.join(gpu_names())}"):
        cluster_named("v100x8")


def test_a_gpu_without_a_precision_says_so() -> None:
    with pytest.raises(ValueError, match="a100 has no fp8 products"):
        cluster_named("a100x8").gpu.peak(Precision.FP8)


def test_an_oversubscribed_tier_leaves_less(tmp_path: Path) -> None:
    path = tmp_path / "thin.toml"
    path.write_text(
        'target = "gpu_cluster"\ngpu = "h100"\ngpus = 512\n'
        '[[tiers]]\nname = "leaf"\nswitches = 16\nports = 64\ndown_ports = 32\nup_ports = 16\n'
        '[[tiers]]\nname = "spine"\nswitches = 4\nports = 64\ndown_ports = 64\nup_ports = 0\n',
        encoding="utf-8",
    )
    thin = read_cluster(path)
    assert thin.tier_share("spine") == 0.5
    assert thin.tier_share("leaf") == cluster_named("h100x512").tier_share("spine") == 1.0


def test_a_file_may_describe_a_gpu_of_its_own(tmp_path: Path) -> None:
    """The shipped figures of the H100, written into one file, with more memory."""
    figures = (HERE / "gpus" / "h100.toml").read_text(encoding="utf-8")
    constants = (HERE / "calibration" / "h100.toml").read_text(encoding="utf-8")
    own = figures.replace('name = "h100"', 'name = "mine"').replace("85_520_809_984", "100_000_000_000")
    path = tmp_path / "own.toml"
    path.write_text(
        f'target = "gpu_cluster"\ngpus = 16\n{own}\n[gpu.calibration]\n{constants}', encoding="utf-8"
    )
    cluster = read_cluster(path)
    shipped_gpu = cluster_named("h100x16").gpu
    assert (cluster.gpu.name, cluster.gpu.hbm_bytes) == ("mine", 10**11)
    assert cluster.gpu.calibration == shipped_gpu.calibration
    assert cluster.gpu.common == shipped_gpu.common
    assert cluster.tiers == cluster_named("h100x16").tiers
