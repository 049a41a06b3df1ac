"""Products of rows with one of several matrices, and the counting that leads to them."""

from __future__ import annotations

import torch

from wsc.compiler.ir.types import DType
from wsc.compiler.ops import Grouped, Reduce
from wsc.frontend.lower.call import Call
from wsc.frontend.lower.registry import Unsupported, lowering
from wsc.frontend.lower.value import Value
from wsc.frontend.tensors import torch_dtype


@lowering("aten._grouped_mm.default", "transformers.grouped_mm_fallback.default")
def grouped_mm(
    call: Call, x: Value, weight: Value, offs: Value | None = None, bias: Value | None = None, *_out: object
) -> Value:
    """Rows of x[s, k], sorted by group, with weight[g, k, n]; group g ends before row offs[g]."""
    if offs is None or x.rank != 2 or weight.rank != 3:
        raise Unsupported("a grouped product whose groups are not rows of one matrix")
    rows = call.constant(torch.arange(x.shape[0], dtype=torch_dtype(offs.type.dtype))[:, None])
    ended = call.map("le", call.aligned(offs, 2), rows, dtype=offs.type.dtype)
    group = call.add(Reduce("sum", (1,)), call.cast(ended, DType.I64))
    product = call.add(Grouped(), x, weight, group)
    return product if bias is None else call.map("add", product, bias)


@lowering("aten.histc.default")
def histc(call: Call, x: Value, bins: int = 100, min: float = 0, max: float = 0) -> Value:
    """How many elements fall into each of equal bins; the last one has its upper edge."""
    if min == max and bins == 1:  # from the least element to the largest: all of them
        return call.constant(torch.full((1,), x.type.elements, dtype=torch_dtype(x.type.dtype)))
    if min == max:
        raise Unsupported("a histogram whose edges depend on values")
    flat = call.reshape(x, (x.type.elements, 1))
    place = call.map("floor", call.map("mul", call.map("sub", flat, min), bins / (max - min)))
    inside = call.map("le", flat, max, dtype=x.type.dtype)
    place = call.map("select", inside, call.map("min", place, bins - 1), -1)
    numbers = call.constant(torch.arange(bins, dtype=torch_dtype(x.type.dtype))[None])
    hits = call.map("eq", place, numbers, dtype=x.type.dtype)
    return call.add(Reduce("sum", (0,)), call.cast(hits, call.result.dtype))
