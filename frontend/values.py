"""What users hand to and take from the Python API: modules, torch tensors and numpy arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import torch

from wsc.compiler.errors import InputMismatch
from wsc.compiler.ops.base import Array
from wsc.frontend.arguments import ExampleInputs
from wsc.frontend.tensors import from_numpy, has_data, to_numpy

Module: TypeAlias = torch.nn.Module
Tensor: TypeAlias = torch.Tensor
Inputs: TypeAlias = ExampleInputs | torch.Tensor | Sequence[object]


def as_arguments(example_inputs: Inputs) -> ExampleInputs:
    """Example inputs as a tuple or a mapping; one tensor stands for a tuple of one."""
    if isinstance(example_inputs, torch.Tensor):
        return (example_inputs,)
    return example_inputs if isinstance(example_inputs, Mapping) else tuple(example_inputs)


def to_arrays(values: Sequence[object]) -> tuple[Array, ...]:
    """Tensors or arrays as arrays; raises InputMismatch for anything else."""
    return tuple(_to_array(value) for value in values)


def _to_array(value: object) -> Array:
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, torch.Tensor) and has_data(value):
        return to_numpy(value)
    if isinstance(value, torch.Tensor):
        raise InputMismatch("A program takes tensors with data, one on the meta device was given.")
    raise InputMismatch(f"A program takes tensors or numpy arrays, {type(value).__name__} was given.")


def from_arrays(arrays: Sequence[Array]) -> tuple[torch.Tensor, ...]:
    """Arrays as tensors, copied."""
    return tuple(from_numpy(array) for array in arrays)
