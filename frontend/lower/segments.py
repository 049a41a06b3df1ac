"""Rows gathered or scattered into groups: bags of embeddings, and reductions at places given by an index."""

from __future__ import annotations

from itertools import pairwise

import torch

from wsc.compiler.ir.types import DType
from wsc.compiler.ops import Concat, Contract, Gather, Reduce
from wsc.frontend.lower.call import Call, dim_of
from wsc.frontend.lower.indexing import scatter_add
from wsc.frontend.lower.registry import Unsupported, lowering
from wsc.frontend.lower.value import Missing, Value
from wsc.frontend.tensors import torch_dtype

_LARGEST = 2**26  # elements of a comparison of every place with every index
_SUM, _MEAN = 0, 1


@lowering("aten._embedding_bag.default", "aten._embedding_bag_forward_only.default")
def embedding_bag(
    call: Call,
    weight: Value,
    indices: Value,
    offsets: Value,
    scale_grad_by_freq: bool = False,
    mode: int = _SUM,
    sparse: bool = False,
    per_sample_weights: Value | None = None,
    include_last_offset: bool = False,
    padding_idx: int = -1,
) -> tuple[Value | Missing, ...]:
    """Sum, mean or maximum of the rows of each bag; where bags begin must be known while compiling."""
    if offsets.known is None:
        raise Unsupported("bags whose lengths depend on values; give them as rows of equal length")
    if padding_idx >= 0:
        raise Unsupported("a padding index in bags of embeddings")
    starts = [int(n) for n in offsets.known]
    edges = starts if include_last_offset else [*starts, indices.type.elements]
    rows = call.add(Gather(), weight, indices)
    if per_sample_weights is not None:
        rows = call.map("mul", rows, call.reshape(per_sample_weights, (*per_sample_weights.shape, 1)))
    reason = Missing("it reads more than the rows of a bag of embeddings")
    return _bags(call, rows, list(pairwise(edges)), mode), reason, reason, reason


def _bags(call: Call, rows: Value, bags: list[tuple[int, int]], mode: int) -> Value:
    if mode in (_SUM, _MEAN):
        members = torch.zeros(len(bags), rows.shape[0])
        for bag, (start, stop) in enumerate(bags):
            members[bag, start:stop] = 1 / max(stop - start, 1) if mode == _MEAN else 1
        chosen = call.constant(members.to(torch_dtype(rows.type.dtype)))
        return call.add(Contract("bn,nd->bd"), chosen, rows)
    if any(start == stop for start, stop in bags):
        raise Unsupported("the maximum of an empty bag of embeddings")
    parts = [call.add(Reduce("max", (0,), keep=True), call.slice(rows, 0, *bag)) for bag in bags]
    return parts[0] if len(parts) == 1 else call.add(Concat(0), *parts)


@lowering("aten.scatter_reduce.two")
def scatter_reduce(
    call: Call, x: Value, dim: int, position: Value, source: Value, reduce: str, *, include_self: bool = True
) -> Value:
    """The tensor reduced with the source along one dimension, at an index for every place of the others."""
    if reduce == "sum" and include_self:
        return scatter_add(call, x, dim, position, source)
    dim = dim_of(dim, x.rank)
    if any(n != m for d, (n, m) in enumerate(zip(position.shape, x.shape, strict=True)) if d != dim):
        raise Unsupported("an index smaller than the tensor in other dimensions than the one it is for")
    if position.type.elements * x.shape[dim] > _LARGEST:
        raise Unsupported(f"a scattered {reduce} of so many elements")
    here = _hits(call, x, dim, position)
    for d, extent in enumerate(position.shape):
        source = call.slice(source, d, 0, extent)
    source = call.reshape(source, (*source.shape[:dim], 1, *source.shape[dim:]))
    return _combined(call, x, here, source, dim + 1, reduce, include_self)


def _hits(call: Call, x: Value, dim: int, position: Value) -> Value:
    """[..., place along dim, index along dim, ...]: whether that index is that place."""
    position = call.cast(position, DType.I64)
    position = call.reshape(position, (*position.shape[:dim], 1, *position.shape[dim:]))
    places = torch.arange(x.shape[dim]).reshape(-1, *(1,) * (x.rank - dim))
    return call.map("eq", position, call.aligned(call.constant(places), x.rank + 1), dtype=DType.I64)


def _combined(
    call: Call, x: Value, here: Value, source: Value, along: int, reduce: str, include_self: bool
) -> Value:
    fn = {"amax": "max", "amin": "min", "mean": "sum"}.get(reduce, reduce)
    neutral = {"sum": 0.0, "prod": 1.0, "max": -torch.inf, "min": torch.inf}[fn]
    if not x.type.dtype.is_float and fn in ("max", "min"):
        raise Unsupported("a scattered maximum or minimum of integers")
    found = call.add(Reduce(fn, (along,)), call.map("select", here, source, neutral))
    if include_self:
        found = call.map({"sum": "add", "prod": "mul"}.get(fn, fn), x, found)
    count = call.add(Reduce("sum", (along,)), call.cast(here, x.type.dtype))
    if reduce == "mean":
        total = call.map("add", count, 1) if include_self else call.map("max", count, 1)
        found = call.map("div" if x.type.dtype.is_float else "floordiv", found, total)
    return call.map("select", call.map("gt", count, 0, dtype=x.type.dtype), found, x)
