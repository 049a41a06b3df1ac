"""Every mistake: one paragraph that says what is wrong and what to do, the right exit code, nothing left behind.

Each file of errors/ is what a person reads; the tests stand in a folder of their own, so that paths are short.
"""

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.cli.shell import Ran, wsc
from tests.compiler.golden import check

ERRORS = Path(__file__).parent / "errors"
IMPORTS = "import torch\nfrom torch import nn\n"
INPUTS = "def example_inputs():\n    return (torch.ones(2, 4),)\n"


def golden(name: str, ran: Ran) -> None:
    """The error is as agreed, alone on standard error, and is no traceback."""
    assert ran.out == ""
    assert "Traceback" not in ran.err
    check(str(ERRORS / f"{name}.txt"), f"{ran.err}exit code {ran.code}\n")


MODELS = {
    "no_model": f"{IMPORTS}def build():\n    return nn.Linear(4, 4)\n{INPUTS}",
    "exception_in_model": f"{IMPORTS}def model():\n    return nn.Linear(4, [])\n{INPUTS}",
    "no_python": "def model(:\n",
    "wrong_shape": f"{IMPORTS}def model():\n    return nn.Linear(5, 4)\n{INPUTS}",
    "unsupported_type": f"{IMPORTS}def model():\n    return nn.Sequential(nn.Linear(4, 4), nn.ReLU()).double()\n"
    "def example_inputs():\n    return (torch.ones(2, 4).double(),)\n",
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_that_is_wrong(folder: Path, name: str) -> None:
    Path("m.py").write_text(MODELS[name])
    golden(name, wsc("compile", "m.py", "-t", "wafer-4x4"))
    assert not Path("build").exists()


COMPILE = {
    "no_such_model": ("nowhere.py",),
    "unknown_option": ("mlp.py", "-D", "widht=4"),
    "define_without_value": ("mlp.py", "-D", "width"),
    "define_without_name": ("mlp.py", "-D", "=4"),
    "precision_of_no_activations": ("mlp.py", "--weights-dtype", "fp4"),
    "overrides_missing": ("mlp.py", "--dtype-overrides", "nowhere.toml"),
    "overrides_of_no_type": ("mlp.py", "--dtype-overrides", "load.toml"),
    "overrides_of_nothing": ("mlp.py", "--dtype-overrides", "types.toml"),
    "load_missing": ("mlp.py", "--expert-load", "nowhere.toml"),
    "load_of_no_experts": ("mlp.py", "--expert-load", "load.toml"),
    "load_of_no_shares": ("mlp.py", "--expert-load", "odd.toml"),
    "optimizer_of_inference": ("mlp.py", "--optimizer", "sgd", "--recompute"),
    "optimizer_unknown": ("mlp.py", "--training", "--optimizer", "adam"),
    "accumulate_without_optimizer": ("mlp.py", "--training", "--optimizer", "none", "--accumulate", "2"),
    "training_in_phases": ("mlp.py", "--training", "--phase", "decode"),
    "training_without_loss": ("mlp.py", "--training"),
    "option_twice": ("mlp.py", "-D", "batch=4", "--batch", "2"),
    "no_phases": ("mlp.py", "--phase", "decode", "--context", "64"),
    "unknown_target": ("mlp.py", "-t", "wafer-4x5"),
    "unreadable_machine": ("mlp.py", "-t", "nowhere.toml"),
    "weights_do_not_fit": ("mlp.py", "-t", "wafer-4x4", "-D", "width=1024"),
    "kernel_does_not_fit": ("mlp.py", "-t", "wafer-4x4", "-D", "width=300", "-D", "batch=100"),
    "fabric_does_not_fit": ("mlp.py", "-t", "wafer-4x4", "--schedule", "pipeline", "-D", "depth=20"),
    "floats_on_crossbars": ("mlp.py", "-t", "isaac", "--dtype", "float"),
    "unknown_dtype": ("mlp.py", "-t", "isaac", "--dtype", "int7"),
    "chips_run_out": ("mlp.py", "-t", "hermes", "-D", "width=2048"),
}


@pytest.mark.parametrize("name", COMPILE)
def test_a_compilation_that_cannot_be(folder: Path, name: str) -> None:
    Path("load.toml").write_text('"layers.*" = [1, 3]\n')
    Path("types.toml").write_text('[activations]\n"layer.*" = "fp32"\n')
    Path("odd.toml").write_text('"layers.*" = "even"\n')
    golden(name, wsc("compile", *COMPILE[name]))
    assert not Path("build").exists()


def test_a_memory_that_is_too_small(folder: Path, null_machine: Callable[[int], str]) -> None:
    golden("memory_does_not_fit", wsc("compile", "mlp.py", "-t", null_machine(500)))


def test_machine_files(folder: Path) -> None:
    Path("tiny.toml").write_text('target = "wafr"\n')
    golden("machine_of_unknown_target", wsc("compile", "mlp.py", "-t", "tiny.toml"))
    Path("tiny.toml").write_text('target = "null"\n[unit]\nclock_hz = 1\n')
    golden("machine_incomplete", wsc("compile", "mlp.py", "-t", "tiny.toml"))


CROSSBARS = {
    "converter_of_no_bits": ("bits = { value = 8,", "bits = { value = 0,"),
    "array_below_a_weight": ("columns = { value = 128,", "columns = { value = 4,"),
    "noise_out_of_range": ("read_sigma = { value = 0.005,", "read_sigma = { value = 1.5,"),
}


@pytest.mark.parametrize("name", CROSSBARS)
def test_crossbars_that_cannot_be(folder: Path, name: str) -> None:
    text = (Path(__file__).parents[2] / "backends/cim/machines/isaac.toml").read_text()
    assert CROSSBARS[name][0] in text
    Path("mine.toml").write_text(text.replace(*CROSSBARS[name]))
    golden(name, wsc("compile", "mlp.py", "-t", "mine.toml"))


def test_buffers_that_run_out(folder: Path) -> None:
    text = (Path(__file__).parents[2] / "backends/cim/machines/isaac.toml").read_text()
    Path("mine.toml").write_text(
        text.replace("buffer_bytes = { value = 65536,", "buffer_bytes = { value = 1,")
    )
    golden("buffers_run_out", wsc("compile", "mlp.py", "-t", "mine.toml", "-D", "width=1024"))
    assert not Path("build").exists()


@pytest.fixture
def null_machine(folder: Path) -> Callable[[int], str]:
    """null_machine(memory_bytes): the path of a machine file."""

    def null_machine(memory_bytes: int) -> str:
        text = (Path(__file__).parents[2] / "backends/null/machines/null.toml").read_text()
        Path("tiny.toml").write_text(text.replace("17179869184", str(memory_bytes)))
        return "tiny.toml"

    return null_machine


def test_output_where_none_can_be(folder: Path) -> None:
    Path("notes.txt").write_text("mine")
    ran = wsc("compile", "mlp.py", "-o", "notes.txt/build")
    golden("output_under_file", Ran(ran.code, ran.out, ran.err.replace(str(folder), "HERE")))
    golden("output_is_file", wsc("compile", "mlp.py", "-o", "notes.txt"))
    golden("output_holds_current_folder", wsc("compile", "mlp.py", "-o", "."))
    Path("mine").mkdir()
    shutil.copy("notes.txt", "mine")
    golden("output_holds_other_files", wsc("compile", "mlp.py", "-o", "mine"))
    assert sorted(path.name for path in folder.iterdir()) == ["meta.py", "mine", "mlp.py", "notes.txt"]
    assert [path.read_text() for path in Path("mine").iterdir()] == ["mine"]


def test_output_that_may_not_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "os.access", lambda path, mode: False
    )  # the tests may run as root, who may do everything
    ran = wsc("compile", "mlp.py", "-o", "out")
    golden("output_not_permitted", Ran(ran.code, ran.out, ran.err.replace(str(folder), "HERE")))


