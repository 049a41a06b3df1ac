"""What the commands print and write when all is well."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.main import get_command

import wsc as package
from tests.cli.shell import wsc, wsc_well
from wsc.backends.registry import machine_names
from wsc.cli import app
from wsc.commands.run import relative_error, tolerance

FILES = {
    "examples.npz",
    "report.html",
    "graph.txt",
    "machine.toml",
    "manifest.json",
    "plan.json",
    "program.txt",
    "trace.json",
    "weights.npz",
}


def test_the_version() -> None:
    assert wsc_well("--version").out == f"wsc {package.__version__}\n"


def test_help_lists_every_command_whole() -> None:
    out = wsc_well("--help").out
    for command in ("compile", "run", "simulate", "inspect", "targets"):
        assert re.search(rf"^  {command} +[A-Z].*\.$", out, re.MULTILINE)
    assert "..." not in out.replace("[ARGS]...", "")


def test_compile_run_simulate_inspect(folder: Path) -> None:
    out = wsc_well("compile", "mlp.py", "-t", "wafer-4x4", "-D", "depth=3").out
    assert {path.name for path in Path("build/mlp").iterdir()} == FILES
    assert out.endswith(
        "wrote build/mlp: `wsc run build/mlp` executes it, `wsc inspect build/mlp` draws it\n"
    )
    assert wsc_well("run").out.startswith(
        "mlp: outputs float32[2, 8] equal to PyTorch's\nlargest difference "
    )
    assert "mlp on wafer-4x4" in wsc_well("simulate").out
    assert wsc_well("inspect").out.endswith("wrote build/mlp/maps/energy.png\n")
    assert wsc_well("run", "build/mlp").code == 0  # maps/ make it no less a build
    wsc_well("compile", "mlp.py", "-t", "null")  # and it may be replaced
    assert {path.name for path in Path("build/mlp").iterdir()} == FILES


def test_the_same_command_writes_the_same_bytes(folder: Path) -> None:
    for name in ("one", "two"):
        wsc_well("compile", "mlp.py", "-t", "wafer-4x4", "-o", name)
    for name in FILES:
        assert Path("one", name).read_bytes() == Path("two", name).read_bytes()


def test_the_latest_build_is_meant(build: Path, meta_build: Path) -> None:
    assert wsc_well("simulate", "--json").json["build"] in ("build/mlp", "build/meta")
    wsc_well("compile", "mlp.py", "-t", "null", "-o", "build/newest")
    assert wsc_well("simulate", "--json").json["build"] == "build/newest"


def test_a_factory_of_another_name_and_a_broken_build_in_the_way(folder: Path) -> None:
    Path("two.py").write_text(Path("mlp.py").read_text().replace("def model", "def narrow"))
    Path("build/narrow").mkdir(parents=True)
    Path("build/narrow/manifest.json").write_text("{ broken")
    wsc_well("compile", "two.py:narrow", "-t", "null")
    assert wsc_well("run").out.startswith("narrow: ")


# What is printed


@pytest.mark.parametrize("columns", [80, 100])
def test_the_summary_fits_its_terminal(folder: Path, columns: int) -> None:
    Path("deep.py").write_text(DEEP)
    out = wsc_well("compile", "deep.py", "-t", "wafer-8x8", columns=columns).out
    table, panel = out.split("╭", 1)
    assert max(map(len, out.splitlines()[:-1])) <= columns
    for row in (
        r"layers\.\*\.up  +3  linear  +\d+",
        r"layers\.\*\.down  +3  linear  +\d+",
        r"head  +1  linear  +\d+",
    ):
        assert re.search(row, table), table
    for item in (
        r"latency of one input +[\d,]+ cycles, [\d.]+ µs",
        r"interval between inputs +[\d,]+ cycles, [\d.]+ µs, [\d.]+ k inputs/s",
        r"interval's lower bound +[\d,]+ cycles, [\d.]+ (µs|ns), [\d.]+ % of the interval",
        r"bounded by +\S",
        r"weights +[\d.]+ KiB",
    ):
        assert re.search(item, panel), panel


DEEP = """
import torch
from torch import nn

