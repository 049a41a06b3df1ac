"""The graph under construction: values that refer to each other, not yet named."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from wsc.compiler.ir.graph import Location
from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops import Constant, Expand, Op
from wsc.frontend.tensors import type_of


@dataclass(frozen=True, eq=False)
class Origin:
    """The call of the captured program that a value comes from: a name to build on, and its place in the model."""

    title: str
    location: Location = field(default_factory=Location)


@dataclass(frozen=True, eq=False)
class Value:
    """One value: what computes it, and from what.

    `known` is its tensor where that does not depend on inputs and weights; `weight` the tensor of a parameter.
    The graph has no complex numbers: a last dimension of 2 holds their real and imaginary parts.
    """

    op: Op
    operands: tuple[Value, ...]
    type: TensorType
    origin: Origin
    known: torch.Tensor | None = None
    weight: torch.Tensor | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Extents, outermost dimension first."""
        return self.type.shape

    @property
    def rank(self) -> int:
        """Number of dimensions."""
        return self.type.rank

    @property
    def number(self) -> float | int | bool | None:
        """The value as a Python number, if it is a known tensor without dimensions."""
        return self.known.item() if self.known is not None and self.rank == 0 else None


Operand = Value | float | int | bool  # what a scalar function takes


@dataclass(frozen=True)
class Missing:
    """A result that was not lowered; what reads it is not supported, for the reason given, if there is one."""

    reason: str = ""


Lowered = Value | Missing | tuple[Value | Missing, ...]


def constant(tensor: torch.Tensor, origin: Origin) -> Value:
    """A value known at compile time; dimensions along which the tensor repeats itself are not stored."""
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor.resolve_conj())
    repeats = [n > 1 and stride == 0 for n, stride in zip(tensor.shape, tensor.stride(), strict=True)]
    stored = tensor[tuple(slice(0, 1) if r else slice(None) for r in repeats)]
    value = Value(Constant(""), (), type_of(stored), origin, stored)
    if not any(repeats):
        return value
    return Value(Expand(tuple(tensor.shape)), (value,), type_of(tensor), origin, tensor)