def test_a_disk_that_is_full(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, arrays: object) -> None:
        path.write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("wsc.build.write_arrays", full)
    golden("disk_full", wsc("compile", "mlp.py", "-t", "wafer-4x4", "-o", "some/out"))
    assert sorted(path.name for path in folder.iterdir()) == ["meta.py", "mlp.py"]


def test_no_build(folder: Path) -> None:
    golden("no_build", wsc("run"))
    golden("no_such_build", wsc("run", "nowhere"))
    Path("empty").mkdir()
    golden("no_build_folder", wsc("inspect", "empty"))


def test_a_build_that_is_corrupt(build: Path) -> None:
    program = (build / "program.txt").read_text()
    (build / "program.txt").write_text(program.replace("mlp", "MLP", 1))
    golden("corrupt", wsc("run"))
    (build / "program.txt").unlink()
    golden("missing_file", wsc("simulate"))


def test_a_build_of_another_version(build: Path) -> None:
    manifest = (build / "manifest.json").read_text()
    (build / "manifest.json").write_text(manifest.replace('"version": 1', '"version": 99'))
    golden("foreign_version", wsc("inspect"))


def test_a_build_of_a_target_that_is_not_installed(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsc.build.targets", dict)
    golden("target_not_installed", wsc("run"))


def test_a_build_without_weights_is_simulated_but_not_run(meta_build: Path) -> None:
    assert wsc("simulate").code == 0
    golden("meta_build", wsc("run"))


INPUT_FILES: dict[str, dict[str, np.ndarray]] = {
    "input_of_other_name": {"x": np.ones((2, 8), np.float32)},
    "input_of_other_shape": {"input": np.ones((2, 9), np.float32)},
    "input_of_other_type": {"input": np.ones((2, 8), np.float64)},
    "input_of_objects": {"input": np.array([{}])},
}


@pytest.mark.parametrize("name", INPUT_FILES)
def test_inputs_that_do_not_fit(build: Path, name: str) -> None:
    np.savez("x.npz", **INPUT_FILES[name])  # type: ignore[arg-type]
    golden(name, wsc("run", "--input", "x.npz"))


def test_inputs_that_cannot_be_read(build: Path) -> None:
    golden("input_missing", wsc("run", "--input", "x.npz"))
    for data in (b"", b"nonsense", b"PK\x03\x04 nonsense"):
        Path("x.npz").write_bytes(data)
        golden("input_is_no_npz", wsc("run", "--input", "x.npz"))
    np.save("x.npy", np.ones((2, 8), np.float32))
    Path("x.npy").rename("x.npz")
    golden("input_is_no_npz", wsc("run", "--input", "x.npz"))


def test_outputs_that_cannot_be_written(build: Path) -> None:
    golden("arrays_under_file", wsc("run", "--output", "mlp.py/out.npz"))
    golden("pictures_under_file", wsc("inspect", "--output", "mlp.py/maps"))


def test_what_cannot_be_drawn(build: Path) -> None:
    golden("unknown_layer", wsc("inspect", "-l", "kernels", "-l", "srma"))
    golden("layer_without_figures", wsc("inspect", "-l", "temperature"))
    golden("unknown_format", wsc("inspect", "--format", "jpg"))
    assert not (build / "maps").exists()


def test_machines_that_a_program_does_not_run_on(build: Path, compiled: Callable[[str, str], Path]) -> None:
    ran = wsc("simulate", compiled("mlp", "wafer-8x8"), "--machine", "wafer-4x4")
    golden("machine_too_small", ran)
    golden("machine_of_another_target", wsc("simulate", "--machine", "null"))
    golden("machine_unknown", wsc("simulate", "--machine", "wsr2"))


def test_a_program_that_computes_something_else(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsc.build.Build.execute", lambda *_: [np.zeros((2, 8), np.float32)])
    ran = wsc("run")
    assert ran.out.startswith(
        "mlp: outputs float32[2, 8] DIFFERENT from PyTorch's\nlargest difference 1.00e+00 of"
    )
    golden("different", Ran(ran.code, "", ran.err))


@pytest.mark.parametrize("error", [ZeroDivisionError("division by zero"), AssertionError()])
def test_an_error_of_ours(folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("wsc.commands.compile.select", fail)
    golden(f"internal_{type(error).__name__}", wsc("compile", "mlp.py"))


@pytest.mark.parametrize("arguments", [("--debug", "compile", "no.py"), ("compile", "no.py", "--debug")])
def test_debug_shows_where(folder: Path, arguments: tuple[str, ...]) -> None:
    ran = wsc(*arguments)
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.startswith("Traceback (most recent call last):\n")
    assert ran.err.endswith(
        "ModelError: There is no model file 'no.py'.\nError: There is no model file 'no.py'.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("compile",), "Missing argument 'MODEL'"),
        (("compile", "mlp.py", "--fast"), "No such option: --fast"),
        (("complie", "mlp.py"), "No such command 'complie'"),
    ],
)
def test_usage(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    ran = wsc(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_every_message_is_tested() -> None:
    """No file of errors/ is left over: the names here are all there are."""
    source = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert not [
        path.name for path in ERRORS.glob("*.txt") if path.stem.split("_Z")[0].split("_A")[0] not in source
    ]
