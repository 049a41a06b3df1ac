"""wsc compile --training: a step, its memory, and the numbers that PyTorch's optimiser gives."""

import json
from pathlib import Path

import pytest

from tests.cli.shell import wsc_well

TRAINED = """import torch
from torch import nn
def model(): return nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))
def example_inputs(): return (torch.randn(6, 8),)
def targets(): return (torch.randint(4, (6,)),)
def loss(scores, labels): return nn.functional.cross_entropy(scores, labels)
"""
PARAMETERS = 4 * (8 * 16 + 16 + 16 * 4 + 4)


@pytest.fixture(autouse=True)
def _file(folder: Path) -> None:
    Path("net.py").write_text(TRAINED)


def test_a_step_of_several_inputs() -> None:
    told = json.loads(
        wsc_well(
            "compile", "net.py", "-t", "h100x8", "--training", "--accumulate", "3", "--recompute", "--json"
        ).out
    )
    training = told["training"]
    assert training["folders"] == ["build/net.accumulate", "build/net"]
    assert training["state_bytes"] == 4 * PARAMETERS + 4  # parameters, two moments, sums of gradients, steps
    assert training["saved_bytes"] > 0
    for folder in training["folders"]:
        wsc_well("run", folder)


def test_gradients_on_a_wafer() -> None:
    wsc_well("compile", "net.py", "-t", "wafer-16x16", "--training", "--optimizer", "none", "-o", "b")
    assert "equal to PyTorch's" in wsc_well("run", "b").out


def test_a_step_on_a_wafer() -> None:
    said = wsc_well("compile", "net.py", "-t", "wafer-16x16", "--training", "-o", "b").out
    assert "longest context" not in said
    assert "equal to PyTorch's" in wsc_well("run", "b").out


def test_what_is_said_of_a_step() -> None:
    said = wsc_well("compile", "net.py", "-t", "h100x8", "--training", "--optimizer", "sgd").out
    assert "saved for the backward pass" in said
    assert "sgd" in said
