"""Reading and replacing parts of a tensor at places given by another."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from wsc.compiler.ir.types import DType
from wsc.compiler.ops import Expand, Gather, Scan, Update
from wsc.frontend.lower.call import Call, dim_of
from wsc.frontend.lower.registry import Unsupported, lowering
from wsc.frontend.lower.value import Value


@lowering("aten.embedding.default")
def embedding(
    call: Call,
    weight: Value,
    indices: Value,
    padding_idx: int = -1,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Value:
    """Rows of a table."""
    return call.add(Gather(), weight, indices)


@lowering("aten.index_select.default")
def index_select(call: Call, x: Value, dim: int, index: Value) -> Value:
    """Places along one dimension."""
    return call.add(Gather(dim_of(dim, x.rank)), x, call.aligned(index, 1))


@lowering("aten.index.Tensor")
def index(call: Call, x: Value, indices: Sequence[Value | None]) -> Value:
    """Places along some dimensions, by integer tensors that broadcast against each other."""
    if any(i.type.dtype == DType.BOOL for i in indices if i is not None):
        raise Unsupported("a boolean index selects a number of elements that depends on values")
    places = [dim for dim, i in enumerate(indices) if i is not None]
    if places != list(range(places[0], places[-1] + 1)):
        # As in torch: the dimensions of indices that stand apart come first.
        x = call.permute(x, [*places, *(dim for dim in range(x.rank) if dim not in places)])
        indices, places = [i for i in indices if i is not None], list(range(len(places)))
    flat, position = _flattened(call, x, indices, places)
    return call.add(Gather(places[0]), flat, position)


@lowering("aten.index_put.default")
def index_put(
    call: Call, x: Value, indices: Sequence[Value | None], values: Value, accumulate: bool = False
) -> Value:
    """The tensor with places replaced that integer tensors give, or with one number where a mask is true."""
    first = indices[0]
    if first is not None and first.type.dtype == DType.BOOL and not accumulate:
        return _masked_put(call, x, indices, first, values)
    if any(i.type.dtype == DType.BOOL for i in indices if i is not None):
        raise Unsupported("a boolean index selects a number of elements that depends on values")
    places = [dim for dim, i in enumerate(indices) if i is not None]
    if places != list(range(places[0], places[-1] + 1)):
        raise Unsupported("replacing at indices of dimensions that are not next to each other")
    flat, position = _flattened(call, x, indices, places)
    before, after = flat.shape[: places[0]], flat.shape[places[0] + 1 :]
    source = call.expand(call.cast(values, x.type.dtype), (*before, *position.shape, *after))
    source = call.reshape(source, (*before, position.type.elements, *after))
    position = call.reshape(position, (position.type.elements,))
    return call.reshape(_updated(call, Update(places[0], add=accumulate), flat, position, source), x.shape)


def _updated(call: Call, op: Update, x: Value, position: Value, source: Value) -> Value:
    """The tensor with what an update replaces; itself where that is nothing."""
    return call.add(op, x, position, source) if source.type.elements else x


def _masked_put(call: Call, x: Value, indices: Sequence[Value | None], mask: Value, values: Value) -> Value:
    if len(indices) > 1 or values.type.elements != 1:
        raise Unsupported("a boolean index replaces a number of elements that depends on values")
    mask = call.reshape(mask, (*mask.shape, *(1,) * (x.rank - mask.rank)))
    return call.map("select", mask, call.reshape(values, ()), x)


def _flattened(
    call: Call, x: Value, indices: Sequence[Value | None], places: Sequence[int]
) -> tuple[Value, Value]:
    """`x` with neighbouring dimensions joined into one, and the place along it that their indices give together."""
    given = [call.cast(i, DType.I64) for i in indices if i is not None]
    extents = [x.shape[dim] for dim in places]
    position = given[0]
    if len(given) > 1:
        position = _from_front(call, given[0], extents[0])
    for i, extent in zip(given[1:], extents[1:], strict=True):
        scaled = call.map("mul", position, extent, dtype=DType.I64)
        position = call.map("add", scaled, _from_front(call, i, extent), dtype=DType.I64)
    joined = torch.Size(extents).numel()
    return call.reshape(x, (*x.shape[: places[0]], joined, *x.shape[places[-1] + 1 :])), position


def _from_front(call: Call, i: Value, extent: int) -> Value:
    """An index with negative places, which count from the back, made positive."""
    if i.known is not None:
        return call.constant(i.known % extent)
    return call.map("mod", i, extent, dtype=DType.I64)


@lowering("aten.index_copy.default")
def index_copy(call: Call, x: Value, dim: int, position: Value, source: Value) -> Value:
    """The tensor with slices along a dimension replaced at the places given."""
    position = call.cast(call.aligned(position, 1), DType.I64)
    return _updated(call, Update(dim_of(dim, x.rank)), x, position, source)


@lowering("aten.index_add.default")
def index_add(call: Call, x: Value, dim: int, position: Value, source: Value, *, alpha: float = 1) -> Value:
    """The tensor with slices added along a dimension at the places given, which may repeat."""
    source = source if alpha == 1 else call.map("mul", source, alpha)
    op = Update(dim_of(dim, x.rank), add=True)
    return _updated(call, op, x, call.cast(call.aligned(position, 1), DType.I64), source)


@lowering("aten.scatter_add.default")
def scatter_add(call: Call, x: Value, dim: int, position: Value, source: Value) -> Value:
    """The tensor added to along one dimension, with an index of its own for every place of the others."""
    return _scattered(call, x, dim, position, source, add=True)


@lowering("aten.slice_scatter.default")
def slice_scatter(
    call: Call,
    x: Value,
    source: Value,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Value:
    """The tensor with every `step`-th slice from start up to end replaced."""
    dim = dim_of(dim, x.rank)
    places = torch.arange(x.shape[dim])[slice(start, end, step)]
    source = call.cast(source, x.type.dtype)
    if len(places) == x.shape[dim]:
        return source
    return _updated(call, Update(dim), x, call.constant(places), source)


@lowering("aten.gather.default")
def gather(call: Call, x: Value, dim: int, position: Value, *, sparse_grad: bool = False) -> Value:
    """Along one dimension, with an index of its own for every place of the others."""
    last, back = _to_last(x.rank, dim_of(dim, x.rank))
    for d, extent in enumerate(position.shape):
        if d != dim_of(dim, x.rank):
            x = call.slice(x, d, 0, extent)
    op = Gather(x.rank - 1, batch=x.rank - 1)
    return call.permute(call.add(op, call.permute(x, last), call.permute(position, last)), back)


@lowering("aten.scatter.value", "aten.scatter.src")
def scatter(call: Call, x: Value, dim: int, position: Value, source: Value | float) -> Value:
    """The tensor replaced along one dimension, with an index of its own for every place of the others."""
    return _scattered(call, x, dim, position, source, add=False)


def _scattered(call: Call, x: Value, dim: int, position: Value, source: Value | float, add: bool) -> Value:
    dim = dim_of(dim, x.rank)
    if any(n != m for d, (n, m) in enumerate(zip(position.shape, x.shape, strict=True)) if d != dim):
        raise Unsupported("an index smaller than the tensor in other dimensions than the one it is for")
    last, back = _to_last(x.rank, dim)
    source = call.tensor(source, x.type.dtype)
    for d, extent in enumerate(position.shape if source.rank else ()):
        source = call.slice(source, d, 0, extent)
    source = call.expand(source, position.shape)
    operands = [call.permute(value, last) for value in (x, position, source)]
    return call.permute(_updated(call, Update(x.rank - 1, x.rank - 1, add), *operands), back)


@lowering("aten.masked_scatter.default")
def masked_scatter(call: Call, x: Value, mask: Value, source: Value) -> Value:
    """The tensor with the source's elements, one after another, wherever a mask is true; rows where it is of rows."""
    shape = call.result.shape
    mask, rows = _mask_of_rows(call, call.expand(mask, shape))
    width = torch.Size(shape[rows.rank :]).numel()
    if source.type.elements % width:
        rows, width = mask, 1
    flat = call.cast(call.reshape(rows, (rows.type.elements,)), DType.I64)
    place = call.map("sub", call.add(Scan("sum", 0), flat), 1, dtype=DType.I64)
    place = call.map("max", place, 0, dtype=DType.I64)  # before the first that is true
    source = call.reshape(source, (source.type.elements // width, width))
    taken = call.reshape(call.add(Gather(), source, place), shape)
    return call.map("select", mask, taken, x)


def _mask_of_rows(call: Call, mask: Value) -> tuple[Value, Value]:
    """A mask, and the part of it that its last dimensions repeat."""
    rank = mask.rank
    if isinstance(mask.op, Expand):
        inner = call.aligned(mask.operands[0], rank)
        while rank and inner.shape[rank - 1] == 1:
            rank -= 1
        if rank and inner.shape[:rank] == mask.shape[:rank]:
            return mask, call.reshape(inner, mask.shape[:rank])
    return mask, mask


def _to_last(rank: int, dim: int) -> tuple[list[int], list[int]]:
    """The order that brings a dimension to the end, and the one that brings it back."""
    order = [*(d for d in range(rank) if d != dim), dim]
    return order, [order.index(d) for d in range(rank)]


@lowering("aten.flip.default")
def flip(call: Call, x: Value, dims: Sequence[int]) -> Value:
    """Dimensions walked backwards."""
    for dim in (dim_of(d, x.rank) for d in dims):
        x = call.add(Gather(dim), x, call.constant(torch.arange(x.shape[dim] - 1, -1, -1)))
    return x


@lowering("aten.unfold.default")
def unfold(call: Call, x: Value, dim: int, size: int, step: int) -> Value:
    """Every window along a dimension, its elements in a new last dimension."""
    dim = dim_of(dim, x.rank)
    windows = torch.arange(x.shape[dim]).unfold(0, size, step).contiguous()
    taken = call.add(Gather(dim), x, call.constant(windows))
    return call.permute(taken, [*(d for d in range(taken.rank) if d != dim + 1), dim + 1])
