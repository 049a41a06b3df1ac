"""What a user of wafers may get wrong: sizes, regions, schedules, machine files. One sentence each, nothing written."""

import shutil
from pathlib import Path

import pytest

from tests.cli.shell import Ran, wsc
from tests.cli.test_errors import golden

ROOT = Path(__file__).parents[2]
LLAMA = ("llama3_8b.py", "-D", "shape=tiny", "-D", "layers=1")
TINY = (*LLAMA, "-t", "wafer-4x4", "--phase")
STATELESS = """
import torch
from torch import nn

def model(phase="decode"):
    return nn.Linear(8, 8)

def example_inputs(phase="decode"):
    return (torch.ones(2, 8),)
"""

SIZES = {
    "context_beyond_memory": (*TINY, "decode", "--context", "100000", "--grid", "4x4"),
    "batch_of_none": (*TINY, "decode", "--context", "16", "--batch", "0"),
    "batch_below_none": (*TINY, "decode", "--context", "16", "--batch", "-2"),
    "context_of_none": (*TINY, "decode", "--context", "0"),
    "grid_beyond_fabric": (*TINY, "decode", "--context", "16", "--grid", "5x4"),
    "grid_of_one_number": (*TINY, "decode", "--context", "16", "--grid", "4"),
    "schedule_unknown": (*TINY, "decode", "--context", "16", "--schedule", "fast"),
    "wafers_of_streaming": (*TINY, "decode", "--context", "16", "--schedule", "streaming", "--wafers", "2"),
    "serving_streamed": (*TINY, "serve", "--context", "16", "--schedule", "streaming"),
    "serving_elsewhere": (*LLAMA, "-t", "h100x8", "--phase", "serve", "--context", "16"),
    "serving_beyond_memory": (*TINY, "serve", "--context", "2000", "--seq", "8", "--grid", "4x4"),
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes_and_schedules_that_cannot_be(folder: Path, name: str) -> None:
    shutil.copy(ROOT / "samples/llama3_8b.py", ".")
    golden(name, wsc("compile", *SIZES[name]))
    assert not list(folder.glob("build*"))


MACHINE = (ROOT / "backends/wafer/machines/wafer-4x4.toml").read_text(encoding="utf-8")
KEYS = [line.split(" = ")[0] for line in MACHINE.splitlines() if " = {" in line]


def compile_with(folder: Path, key: str, figure: str | None) -> Ran:
    """Compile for a machine in whose file a key has another figure, or is not there."""
    lines = []
    for line in MACHINE.splitlines():
        if line.startswith(f"{key} = ") and figure is None:
            continue
        own = line.startswith(f"{key} = ")
        lines.append(f'{key} = {{ value = {figure}, source = "a test" }}' if own else line)
    Path("mine.toml").write_text("\n".join(lines), encoding="utf-8")
    ran = wsc("compile", "mlp.py", "-t", "mine.toml")
    assert not list(folder.glob("build*"))
    return ran


FIGURES = {
    "clock_below_zero": ("clock_hz", "-1e9"),
    "clock_missing": ("clock_hz", None),
    "clock_without_end": ("clock_hz", "inf"),
    "clock_in_words": ("clock_hz", '"fast"'),
    "link_of_no_bytes": ("link_bytes_per_cycle", "0"),
    "memory_of_half_a_byte": ("sram_bytes", "0.5"),
    "fabric_of_no_columns": ("width_cores", "0"),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_machine_file_with_an_absurd_figure(folder: Path, name: str) -> None:
    golden(name, compile_with(folder, *FIGURES[name]))


@pytest.mark.parametrize("figure", [None, "-1", "nan"])
@pytest.mark.parametrize("key", KEYS)
def test_every_key_of_a_machine_file_is_checked(folder: Path, key: str, figure: str | None) -> None:
    ran = compile_with(folder, key, figure)
    assert (ran.code, ran.out) == (2, "")
    assert key in ran.err
    assert "Traceback" not in ran.err


ALGORITHMS = {
    "cannon_in_groups": ("cannon", "--parts", "4", "--m", "8", "--k", "8", "--n", "8", "--groups", "2"),
    "k_split_of_odd_groups": ("k-split", "--parts", "4", "--m", "8", "--k", "8", "--n", "8", "--groups", "3"),
    "algorithm_beyond_fabric": (
        "summa",
        "--parts",
        "5",
        "--m",
        "8",
        "--k",
        "8",
        "--n",
        "8",
        "-m",
        "wafer-4x4",
    ),
}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_an_algorithm_that_cannot_serve(folder: Path, name: str) -> None:
    golden(name, wsc("algorithm", *ALGORITHMS[name]))
    assert sorted(path.name for path in folder.iterdir()) == ["meta.py", "mlp.py"]


def test_serving_a_model_without_state(folder: Path) -> None:
    Path("plain.py").write_text(STATELESS, encoding="utf-8")
    golden("serving_without_state", wsc("compile", "plain.py", "-t", "wafer-4x4", "--phase", "serve"))
    assert not list(folder.glob("build*"))
