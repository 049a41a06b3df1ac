"""Where tensors come from: the caller, the weights, and constants known at compile time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops.base import Array, Op, Tiling


class _Source(Op):
    """A node without operands: its type is given with it, its value from outside the graph."""

    kind: ClassVar[str] = "source"

    def infer(self, operands: Sequence[TensorType]) -> TensorType:
        raise ValueError(f"{self.kind} has a given type")

    def reference(self, operands: Sequence[Array]) -> Array:
        raise ValueError(f"{self.kind} has a given value")

    def tiling(self, operands: Sequence[TensorType], result: TensorType) -> Tiling:
        raise ValueError(f"{self.kind} is not computed")

    def lifted(self) -> Op:
        raise ValueError(f"{self.kind} is not computed")


@dataclass(frozen=True)
class Input(_Source):
    """Argument number `index` of the program."""

    kind: ClassVar[str] = "input"
    index: int


@dataclass(frozen=True)
class Parameter(_Source):
    """A trained weight or buffer, `key` in the weights; its bytes may be absent (meta device)."""

    kind: ClassVar[str] = "parameter"
    key: str


@dataclass(frozen=True)
class Constant(_Source):
    """A tensor known at compile time, `key` in the weights; its bytes are always present."""

    kind: ClassVar[str] = "constant"
    key: str
