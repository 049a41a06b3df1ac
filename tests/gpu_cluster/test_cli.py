"""The command line on clusters: any number of GPUs by name, code written, mistakes told."""

import json
from pathlib import Path

import pytest

from tests.cli.shell import Ran, wsc
from tests.compiler.golden import check

GOLDEN = Path(__file__).parent / "golden"
MODEL = """import torch
from torch import nn


def model():
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))


def example_inputs():
    return (torch.ones(2, 8),)
"""
CLUSTERS = {
    "unknown_gpu": 'target = "gpu_cluster"\ngpu = "h1000"\ngpus = 8\n',
    "missing_links": 'target = "gpu_cluster"\ngpu = "h100"\ngpus = 64\n'
    '[[tiers]]\nname = "leaf"\nswitches = 2\nports = 64\ndown_ports = 32\nup_ports = 0\n',
    "unknown_straggler": 'target = "gpu_cluster"\ngpu = "h100"\ngpus = 8\n[stragglers]\n3 = 1.5\n8 = 2\n',
    "straggler_without_time": 'target = "gpu_cluster"\ngpu = "h100"\ngpus = 8\n[stragglers]\n3 = 0\n',
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.py").write_text(MODEL)
    return tmp_path


def golden(name: str, ran: Ran) -> None:
    assert ran.out == ""
    check(str(GOLDEN / f"{name}.txt"), f"{ran.err}exit code {ran.code}\n")


def test_any_number_of_gpus_and_code_for_them(folder: Path) -> None:
    assert wsc("compile", "m.py", "-t", "h100x2").code == 0
    assert wsc("run", "build/m").code == 0
    assert wsc("simulate", "build/m", "-m", "h200x2").code == 0
    assert wsc("emit", "build/m", "--torch").code == 0
    files = sorted(path.name for path in Path("build/m/torch").iterdir())
    assert files == ["plan.json", "run_torch.py", "schedule.csv"]
    golden("emit_nothing", wsc("emit", "build/m"))


def test_code_of_another_target_is_refused(folder: Path) -> None:
    assert wsc("compile", "m.py", "-t", "null").code == 0
    golden("emit_another_target", wsc("emit", "build/m", "--torch"))


@pytest.mark.parametrize("name", CLUSTERS)
def test_a_cluster_file_that_is_wrong(folder: Path, name: str) -> None:
    Path("c.toml").write_text(CLUSTERS[name])
    golden(name, wsc("compile", "m.py", "-t", "c.toml"))


def test_a_timeline_of_ranks_is_written(folder: Path) -> None:
    assert wsc("compile", "m.py", "-t", "h100x2").code == 0
    assert wsc("trace", "build/m", "--format", "json").code == 0
    events = json.loads(Path("build/m/timeline.json").read_text())["traceEvents"]
    assert {event["name"] for event in events if event["ph"] == "X"}
    named = [event["args"]["name"] for event in events if event["ph"] == "M"]
    assert "compute" in named
    assert any("rank 0" in name for name in named)
