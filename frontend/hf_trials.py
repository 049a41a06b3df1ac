"""Ways to call a model, tried on tensors without data: the first that the model takes."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
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
from torch.utils import _pytree as pytree

from wsc.frontend.known_values import KnownValues
from wsc.frontend.tensors import has_data

_OF_VALUES = (DataDependentOutputException, DynamicOutputShapeException, GuardOnDataDependentSymNode)


class Pinned(nn.Module):
    """A model with arguments fixed that say what is computed: sizes of pictures, masks that leave nothing out."""

    def __init__(self, model: nn.Module, values: Mapping[str, object]) -> None:
        super().__init__()
        self.model = model
        self._values = dict(values)

    def forward(self, **inputs: Any) -> Any:
        """The model's results for the other arguments."""
        device = next(self.model.parameters()).device
        fixed = {key: torch.tensor(value, device=device) for key, value in self._values.items()}
        return self.model(**inputs, **fixed)


@dataclass(frozen=True)
class Way:
    """A way to call a model: arguments by name, and those that are fixed tensors of whole numbers."""

    inputs: Mapping[str, Any]
    fixed: Mapping[str, object] = field(default_factory=dict)

    def of(self, model: nn.Module) -> nn.Module:
        """The module to call with the tensors alone."""
        return Pinned(model, self.fixed) if self.fixed else model


def first_taken(model: nn.Module, ways: Iterable[Way]) -> Way | None:
    """The first way that the model takes, else the first of which that cannot be told; none where none may serve."""
    perhaps = None
    for way in ways:
        error = stopped_by(model, way)
        if error is None:
            return way
        if isinstance(error, _OF_VALUES) and perhaps is None:
            perhaps = way
    return perhaps


def stopped_by(model: nn.Module, way: Way) -> Exception | None:
    """What stops a call; where there are no weights, that it depends on values may be such (see `of_values`)."""
    module = way.of(model)
    return (_running if all(map(has_data, module.parameters())) else _tracing)(module, way.inputs)


def of_values(error: Exception) -> bool:
    """Whether a call without data stopped because what is next depends on values."""
    return isinstance(error, _OF_VALUES)


def masks_fixed(model: nn.Module, inputs: Mapping[str, object]) -> Way:
    """A call with its masks fixed to all, where the model decides by their values what to compute."""
    tensors = {key: value for key, value in inputs.items() if isinstance(value, Tensor)}
    masks = {
        key: torch.ones_like(t, dtype=torch.int64).tolist() for key, t in tensors.items() if "mask" in key
    }
    others = {key: value for key, value in inputs.items() if key not in masks}
    plain, fixed = Way(inputs), Way(others, masks)
    if not masks or _tried(model, inputs) is not None:
        return plain
    return fixed if _tried(fixed.of(model), others) else plain


def _tried(model: nn.Module, inputs: Mapping[str, object]) -> bool | None:
    """Whether a module can be called like this, without data; None where that depends on values."""
    error = _tracing(model, inputs)
    return None if error is not None and of_values(error) else error is None


def _tracing(model: nn.Module, inputs: Mapping[str, object]) -> Exception | None:
    # On a copy, and as a compiler would call it: what a module keeps for its next call has no data here.
    copied = copy.deepcopy(model)
    try:
        with (
            _silently(),
            patch.object(torch.compiler, "is_compiling", lambda: True),
            KnownValues(),
            FakeTensorMode(allow_non_fake_inputs=True) as fake,
        ):
            copied(**pytree.tree_map_only(Tensor, fake.from_tensor, dict(inputs)))
    except Exception as error:  # whatever it is, these arguments are not for it
        return error
    return None


def _running(model: nn.Module, inputs: Mapping[str, object]) -> Exception | None:
    try:
        with _silently():
            model(**pytree.tree_map_only(Tensor, Tensor.clone, dict(inputs)))
    except Exception as error:  # as above
        return error
    return None


@contextmanager
def _silently() -> Iterator[None]:
    """Without gradients, and without warnings: what matters is said when the model is captured."""
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
