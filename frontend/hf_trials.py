"""Ways to call a model, tried on tensors without data: the first that the model takes."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode

from wsc.frontend.known_values import KnownValues
from wsc.frontend.tensors import has_data

_OF_VALUES = (DataDependentOutputException, DynamicOutputShapeException, GuardOnDataDependentSymNode)


class Pinned(nn.Module):
    """A model with some arguments fixed: sizes of pictures, which say what is computed and are no data."""

    def __init__(self, model: nn.Module, values: Mapping[str, object]) -> None:
        super().__init__()
        self.model = model
        self._values = dict(values)

    def forward(self, **inputs: Tensor) -> Any:
        """The model's results for the other arguments."""
        device = next(self.model.parameters()).device
        fixed = {key: torch.tensor(value, device=device) for key, value in self._values.items()}
        return self.model(**inputs, **fixed)


@dataclass(frozen=True)
class Way:
    """A way to call a model: tensors by name, and arguments that are fixed."""

    inputs: Mapping[str, Tensor]
    fixed: Mapping[str, object] = field(default_factory=dict)

    def of(self, model: nn.Module) -> nn.Module:
        """The module to call with the tensors alone."""
        return Pinned(model, self.fixed) if self.fixed else model


def first_taken(model: nn.Module, ways: Iterable[Way]) -> Way | None:
    """The first way that the model takes, else the first of which that cannot be told; none where none may serve."""
    perhaps = None
    for way in ways:
        answer = _takes(way.of(model), way.inputs)
        if answer:
            return way
        if answer is None and perhaps is None:
            perhaps = way
    return perhaps


def _takes(model: nn.Module, inputs: Mapping[str, Tensor]) -> bool | None:
    """Whether a module can be called like this; None where that depends on values, and there are no weights."""
    if all(map(has_data, model.parameters())):
        return _runs(model, inputs)
    # On a copy, and as a compiler would call it: what a module keeps for its next call has no data here.
    copied = copy.deepcopy(model)
    try:
        with (
            torch.no_grad(),
            patch.object(torch.compiler, "is_compiling", lambda: True),
            KnownValues(),
            FakeTensorMode(allow_non_fake_inputs=True) as fake,
        ):
            copied(**{key: fake.from_tensor(tensor) for key, tensor in inputs.items()})
    except _OF_VALUES:
        return None
    except Exception:  # whatever it is, these arguments are not for it
        return False
    return True


def _runs(model: nn.Module, inputs: Mapping[str, Tensor]) -> bool:
    try:
        with torch.no_grad():
            model(**{key: tensor.clone() for key, tensor in inputs.items()})
    except Exception:  # as above
        return False
    return True
