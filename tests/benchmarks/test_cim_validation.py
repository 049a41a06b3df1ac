"""How the benchmark reads rows, and that the retyped ones are beaten."""

from pathlib import Path

import pytest
import torch

from benchmarks.cim_networks import NETWORKS, known, network
from benchmarks.cim_puma import PROGRAMS, parsed, program
from benchmarks.cim_runs import macro_error, simulated
from benchmarks.cim_sets import least, read_rows
from benchmarks.cim_validation import puma
from wsc.frontend.capture import capture


def test_rows_are_told_apart_by_their_columns(tmp_path: Path) -> None:
    (tmp_path / "any.csv").write_text("program,cycles_1ns\nfc 8x8,10\n")
    (tmp_path / "other.csv").write_text("macro,metric,condition,value\njia_jssc_2020,tops_1b,V=1.2,2.185\n")
    rows = read_rows(tmp_path)
    assert [row["program"] for row in rows.puma] == ["fc 8x8"]
    assert abs(macro_error(rows.macros[0]) or 1) < 0.01
    assert not rows.pimcomp


def test_without_a_folder_there_are_rows_all_the_same() -> None:
    rows = read_rows(None)
    assert len(rows.puma) == 4
    assert len(rows.pimcomp) == 3


def test_a_macro_that_nothing_is_known_of_is_left_out() -> None:
    row = {"macro": "unheard_of", "metric": "tops", "condition": "", "value": "1"}
    assert macro_error(row) is None
    row = {"macro": "jia_jssc_2020", "metric": "tops_1b", "condition": "V=0.5", "value": "1"}
    assert macro_error(row) is None


def test_numbers_and_sizes() -> None:
    assert least("1689073/2010787/11794929") == 1_689_073
    assert least("173227-173644") == 173_227
    assert least("segfault") is None
    assert parsed("mlp_l4 1024-1024-10") == ("mlpl4", (1024, 1024, 10))
    assert parsed("fc 128x64") == ("fc", (128, 64))
    assert parsed("lstm-layer 128, 256") == ("lstmlayer", (128, 256))
    assert parsed("wlm_bigLSTM") == ("wlmbiglstm", ())
    assert program("conv 3x3") is None


@pytest.mark.parametrize("row", read_rows(None).puma, ids=lambda row: row["program"])
def test_programs_for_puma_are_no_slower_than_its_own(row: dict[str, str]) -> None:
    made = program(row["program"])
    assert made is not None
    assert simulated(*made, "program", "puma").latency_cycles <= float(row["cycles_1ns"])


def test_rows_that_cannot_be_run_are_told_and_left_out() -> None:
    rows = [
        {"program": "fc 128x128", "cycles_1ns": "1949"},
        {"program": "conv 3x3", "cycles_1ns": "100"},
        {"program": "fc 262144x262144", "cycles_1ns": "1"},
        {"program": "fc 128x128", "cycles_1ns": "segfault"},
    ]
    *_, first, unknown, large, broken, _ = puma(rows)
    assert first.startswith("| fc 128x128 | 1,949 |")
    assert unknown == "| conv 3x3 | 100 | not written out here | |"
    assert "chips are needed" in large
    assert broken.startswith("| fc 128x128 | segfault |")


# Multiply-adds (millions) and weights (millions), as torchvision and the papers have them; images of 224 x 224.
PUBLISHED = {
    "inception_v3": (2840, 23.8),  # 5,713 at 299 x 299
    "mobilenetv2": (301, 3.5),
    "shufflenet": (125, 1.4),
    "vgg16": (15470, 138.4),
    "googlenet": (1498, 6.6),
    "squeezenet": (349, 1.2),
    "resnet18": (1814, 11.7),
    "caffenet": (720, 61.0),  # 54 x 54 after the first layer, as PIMCOMP's file has it
}


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_networks_have_their_published_work_and_weights(name: str) -> None:
    with torch.device("meta"):
        module, inputs = network(name)
        graph = capture(module, inputs, name).model.graph
    macs, weights = PUBLISHED[name]
    held = sum(node.type.elements for node in graph.weights)
    assert graph.work().macs / 1e6 == pytest.approx(macs, rel=0.04)
    assert held / 1e6 == pytest.approx(weights, rel=0.04)


def test_names_are_known_whatever_their_signs() -> None:
    assert known("Inception-v3") == "inception_v3"
    assert known("ResNet18") == "resnet18"
    assert known("lenet") == ""
    assert {known(name) for name in NETWORKS} == set(NETWORKS)


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_programs_of_any_size_can_be_captured(name: str) -> None:
    made = program(f"{name} 64-48-32")
    assert made is not None
    assert capture(*made, "program").model.graph.work().macs > 0


@pytest.mark.parametrize("text", ["lstm 128", "rnn 96-64-32", "mlp_l5 64-96-96-64-10"])
def test_small_programs_run_on_the_machine(text: str) -> None:
    made = program(text)
    assert made is not None
    assert simulated(*made, "program", "puma").latency_cycles > 1800
