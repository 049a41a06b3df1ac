"""Views, joins and cuts: the elements stay what they are."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from wsc.compiler.ops import Concat, Gather, Pad, Update
from wsc.frontend.lower.call import Call, dim_of
from wsc.frontend.lower.registry import Unsupported, lowering
from wsc.frontend.lower.value import Value


@lowering("aten.as_strided.default")
def as_strided(
    call: Call, x: Value, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Value:
    """Elements by their places in memory, where the tensor's own memory is all that is read."""
    sample = call.samples[0]
    assert isinstance(sample, torch.Tensor)
    places = torch.empty_strided(sample.shape, sample.stride(), dtype=torch.int64)
    places.copy_(torch.arange(places.numel()).reshape(places.shape))
    if sample.storage_offset() or places.untyped_storage().nbytes() != 8 * places.numel():
        raise Unsupported("a view of memory that does not belong to the tensor alone")
    taken = torch.as_strided(places, tuple(size), tuple(stride), storage_offset or 0)
    if torch.equal(taken.flatten(), torch.arange(places.numel())):
        return call.reshape(x, tuple(size))
    flat = call.reshape(x, (x.type.elements,))
    return call.add(Gather(), flat, call.constant(taken.contiguous()))


@lowering("aten.diagonal.default", "aten.diagonal_copy.default")
def diagonal(call: Call, x: Value, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Value:
    """The elements of matrices at equal places, `offset` columns on, in a new last dimension."""
    flat, places, _ = _matrices(call, x, offset, dim1, dim2)
    return call.add(Gather(flat.rank - 1), flat, places)


@lowering("aten.diagonal_scatter.default")
def diagonal_scatter(
    call: Call, x: Value, source: Value, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Value:
    """The tensor with these elements replaced."""
    flat, places, order = _matrices(call, x, offset, dim1, dim2)
    placed = call.add(Update(flat.rank - 1), flat, places, call.cast(source, x.type.dtype))
    apart = call.reshape(placed, [x.shape[d] for d in order])
    return call.permute(apart, [order.index(d) for d in range(x.rank)])


def _matrices(call: Call, x: Value, offset: int, dim1: int, dim2: int) -> tuple[Value, Value, list[int]]:
    """The two dimensions joined at the end, the places of a diagonal along them, and the order they are in."""
    first, second = dim_of(dim1, x.rank), dim_of(dim2, x.rank)
    order = [*(d for d in range(x.rank) if d not in (first, second)), first, second]
    rows, columns = x.shape[first], x.shape[second]
    flat = call.permute(x, order)
    flat = call.reshape(flat, (*flat.shape[:-2], rows * columns))
    places = torch.arange(rows * columns).reshape(rows, columns).diagonal(offset)
    return flat, call.constant(places.contiguous()), order


@lowering(
    "aten.view.default",
    "aten._unsafe_view.default",
    "aten.reshape.default",
    "aten.flatten.using_ints",
    "aten.unflatten.int",
    "aten.unsqueeze.default",
    "aten.squeeze.default",
    "aten.squeeze.dim",
    "aten.squeeze.dims",
)
def reshaped(call: Call, x: Value, *_how: object) -> Value:
    """The elements in row-major order in the result's shape, which torch has worked out."""
    return call.reshape(x, call.result.shape)


@lowering("aten.permute.default")
def permute(call: Call, x: Value, dims: Sequence[int]) -> Value:
    """Dimensions in another order."""
    return call.permute(x, [dim_of(dim, x.rank) for dim in dims])


@lowering("aten.transpose.int")
def transpose(call: Call, x: Value, dim0: int, dim1: int) -> Value:
    """Two dimensions exchanged."""
    order = list(range(x.rank))
    first, second = dim_of(dim0, x.rank), dim_of(dim1, x.rank)
    order[first], order[second] = second, first
    return call.permute(x, order)


@lowering("aten.t.default")
def t(call: Call, x: Value) -> Value:
    """A matrix transposed; vectors stay as they are."""
    return call.permute(x, range(x.rank)[::-1])


@lowering("aten.expand.default")
def expand(call: Call, x: Value, size: Sequence[int], *, implicit: bool = False) -> Value:
    """Extents of 1 repeated, new dimensions in front."""
    return call.expand(x, call.result.shape)


@lowering("aten.repeat.default")
def repeat(call: Call, x: Value, repeats: Sequence[int]) -> Value:
    """The whole tensor repeated along each dimension."""
    x = call.aligned(x, len(repeats))
    apart = call.reshape(x, [n for extent in x.shape for n in (1, extent)])
    pairs = zip(repeats, x.shape, strict=True)
    return call.reshape(call.expand(apart, [n for pair in pairs for n in pair]), call.result.shape)


@lowering("aten.slice.Tensor")
def slice_(
    call: Call, x: Value, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Value:
    """Every `step`-th element from start up to end; negative places count from the back."""
    dim = dim_of(dim, x.rank)
    first, stop, _ = slice(start, end).indices(x.shape[dim])
    return call.slice(x, dim, first, max(first, stop), step)


@lowering("aten.select.int")
def select(call: Call, x: Value, dim: int, index: int) -> Value:
    """One place along a dimension, which goes away."""
    dim = dim_of(dim, x.rank)
    place = index % x.shape[dim]
    return call.reshape(call.slice(x, dim, place, place + 1), call.result.shape)


@lowering("aten.split_with_sizes.default")
def split_with_sizes(call: Call, x: Value, sizes: Sequence[int], dim: int = 0) -> tuple[Value, ...]:
    """Consecutive parts of given extents."""
    dim = dim_of(dim, x.rank)
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return tuple(call.slice(x, dim, start, start + n) for start, n in zip(starts, sizes, strict=True))


@lowering("aten.cat.default")
def cat(call: Call, tensors: Sequence[Value], dim: int = 0) -> Value:
    """One after another along a dimension; torch lets empty vectors join anything."""
    parts = [call.cast(x, call.result.dtype) for x in tensors if x.shape != (0,) or call.result.rank == 1]
    return parts[0] if len(parts) == 1 else call.add(Concat(dim_of(dim, call.result.rank)), *parts)


@lowering("aten.roll.default")
def roll(call: Call, x: Value, shifts: int | Sequence[int], dims: int | Sequence[int] = ()) -> Value:
    """Elements moved on along dimensions; those that fall off the end come back at the start."""
    shifts = [shifts] if isinstance(shifts, int) else shifts
    if isinstance(dims, Sequence) and not dims:
        flat = call.reshape(x, (x.type.elements,))
        return call.reshape(_rolled(call, flat, shifts[0], 0), x.shape)
    for shift, dim in zip(shifts, [dims] if isinstance(dims, int) else dims, strict=True):
        x = _rolled(call, x, shift, dim_of(dim, x.rank))
    return x


def _rolled(call: Call, x: Value, shift: int, dim: int) -> Value:
    extent = x.shape[dim]
    cut = -shift % max(extent, 1)
    if cut == 0:
        return x
    return call.add(Concat(dim), call.slice(x, dim, cut, extent), call.slice(x, dim, 0, cut))


@lowering("aten.constant_pad_nd.default")
def constant_pad(call: Call, x: Value, pad: Sequence[int], value: float = 0) -> Value:
    """Elements of one value before and after; pairs from the last dimension on, negative ones cut off."""
    pairs = [(pad[2 * i], pad[2 * i + 1]) for i in range(len(pad) // 2)]
    pairs = [(0, 0)] * (x.rank - len(pairs)) + pairs[::-1]
    for dim, (lo, hi) in enumerate(pairs):
        x = call.slice(x, dim, max(-lo, 0), x.shape[dim] - max(-hi, 0))
    lows, highs = (tuple(max(pair[side], 0) for pair in pairs) for side in (0, 1))
    return call.add(Pad(lows, highs, float(value)), x) if any(lows + highs) else x
