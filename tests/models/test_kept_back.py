"""The command that asks models beside the list: what it judges, what it says, how it makes a model small."""

import pytest

from benchmarks.kept_back import LATER
from benchmarks.kept_back_nets import NETS
from benchmarks.kept_back_page import Row, section
from benchmarks.models_kept import judged, known
from benchmarks.narrow import narrowed

EVERY_DAY = {"VQ-VAE codebook", "graph network", "Fourier operator", "DLRM"}


@pytest.mark.parametrize(
    "name", [name if name in EVERY_DAY else pytest.param(name, marks=pytest.mark.slow) for name in NETS]
)
def test_networks_of_torch_alone(name: str) -> None:
    row = judged("torch.nn", name)
    assert row.error == ""
    assert row.nodes > 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["fnet", "yoso", "longformer", "longt5", "led", "switch_transformers"])
def test_models_that_once_were_refused(kind: str) -> None:
    pytest.importorskip("transformers")
    assert judged("transformers", kind).error == ""


@pytest.mark.slow
def test_what_is_refused_is_said() -> None:
    pytest.importorskip("transformers")
    row = judged("transformers", "superpoint")
    assert row.error.startswith("UnsupportedModel: transformers/models/superpoint/modeling_superpoint.py:")
    assert "How many rows a mask picks depends on the values of tensors" in row.error


def test_the_list_is_broad() -> None:
    assert len(set(known())) == len(known()) >= 300
    libraries = {"transformers", "diffusers", "torch.nn", "torchvision", "timm"}
    assert {library for library, _ in known()} == libraries


def test_what_was_said_at_the_first_try_is_kept() -> None:
    sizes = {name: len(models) for name, models in LATER.items()}
    assert sizes == {"second": 222, "third": 82, "fourth": 71}
    asked = [(name, m) for name, m in LATER.items() if all(one.first is not None for one in m)]
    assert [name for name, _ in asked[:2]] == ["second", "third"]
    for name, models in asked:
        passed = sum(not one.first for one in models)
        assert f"| {name}, `benchmarks/kept_back_{name}.json` | {len(models)} | {passed} (" in section([], 0)


def test_a_configuration_made_small() -> None:
    default = {
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "layer_types": ["near", "far"] * 16,
        "vocab_size": None,
        "use_cache": True,
        "vision_config": {"image_size": 224, "depths": [3, 9]},
        "unknown": 7,
    }
    assert narrowed(default, {"unknown": 8, "vision_config": {"image_size": 64}}) == {
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "layer_types": ["near", "far"],
        "vocab_size": None,
        "use_cache": True,
        "vision_config": {"image_size": 64, "depths": [1, 1]},
        "unknown": 8,
    }


def test_the_part_of_the_page() -> None:
    rows = [
        Row("transformers", "a", nodes=3, macs=9, counted_macs=9),
        Row("transformers", "b", "UnsupportedModel: no"),
        Row("torch.nn", "c", macs=1200, counted_macs=0),
    ]
    text = section(rows, 5)
    assert text.startswith("## Models beside the list\n")
    assert "2 of 3 asked pass (67%); 5 are on the list:\n\n- transformers: a\n" in text
    assert "within 0.1% in\n1 of 2 over one eager call" in text
    assert "\n| c | 1,200 | 0 |  |  |  |\n" in text
    assert text.endswith("| b | UnsupportedModel: no |\n")
