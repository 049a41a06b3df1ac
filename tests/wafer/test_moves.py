"""Every movement between cores against a loop over the cores."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compiler.arrays import draw as draw_array
from wsc.backends.wafer.execute.move import move, unwritten
from wsc.backends.wafer.instructions import (
    AllReduce,
    AllToAll,
    Halo,
    Lookup,
    Move,
    Multicast,
    Recv,
    ReduceScatter,
    ReduceTo,
    Shift,
)
from wsc.backends.wafer.program import Buffer
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.layout import Cut, Layout, Mesh, MeshAxis
from wsc.compiler.ops.base import Array

FNS: dict[str, Callable[[Array], Array]] = {
    "sum": lambda parts: parts.sum(axis=0),
    "max": lambda parts: parts.max(axis=0),
    "min": lambda parts: parts.min(axis=0),
}
DTYPES = st.sampled_from([DType.F32, DType.F32, DType.I64, DType.BF16])


def buffer(type: TensorType, layout: Layout) -> Buffer:
    return Buffer("b", type, layout, "local")


@st.composite
def meshes(draw: st.DrawFn) -> Mesh:
    """One to three axes of one to four parts."""
    axes = [
        MeshAxis(f"m{i}", draw(st.integers(1, 4)), draw(st.sampled_from("xy")))
        for i in range(draw(st.integers(1, 3)))
    ]
    return Mesh(tuple(axes))


Moved = tuple[Mesh, str, Buffer, Array]


@st.composite
def copies(draw: st.DrawFn) -> Moved:
    """A mesh, one of its axes, and tiles of a tensor that no axis cuts: each core holds something else."""
    mesh = draw(meshes())
    shape = tuple(draw(st.lists(st.integers(1, 5), max_size=3)))
    type = TensorType(draw(DTYPES), shape)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    tiles = draw_array(TensorType(type.dtype, mesh.shape + shape), rng)
    return mesh, draw(st.sampled_from(mesh.axes)).name, buffer(type, Layout(((),) * len(shape))), tiles


def at(mesh: Mesh, core: tuple[int, ...], name: str, part: int) -> tuple[int, ...]:
    """The core at another part of an axis."""
    place = list(core)
    place[mesh.index(name)] = part
    return tuple(place)


def along(mesh: Mesh, core: tuple[int, ...], name: str, tiles: Array) -> Array:
    """The tiles of all parts of an axis, in the line that a core lies on."""
    return np.stack([tiles[at(mesh, core, name, p)] for p in range(mesh[name].parts)])


def cores(mesh: Mesh) -> list[tuple[int, ...]]:
    return list(np.ndindex(*mesh.shape))


def assert_same(actual: Array, expected: Array) -> None:
    assert actual.dtype == expected.dtype
    np.testing.assert_allclose(actual.astype(float), expected.astype(float), rtol=1e-6, atol=1e-6)


@given(copies(), st.data())
def test_multicast(moved: Moved, data: st.DataObject) -> None:
    mesh, _, source, tiles = moved
    names = data.draw(st.lists(st.sampled_from([a.name for a in mesh.axes]), unique=True).map(tuple))
    found = move(Multicast(names), mesh, [source], source, [tiles])
    assert found.shape == tiles.shape
    for core in cores(mesh):
        origin = core
        for name in names:
            origin = at(mesh, origin, name, 0)
        assert_same(found[core], tiles[origin])


@pytest.mark.parametrize("fn", sorted(FNS))
@given(copies())
def test_reduce_to(fn: str, moved: Moved) -> None:
    mesh, name, source, tiles = moved
    found = move(ReduceTo(name, fn), mesh, [source], source, [tiles])
    for core in cores(mesh):
        if core[mesh.index(name)] == 0:
            line = along(mesh, core, name, tiles)
            assert_near(found[core], FNS[fn](line))
        else:
            assert_unwritten(found[core])


@pytest.mark.parametrize("fn", sorted(FNS))
@given(copies())
def test_all_reduce(fn: str, moved: Moved) -> None:
    mesh, name, source, tiles = moved
    found = move(AllReduce(name, fn), mesh, [source], source, [tiles])
    for core in cores(mesh):
        assert_near(found[core], FNS[fn](along(mesh, core, name, tiles)))


@pytest.mark.parametrize("fn", sorted(FNS))
@given(copies().filter(lambda moved: moved[2].type.rank > 0), st.data())
def test_reduce_scatter(fn: str, moved: Moved, data: st.DataObject) -> None:
    mesh, name, source, tiles = moved
    dim = data.draw(st.integers(0, source.type.rank - 1))
    n, parts = source.type.shape[dim], mesh[name].parts
    tile = -(-n // parts)
    cuts = list(source.layout.cuts)
    cuts[dim] = (Cut(name, tile),)
    result = buffer(source.type, Layout(tuple(cuts)))
    found = move(ReduceScatter(name, dim, fn), mesh, [source], result, [tiles])
    assert found.shape == mesh.shape + result.tile_type.shape
    for core in cores(mesh):
        total = FNS[fn](along(mesh, core, name, tiles))
        start = core[mesh.index(name)] * tile
        mine = total.take(range(start, min(start + tile, n)), axis=dim) if start < n else None
        if mine is not None:
            assert_near(found[core].take(range(mine.shape[dim]), axis=dim), mine)


def assert_near(actual: Array, expected: Array) -> None:
    """Sums in half precision are rounded once at the end, or after each addend."""
    tolerance = 0.05 if actual.dtype.itemsize == 2 else 1e-5
    assert actual.dtype.itemsize == expected.dtype.itemsize
    np.testing.assert_allclose(actual.astype(float), expected.astype(float), rtol=tolerance, atol=tolerance)


def assert_unwritten(tile: Array) -> None:
    if tile.dtype.kind == "i":
        assert (tile == np.iinfo(tile.dtype).min).all()
    else:
        assert np.isnan(tile.astype(float)).all()


@given(copies(), st.integers(-9, 9))
def test_shift(moved: Moved, by: int) -> None:
    mesh, name, source, tiles = moved
    found = move(Shift(name, by), mesh, [source], source, [tiles])
    for core in cores(mesh):
        part = (core[mesh.index(name)] + by) % mesh[name].parts
        assert_same(found[core], tiles[at(mesh, core, name, part)])


@st.composite
def cut_tensors(draw: st.DrawFn) -> tuple[Mesh, str, Buffer, Array, int]:
    """A mesh, an axis of it that cuts a dimension of a tensor, its tiles, and that dimension."""
    mesh = draw(meshes())
    name = draw(st.sampled_from(mesh.axes)).name
    shape = draw(st.lists(st.integers(1, 9), min_size=1, max_size=3))
    dim = draw(st.integers(0, len(shape) - 1))
    tile = -(-shape[dim] // mesh[name].parts)
    cuts: list[tuple[Cut, ...]] = [()] * len(shape)
    cuts[dim] = (Cut(name, tile),)
    source = buffer(TensorType(draw(DTYPES), tuple(shape)), Layout(tuple(cuts)))
    dense = draw_array(source.type, np.random.default_rng(draw(st.integers(0, 99))))
    return mesh, name, source, dense, dim


@given(cut_tensors(), st.data())
def test_halo(drawn: tuple[Mesh, str, Buffer, Array, int], data: st.DataObject) -> None:
    mesh, name, source, dense, dim = drawn
    n, tile = source.type.shape[dim], source.tile_type.shape[dim]
    lo, hi = data.draw(st.integers(0, tile)), data.draw(st.integers(0, tile))
    fill = data.draw(st.sampled_from([0.0, -2.0]))
    cuts = list(source.layout.cuts)
    cuts[dim] = (Cut(name, tile, lo, hi),)
    result = replace(source, layout=Layout(tuple(cuts)))
    tiles = source.layout.distribute(mesh, dense)
    found = move(Halo(dim, name, lo, hi, fill), mesh, [source], result, [tiles])
    assert found.shape == mesh.shape + result.tile_type.shape
    for core in cores(mesh):
        start = core[mesh.index(name)] * tile
        for local, place in enumerate(range(start - lo, start + tile + hi)):
            held = found[core].take(local, axis=dim)
            if 0 <= place < n:
                assert_same(held, dense.take(place, axis=dim))
            else:
                assert (held == np.asarray(fill, held.dtype)).all()


@given(cut_tensors().filter(lambda drawn: drawn[2].type.rank > 1), st.data())
def test_all_to_all(drawn: tuple[Mesh, str, Buffer, Array, int], data: st.DataObject) -> None:
    mesh, name, source, dense, join = drawn
    split = data.draw(st.sampled_from([d for d in range(source.type.rank) if d != join]))
    parts = mesh[name].parts
    n, tile = source.type.shape[split], -(-source.type.shape[split] // parts)
    cuts: list[tuple[Cut, ...]] = [()] * source.type.rank
    cuts[split] = (Cut(name, tile),)
    result = replace(source, layout=Layout(tuple(cuts)))
    found = move(AllToAll(name, split, join), mesh, [source], result, [source.layout.distribute(mesh, dense)])
    joined = source.type.shape[join]
    for core in cores(mesh):
        start = core[mesh.index(name)] * tile
        for place in range(start, min(start + tile, n)):
            held = found[core].take(place - start, axis=split)
            kept = held.take(range(joined), axis=join - (join > split))
            assert_same(kept, dense.take(place, axis=split))


@given(meshes(), st.integers(1, 20), st.integers(1, 4), st.lists(st.integers(1, 4), max_size=2), st.data())
def test_lookup(mesh: Mesh, rows: int, width: int, shape: list[int], data: st.DataObject) -> None:
    """Each part gives the rows it holds; summed over the parts they are numpy's take."""
    name = data.draw(st.sampled_from(mesh.axes)).name
    rng = np.random.default_rng(rows)
    table, index = rng.normal(size=(rows, width)).astype(np.float32), rng.integers(0, rows, shape)
    tile = -(-rows // mesh[name].parts)
    held = buffer(TensorType(DType.F32, table.shape), Layout(((Cut(name, tile),), ())))
    asked = buffer(TensorType(DType.I64, index.shape), Layout(((),) * index.ndim))
    given = buffer(TensorType(DType.F32, (*index.shape, width)), Layout(((),) * (index.ndim + 1)))
    tiles = [held.layout.distribute(mesh, table), asked.layout.distribute(mesh, index)]
    found = move(Lookup(name), mesh, [held, asked], given, tiles)
    assert found.shape == (*mesh.shape, *index.shape, width)
    for core in cores(mesh):
        part = core[mesh.index(name)]
        for place in np.ndindex(*index.shape):
            mine = part * tile <= index[place] < (part + 1) * tile
            row = table[index[place]] if mine else np.zeros(width, np.float32)
            assert_same(found[core + place], row)


def test_what_is_no_movement_within_a_region() -> None:
    nothing: Move = Recv("s0")
    with pytest.raises(TypeError, match="no movement Recv"):
        move(nothing, Mesh(()), [], buffer(TensorType(DType.F32, ()), Layout(())), [])


@pytest.mark.parametrize("dtype", list(DType))
def test_memory_that_nothing_wrote(dtype: DType) -> None:
    memory = unwritten((2, 3), dtype.numpy)
    assert (memory.shape, memory.dtype) == ((2, 3), dtype.numpy)
    if dtype.is_float:
        assert np.isnan(memory.astype(float)).all()
