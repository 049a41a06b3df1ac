"""Operations that a plugin has registered a rule for."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from wsc.compiler.ops import Custom
from wsc.compiler.ops.custom import find_rule
from wsc.frontend.lower.call import Call
from wsc.frontend.lower.registry import Lowering, Unsupported
from wsc.frontend.lower.value import Value


def find_custom(target: object) -> Lowering | None:
    """The lowering of an operation outside ATen that some package has a rule for."""
    if not isinstance(target, torch._ops.OpOverload) or target.namespace == "aten":
        return None
    if find_rule(target._schema.name) is None:
        return None
    return partial(_custom, target)


def _custom(target: torch._ops.OpOverload, call: Call, *args: Any, **kwargs: Any) -> Value:
    names = [argument.name for argument in target._schema.arguments]
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    operands = [value for value in given.values() if isinstance(value, Value)]
    plain = {key: value for key, value in given.items() if not isinstance(value, Value)}
    if len(call.results) != 1 or any(not isinstance(v, int | float | str | None) for v in plain.values()):
        raise Unsupported("an operation of a plugin takes tensors and plain values, and gives one tensor")
    return call.add(Custom(target._schema.name, tuple(plain.items())), *operands)
