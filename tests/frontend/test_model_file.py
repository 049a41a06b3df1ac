"""Model files: factories, options, neighbours, names."""

import sys

import pytest
import torch

from wsc.frontend.model_file import load

FILE = """
import torch
from torch import nn
from beside import scale

def model(width=2, **options):
    module = nn.Linear(width, 3)
    module.options = options
    return module

def example_inputs(width=2, batch=1):
    return (torch.ones(batch, width) * scale,)

def narrow():
    return nn.Linear(1, 1)

def narrow_example_inputs():
    return {"input": torch.ones(1)}

class Other(nn.Linear):
    def __init__(self, width=2):
        super().__init__(width, width)
"""


@pytest.fixture
def path(tmp_path, monkeypatch):
    (tmp_path / "beside.py").write_text("scale = 3.0\n")
    (tmp_path / "my_model.py").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    yield "my_model.py"
    sys.modules.pop("beside")


def test_defaults(path):
    source = load(path, {})
    assert source.name == "my_model"
    assert source.module.in_features == 2
    assert torch.equal(source.example_inputs[0], torch.full((1, 2), 3.0))


def test_options_reach_the_functions_that_accept_them(path):
    source = load(
        path, {"width": "5", "batch": "4", "flag": "True", "rate": "0.5", "kind": "gelu", "list": "[1]"}
    )
    assert source.module.in_features == 5
    assert source.module.options == {"batch": 4, "flag": True, "rate": 0.5, "kind": "gelu", "list": "[1]"}
    assert source.example_inputs[0].shape == (4, 5)


def test_a_factory_with_inputs_of_its_own(path):
    source = load(f"{path}:narrow", {})
    assert source.name == "narrow"
    assert source.example_inputs == {"input": torch.ones(1)}


def test_a_class_as_factory(path):
    source = load(f"{path}:Other", {"width": "4"})
    assert source.module.out_features == 4
    assert source.example_inputs[0].shape == (1, 4)


def test_weights_are_the_same_every_time(path):
    first, second = (load(path, {}).module.weight for _ in range(2))
    assert torch.equal(first, second)


def test_loading_hides_no_module(path):
    before = set(sys.modules)
    load(path, {})
    assert {name for name in set(sys.modules) - before if not name.startswith("_wsc")} <= {"beside"}
    assert "my_model" not in sys.modules
