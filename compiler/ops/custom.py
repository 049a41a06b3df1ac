"""Operations of a user's own: what wsc must know of one, in a rule that a plugin registers.

    from wsc.compiler.ops.custom import Rule, register

    register("mylib::swish", Rule(
        shape=lambda x: x,                                    # TensorType of the result from those of the operands
        work=lambda x: (0, 14 * x.elements),                  # multiply-adds, other scalar operations
        reference=lambda x: x / (1 + numpy.exp(-x)),          # in numpy
        pointwise=True,                                       # may be split along every dimension
    ))

Operands are the tensors of the torch operation of that name in order; its other arguments follow as keywords. A package
that registers its rules when it is imported, and names itself under the entry point `wsc.ops`, is found by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from typing import Any, ClassVar

import numpy as np

from wsc.compiler.ir.types import TensorType, type_of
from wsc.compiler.ops.base import Array, Axis, AxisKind, Op, Tiling, pointwise_tiling

GROUP = "wsc.ops"


@dataclass(frozen=True)
class Rule:
    """What an operation means and costs. `pointwise` says that it may be split along every dimension."""

    shape: Callable[..., TensorType]
    work: Callable[..., tuple[int, int]]
    reference: Callable[..., Array]
    pointwise: bool = False


_RULES: dict[str, Rule] = {}


def register(name: str, rule: Rule) -> None:
    """Make an operation known by torch's name for it, `library::operation`; raises ValueError for a second rule."""
    if _RULES.setdefault(name, rule) != rule:
        raise ValueError(f"the operation '{name}' has two rules")


def find_rule(name: str) -> Rule | None:
    """The rule of an operation, if some package has one; plugins are imported when first asked for."""
    if name not in _RULES:
        for plugin in entry_points(group=GROUP):
            plugin.load()
    return _RULES.get(name)


@dataclass(frozen=True)
class Custom(Op):
    """The operation `name` of a plugin; `attributes` are (name, value) pairs, `batch` leading dimensions are apart."""

    kind: ClassVar[str] = "custom"
    name: str
    attributes: tuple[tuple[str, Any], ...] = ()
    batch: int = 0

    @property
    def rule(self) -> Rule:
        """What the plugin says; raises ValueError where none does."""
        found = find_rule(self.name)
        if found is None:
            raise ValueError(f"no installed package registers the operation '{self.name}'")
        return found

    def infer(self, operands: Sequence[TensorType]) -> TensorType:
        rule = self.rule
        lead = operands[0].shape[: self.batch] if operands else ()
        if any(t.rank < self.batch or t.shape[: self.batch] != lead for t in operands):
            raise ValueError(f"operands of '{self.name}' do not share {self.batch} dimensions")
        result = rule.shape(*self._inner(operands), **dict(self.attributes))
        return TensorType(result.dtype, (*lead, *result.shape))

    def _inner(self, types: Sequence[TensorType]) -> list[TensorType]:
        return [TensorType(t.dtype, t.shape[self.batch :]) for t in types]

    def reference(self, operands: Sequence[Array]) -> Array:
        result = self.infer([type_of(array) for array in operands])
        value = np.empty(result.shape, result.dtype.numpy)
        for place in np.ndindex(*result.shape[: self.batch]):
            value[place] = self.rule.reference(*(array[place] for array in operands), **dict(self.attributes))
        return value

    def tiling(self, operands: Sequence[TensorType], result: TensorType) -> Tiling:
        if self.rule.pointwise:
            return pointwise_tiling(operands, result)
        lead = tuple(range(self.batch))
        kinds = [AxisKind.PARALLEL if d < self.batch else AxisKind.WHOLE for d in range(result.rank)]
        axes = tuple(
            Axis(f"d{d}", n, kind) for (d, n), kind in zip(enumerate(result.shape), kinds, strict=True)
        )
        rows = tuple((*lead, *(None,) * (t.rank - self.batch)) for t in operands)
        return Tiling(axes, rows, tuple(range(result.rank)))

    def lifted(self) -> Custom:
        return replace(self, batch=self.batch + 1)

    def arithmetic(self, operands: Sequence[TensorType], result: TensorType) -> tuple[int, int]:
        times = int(np.prod(result.shape[: self.batch], dtype=np.int64))
        macs, others = self.rule.work(*self._inner(operands), **dict(self.attributes))
        return macs * times, others * times
