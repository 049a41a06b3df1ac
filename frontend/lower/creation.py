"""Tensors made from nothing; small ones never come here, since they are computed while compiling."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from wsc.frontend.lower.call import Call
from wsc.frontend.lower.registry import lowering
from wsc.frontend.lower.value import Value
from wsc.frontend.tensors import torch_dtype


@lowering("aten.full.default")
def full(call: Call, size: Sequence[int], fill_value: float, **_layout: object) -> Value:
    """One number everywhere."""
    return _filled(call, fill_value)


@lowering("aten.full_like.default")
def full_like(call: Call, x: Value, fill_value: float, **_layout: object) -> Value:
    """One number everywhere."""
    return _filled(call, fill_value)


@lowering("aten.empty.memory_format", "aten.empty_permuted.default", "aten.empty_strided.default")
def empty(call: Call, size: Sequence[int], *_order: object, **_layout: object) -> Value:
    """Zeros: torch promises nothing, and results must not depend on what memory held."""
    return _filled(call, 0)


@lowering("aten.arange.start_step")
def arange(call: Call, start: float, end: float, step: float = 1, **_layout: object) -> Value:
    """start, start + step, ... below end."""
    return call.constant(torch.arange(start, end, step, dtype=torch_dtype(call.result.dtype)))


@lowering("aten.scalar_tensor.default")
def scalar_tensor(call: Call, number: float, **_layout: object) -> Value:
    """One number."""
    return _filled(call, number)


def _filled(call: Call, number: float) -> Value:
    one = torch.full((), number, dtype=torch_dtype(call.result.dtype))
    return call.constant(one.expand(call.result.shape))
