"""What a case of an op is; `op_cases` lists them."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from tests.compiler.arrays import draw
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.ops import Op
from wsc.compiler.ops.base import Array

Torch = Callable[..., torch.Tensor]
Rng = np.random.Generator


@dataclass(frozen=True)
class Case:
    """An op over operands of these types; `high` bounds integers, `distinct` operands hold each integer once a row."""

    op: Op
    types: tuple[TensorType, ...]
    expected: Torch
    high: int = 5
    distinct: frozenset[int] = field(default=frozenset())

    def operands(self, rng: Rng) -> tuple[Array, ...]:
        return tuple(
            self._distinct(t, rng) if i in self.distinct else draw(t, rng, self.high)
            for i, t in enumerate(self.types)
        )

    def _distinct(self, t: TensorType, rng: Rng) -> Array:
        rows = np.broadcast_to(np.arange(self.high), (*t.shape[:-1], self.high))
        return np.asarray(rng.permuted(rows, axis=-1)[..., : t.shape[-1]]).astype(t.dtype.numpy)


CASES: dict[str, Callable[[Rng], Case]] = {}


def case(make: Callable[[Rng], Case]) -> Callable[[Rng], Case]:
    CASES[make.__name__] = make
    return make


def f32(*shape: int) -> TensorType:
    return TensorType(DType.F32, shape)


def i64(*shape: int) -> TensorType:
    return TensorType(DType.I64, shape)


def boolean(*shape: int) -> TensorType:
    return TensorType(DType.BOOL, shape)


def extents(rng: Rng, count: int, low: int = 1, high: int = 5) -> list[int]:
    return [int(n) for n in rng.integers(low, high + 1, count)]
