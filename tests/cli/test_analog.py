"""`wsc run --analog`: errors of every product, the same for a seed, accuracy where labels are given."""

from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from tests.cli.shell import wsc, wsc_well
from tests.cli.test_errors import golden


@pytest.fixture
def crossbars(folder: Path, compiled: Callable[[str, str], Path]) -> Path:
    """build/mlp in the current folder, a build for hermes."""
    return Path(copytree(compiled("mlp", "hermes"), Path("build/mlp")))


def test_a_run_tells_the_error_of_every_product(crossbars: Path) -> None:
    ran = wsc_well("run", "--analog", "--seed", "1")
    assert "SQNR" in ran.out
    assert "against exact integers, largest difference" in ran.out
    told = wsc_well("run", "--analog", "--seed", "1", "--json").json
    assert [layer["name"] for layer in told["layers"]] == ["0", "1"]
    assert all(10 < layer["sqnr_db"] < 60 for layer in told["layers"])
    assert told["outputs"][0]["sqnr_db"] > 5
    assert told == wsc_well("run", "--analog", "--seed", "1", "--json").json
    assert told["outputs"] != wsc_well("run", "--analog", "--seed", "2", "--json").json["outputs"]


def test_fewer_bits_are_worse_and_calibration_is_better(crossbars: Path) -> None:
    def sqnr(*options: str) -> float:
        told = wsc_well("run", "--analog", "--json", *options).json
        return float(np.mean([layer["sqnr_db"] for layer in told["layers"]]))

    assert sqnr("--adc-bits", "4") < sqnr("--adc-bits", "8") - 5
    assert sqnr("--adc-bits", "4", "--calibrate", "examples") > sqnr("--adc-bits", "4") + 5
    assert sqnr("--seconds", "1e8") != sqnr()


def test_a_labelled_set_gives_accuracy_batch_by_batch(crossbars: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.normal(size=(8, 8)).astype(np.float32)  # four batches of two
    np.savez("x.npz", input=images)
    wsc_well("run", "--analog", "--input", "x.npz", "--output", "y.npz", "--seed", "3")
    scores = np.load("y.npz")["out0"]
    assert scores.shape == (8, 8)
    np.save("labels.npy", scores.argmax(axis=1))
    ran = wsc_well("run", "--analog", "--input", "x.npz", "--labels", "labels.npy", "--seed", "3", "--json")
    assert ran.json["labelled"] == 8
    assert ran.json["accuracy"]["analog"] == 1
    assert 0 <= ran.json["accuracy"]["exact"] <= 1
    said = wsc_well("run", "--analog", "--input", "x.npz", "--labels", "labels.npy", "--seed", "3").out
    assert "accuracy on 8 labelled inputs: 100.0%, with exact integers" in said


def test_what_cannot_be_asked(crossbars: Path, compiled: Callable[[str, str], Path]) -> None:
    golden("analog_option_alone", wsc("run", "--seed", "1", "--labels", "labels.npy"))
    golden("analog_of_digital", wsc("run", compiled("mlp", "wafer-4x4"), "--analog"))
    golden("analog_converters_of_no_bits", wsc("run", "--analog", "--adc-bits", "0"))
    golden("analog_labels_missing", wsc("run", "--analog", "--labels", "labels.npy"))
    np.save("labels.npy", np.array([1, 0, 1]))
    golden("analog_labels_too_many", wsc("run", "--analog", "--labels", "labels.npy"))
    np.save("labels.npy", np.array([0.5, 1.5]))
    golden("analog_labels_of_floats", wsc("run", "--analog", "--labels", "labels.npy"))
    Path("labels.npy").write_text("nonsense")
    golden("analog_labels_are_none", wsc("run", "--analog", "--labels", "labels.npy"))
    golden("analog_samples_missing", wsc("run", "--analog", "--calibrate", "nowhere.npz"))