class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(8, 16), nn.Linear(16, 8)

    def forward(self, x):
        return self.down(torch.relu(self.up(x)))

class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(Layer() for _ in range(3))
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.head(x)

def model():
    return Deep()

def example_inputs():
    return (torch.ones(64, 8),)
"""


def test_json_alone_is_on_standard_output(folder: Path) -> None:
    compiled = wsc_well("compile", "mlp.py", "-t", "wafer-4x4", "--json").json
    assert compiled["name"] == "mlp"
    assert compiled["folder"] == "build/mlp"
    assert (compiled["target"], compiled["machine"]) == ("wafer", "wafer-4x4")
    assert 0 < compiled["lower_bound_cycles"] <= compiled["interval_cycles"] <= compiled["latency_cycles"]
    assert compiled["macs"] == 2 * 2 * 8 * 8
    assert compiled["weight_bytes"] == 2 * 4 * (8 * 8 + 8)
    assert [kernel["name"] for kernel in compiled["kernels"]] == ["0", "1"]
    timing = {key: compiled[key] for key in compiled if key.endswith("_cycles")}
    simulated = wsc_well("simulate", "--json").json
    assert simulated["machine"] == "wafer-4x4"
    assert timing.items() <= simulated.items()
    run = wsc_well("run", "--json").json
    assert run["equal"] is True
    assert run["judge"] == "PyTorch"
    assert run["errors"][0] <= run["tolerances"][0]
    inspected = wsc_well("inspect", "--json").json
    assert [Path(file).name for file in inspected["files"]] == [
        f"{layer}.png" for layer in inspected["layers"]
    ]
    assert [row["machine"] for row in wsc_well("targets", "--json").json] == list(machine_names())


def test_every_command_prints_json() -> None:
    for command in get_command(app).commands.values():  # type: ignore[attr-defined]
        assert any("--json" in option.opts for option in command.params), command.name


def test_what_a_model_prints_is_not_the_result(folder: Path) -> None:
    Path("loud.py").write_text(Path("mlp.py").read_text() + "print('hello')\n")
    ran = wsc("compile", "loud.py", "-t", "null", "--json")
    assert ran.json["name"] == "loud"
    assert ran.err == "hello\n"


def test_a_result_that_is_infinitely_wrong_is_still_json(
    build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wsc.build.Build.execute", lambda *_: [np.full((2, 8), np.nan, np.float32)])
    ran = wsc("run", "--json")
    assert ran.code == 1
    assert (ran.json["errors"], ran.json["equal"]) == ([None], False)


# wsc run


def test_inputs_of_a_file_are_judged_by_the_interpreter(build: Path) -> None:
    np.savez("x.npz", input=np.full((2, 8), 2, np.float32), other=np.ones(3))
    out = wsc_well("run", "-i", "x.npz", "-o", "y.npz").out
    assert "equal to the reference interpreter's" in out
    with np.load("y.npz") as outputs:
        assert outputs["out0"].shape == (2, 8)


@pytest.mark.parametrize(
    ("found", "expected", "error"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0),
        ([1.0, 2.0], [1.0, 4.0], 0.5),
        ([1.0, np.inf], [1.0, np.inf], 0),
        ([1.0, np.nan], [1.0, np.nan], 0),
        ([1.0, np.inf], [1.0, -np.inf], np.inf),
        ([1.0, np.nan], [1.0, 2.0], np.inf),
        ([1.0, 2.0], [1.0, np.nan], np.inf),
        ([0.0, 0.0], [0.0, 0.0], 0),
        ([0.5, 0.0], [0.0, 0.0], 0.5),
        ([[1.0, 2.0]], [1.0, 2.0], np.inf),
        ([], [], 0),
    ],
)
def test_relative_error(found: list[float], expected: list[float], error: float) -> None:
    assert relative_error(np.array(found), np.array(expected)) == error


def test_whole_numbers_must_be_equal() -> None:
    assert [tolerance(np.zeros(1, dtype)) for dtype in ("i8", "?", "f4", "f2")] == [0, 0, 1e-4, 5e-2]


# wsc inspect


def test_a_build_without_weights_is_not_offered_to_run(folder: Path) -> None:
    out = wsc_well("compile", "meta.py", "-t", "null").out
    assert out.endswith("wrote build/meta: `wsc inspect build/meta` draws it\n")


def test_layers_can_be_chosen(build: Path) -> None:
    out = wsc_well(
        "inspect", "-l", "placement", "-l", "sram", "-l", "sram", "-f", "svg", "-o", "pictures"
    ).out
    assert sorted(path.name for path in Path("pictures").iterdir()) == ["placement.svg", "sram.svg"]
    assert out.count("mlp on wafer-4x4") == 2
    assert "wrote pictures/placement.svg" in out
    assert not (build / "maps").exists()


@pytest.mark.parametrize("columns", [4, 20, 200])
def test_pictures_fit_the_terminal(build: Path, columns: int) -> None:
    lines = wsc_well("inspect", "-l", "kernels", columns=columns).out.splitlines()
    pictured = [line for line in lines if not line.startswith("wrote")]
    assert pictured
    assert max(map(len, pictured)) <= columns


def test_no_colour_where_none_is_wanted(build: Path) -> None:
    terminal = {"FORCE_COLOR": "1", "TERM": "xterm", "COLORTERM": "truecolor"}
    coloured = wsc("inspect", "-l", "kernels", environment=terminal).out
    plain = wsc("inspect", "-l", "kernels", environment={**terminal, "NO_COLOR": "1"}).out
    assert "\x1b[38;2;" in coloured
    assert not re.search(r"\x1b\[[34]", plain)
    assert "\x1b" not in wsc("inspect", "-l", "kernels").out


def test_without_pictures_in_the_terminal(build: Path) -> None:
    out = wsc_well("inspect", "--no-terminal").out
    assert all(line.startswith("wrote build/mlp/maps/") for line in out.splitlines())


# wsc simulate, wsc targets


def test_simulating_needs_no_weights(build: Path) -> None:
    weights = bytearray((build / "weights.npz").read_bytes())
    weights[len(weights) // 2] ^= 1
    (build / "weights.npz").write_bytes(weights)
    assert wsc_well("simulate", "--json").json["interval_cycles"] > 0
    assert wsc_well("inspect", "-l", "kernels").code == 0
    assert "weights.npz is not as it was written" in wsc("run").err


def test_simulating_on_another_machine(folder: Path, compiled: Callable[[str, str], Path]) -> None:
    build = compiled("mlp", "wafer-4x4")
    text = (build / "machine.toml").read_text()
    Path("slow.toml").write_text(
        text.replace("f32_mac_cycles = { value = 2.45,", "f32_mac_cycles = { value = 200.0,")
    )
    own, slow = (wsc_well("simulate", build, *more, "--json").json for more in ((), ("-m", "slow.toml")))
    assert slow["machine"] == "slow"
    assert slow["interval_cycles"] > own["interval_cycles"]
    assert "mlp on slow" in wsc_well("simulate", build, "-m", "slow.toml").out


def test_targets_are_listed() -> None:
    out = wsc_well("targets").out
    for name, target in machine_names().items():
        assert re.search(rf"^ {name} +{target} +\w", out, re.MULTILINE)


def test_quiet_leaves_out_what_is_for_people(folder: Path) -> None:
    assert wsc_well("--quiet", "compile", "mlp.py", "-t", "wafer-4x4").out == ""
    assert wsc_well("-q", "run").out == ""
    assert wsc_well("-q", "run", "--json").json["equal"]
    assert "equal to PyTorch's" in wsc_well("run").out  # and only for the command it is given to
    assert wsc("-q", "run", "no/such").err
