"""Small models for crossbars, and the way from one to a program."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tests.compiler.graphs import model
from wsc.backends.cim.emit import emit
from wsc.backends.cim.machine import CimMachine
from wsc.backends.cim.plan import Plan, make_plan
from wsc.backends.cim.program import Program
from wsc.backends.cim.verify import verify
from wsc.backends.registry import select
from wsc.compiler.ir.model import Model
from wsc.compiler.ops.base import Array
from wsc.compiler.passes.pipeline import run_pipeline
from wsc.compiler.passes.quantize import precision_named, quantize
from wsc.frontend.capture import capture


@dataclass(frozen=True)
class Made:
    """A model with its plan and program."""

    model: Model
    inputs: tuple[Array, ...]
    machine: CimMachine
    plan: Plan
    program: Program


def machine(name: str, **parts: dict[str, Any]) -> CimMachine:
    """A shipped machine with some figures of its parts changed."""
    found: CimMachine = select(name).machine
    return found.model_copy(
        update={part: getattr(found, part).model_copy(update=u) for part, u in parts.items()}
    )


def integers(
    module: nn.Module, inputs: tuple[Tensor, ...], dtype: str = "int8"
) -> tuple[Model, tuple[Array, ...]]:
    """The quantised graph of a module, calibrated on its inputs."""
    captured = capture(module, inputs, "model")
    assert captured.example_inputs is not None
    examples = captured.example_inputs
    return quantize(run_pipeline(captured.model), precision_named(dtype), [examples]), examples


def make(module: nn.Module, inputs: tuple[Tensor, ...], on: CimMachine, dtype: str = "int8") -> Made:
    """A module compiled for a machine."""
    return planned(*integers(module, inputs, dtype), on)


def linear(rows: int, columns: int, batch: int, dtype: str = "int8") -> tuple[Model, tuple[Array, ...]]:
    """One quantised linear layer, written as a graph: no torch, so that many can be made."""
    lines = (
        f"%x = input(index=0) : f32[{batch},{rows}]",
        f"%w = parameter(key='w') : f32[{columns},{rows}]",
        f"%y = contract(equation='ak,nk->an') %x %w : f32[{batch},{columns}]",
        "return %y",
    )
    found = model(*lines)
    x = np.random.default_rng(0).normal(size=(batch, rows)).astype(np.float32)
    return quantize(found, precision_named(dtype), [(x,)]), (x,)


def planned(found: Model, inputs: tuple[Array, ...], on: CimMachine) -> Made:
    """A quantised model compiled for a machine."""
    plan = make_plan(found.graph, on)
    program = emit(plan)
    verify(program)
    return Made(found, inputs, on, plan, program)


def mlp(*sizes: int, batch: int = 4) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """Linear layers with ReLUs between."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1]), (torch.randn(batch, sizes[0]),)


class Bottleneck(nn.Module):
    """Convolutions of several shapes, a pool and a residual sum."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 2, 1)
        self.pool = nn.MaxPool2d(2)
        self.a = nn.Conv2d(16, 8, 1)
        self.b = nn.Conv2d(8, 16, 3, 1, 1, groups=2)
        self.head = nn.Linear(16 * 4 * 4, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(torch.relu(self.stem(x)))
        x = torch.relu(x + self.b(torch.relu(self.a(x))))
        return self.head(x.flatten(1))


def bottleneck() -> tuple[nn.Module, tuple[Tensor, ...]]:
    """A small residual network and an image."""
    torch.manual_seed(0)
    return Bottleneck(), (torch.randn(1, 3, 16, 16),)


def random_integers(rng: np.random.Generator, shape: tuple[int, ...], bits: int) -> Array:
    """Integers of so many bits, on the symmetric grid."""
    top = 2 ** (bits - 1) - 1
    return np.asarray(rng.integers(-top, top + 1, shape)).astype(np.int8 if bits <= 8 else np.int16)
