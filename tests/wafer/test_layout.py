"""Layouts against loops over every core and every element."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.layout import Cut, Layout, Mesh, MeshAxis

# --- any text


words = st.from_regex(r"\A\w{1,3}\Z")
cuts = st.builds(Cut, words, st.integers(1, 99), st.integers(0, 9), st.integers(0, 9))
axis_names = st.lists(words, max_size=2, unique=True).map(tuple)
layouts = st.builds(
    Layout, st.lists(st.lists(cuts, max_size=2).map(tuple), max_size=4).map(tuple), axis_names, axis_names
)
axes = st.builds(MeshAxis, words, st.integers(1, 99), st.sampled_from("xy"))
meshes = st.lists(axes, max_size=4, unique_by=lambda a: a.name).map(tuple).map(Mesh)


@given(layouts)
def test_a_layout_reads_back_equal(layout: Layout) -> None:
    assert Layout.parse(str(layout)) == layout


@given(meshes)
def test_a_mesh_reads_back_equal(mesh: Mesh) -> None:
    assert Mesh.parse(str(mesh)) == mesh


def test_text_of_a_layout() -> None:
    layout = Layout(((), (Cut("k", 8), Cut("n", 2, 1, 3))), ("m",), ("b", "c"))
    assert str(layout) == "[.,k:8/n:2~1+3] at m partial b,c"
    assert str(Layout(())) == "[]"
    assert str(Mesh((MeshAxis("k", 4, "y"), MeshAxis("n", 2, "x")))) == "k=4y n=2x"
    assert str(Mesh(())) == "-"


@pytest.mark.parametrize(
    "text", ["", "[.", "[k]", "[k:]", "[k:2~1]", "[k:2/]", "[,]", "[.] at", "[.]at k", "[.] partial k at m"]
)
def test_what_is_no_layout_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a "):
        Layout.parse(text)


@pytest.mark.parametrize("text", ["k", "k=2", "k=2z", "k=x", "=2x", "k=-1x", "k=0x"])
def test_what_is_no_mesh_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a mesh axis|bad mesh axis"):
        Mesh.parse(text)


def test_lines_of_axes_are_folded_as_on_a_mesh_that_was_never_asked() -> None:
    """Every line by itself and two at once, asked twice; what is no line is refused each time."""
    mesh = Mesh.parse("a=2y b=3y c=2x d=5x")
    lines = {("a*b",): "a*b=6y c=2x d=5x", ("c*d",): "a=2y b=3y c*d=10x", ("a*b", "c*d"): "a*b=6y c*d=10x"}
    for _ in range(2):
        assert mesh.folded("a", "d") == mesh
        for names, text in lines.items():
            assert str(mesh.folded(*names)) == str(mesh.folded(*reversed(names))) == text
            assert [mesh.folded(*names).index(axis.name) for axis in mesh.folded(*names).axes] == [
                *range(len(text.split()))
            ]
        for name in ("b*a", "b*c", "a*c"):
            with pytest.raises(ValueError, match="is no line of the mesh"):
                mesh.folded(name)


# --- places of cores


@given(meshes.filter(lambda m: np.prod(m.shape) < 500))
def test_every_core_has_a_place_of_its_own(mesh: Mesh) -> None:
    x, y = mesh.coordinates
    assert x.shape == y.shape == mesh.shape
    places = set(zip(x.ravel().tolist(), y.ravel().tolist(), strict=True))
    assert places == set(product(range(mesh.width), range(mesh.height)))


@given(meshes.filter(lambda m: len(m.axes) > 0 and np.prod(m.shape) < 500), st.data())
def test_the_next_part_lies_a_pitch_away(mesh: Mesh, data: st.DataObject) -> None:
    axis = data.draw(st.sampled_from(mesh.axes))
    x, y = mesh.coordinates
    along, across = (x, y) if axis.along == "x" else (y, x)
    at = mesh.index(axis.name)
    assert mesh[axis.name] == axis
    assert (np.diff(along, axis=at) == mesh.pitch(axis.name)).all()
    assert (np.diff(across, axis=at) == 0).all()


def test_the_first_axis_of_a_direction_is_the_slowest() -> None:
    mesh = Mesh((MeshAxis("a", 2, "x"), MeshAxis("b", 5, "y"), MeshAxis("c", 3, "x")))
    assert (mesh.width, mesh.height) == (6, 5)
    assert [mesh.pitch(name) for name in "abc"] == [3, 1, 1]
    x, y = mesh.coordinates
    assert (x[1, 4, 2], y[1, 4, 2]) == (5, 4)


def test_an_axis_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="'z' is no axis of the mesh"):
        Mesh((MeshAxis("a", 2, "x"),)).pitch("z")


# --- tiles


@st.composite
def cut_tensors(draw: st.DrawFn) -> tuple[Mesh, Layout, tuple[int, ...]]:
    """A shape cut over a mesh: ragged, nested up to twice, overlapping or copied; tiles cover the tensor."""
    shape = tuple(draw(st.lists(st.integers(1, 9), max_size=3)))
    made: list[MeshAxis] = []
    dims = []
    for n in shape:
        nested = []
        for _ in range(draw(st.integers(0, 2))):
            tile = draw(st.integers(1, n))
            parts = -(-n // tile) + draw(st.integers(0, 1))
            made.append(MeshAxis(f"m{len(made)}", parts, draw(st.sampled_from("xy"))))
            nested.append(Cut(made[-1].name, tile))
            n = tile
        if len(nested) == 1 and draw(st.booleans()):
            lo, hi = draw(st.integers(0, 4)), draw(st.integers(0, 4))
            nested = [Cut(nested[0].axis, nested[0].tile, lo, hi)]
        dims.append(tuple(nested))
    if draw(st.booleans()):
        made.append(MeshAxis("copies", draw(st.integers(1, 3)), draw(st.sampled_from("xy"))))
    return Mesh(tuple(draw(st.permutations(made)))), Layout(tuple(dims)), shape


def tile_span(mesh: Mesh, cuts: tuple[Cut, ...], core: tuple[int, ...], n: int) -> list[int | None]:
    """The global index of every element of a core's tile of one dimension; None where there is none."""
    start, end = 0, n
    for cut in cuts:
        start += core[mesh.index(cut.axis)] * cut.tile
        end = min(end, start + cut.tile)
    if not cuts:
        return list(range(n))
    last = cuts[-1]
    first, stop = start - last.lo, start + last.tile + last.hi
    limit = n if last.lo or last.hi else end
    return [i if 0 <= i < min(limit, stop) else None for i in range(first, stop)]


@given(cut_tensors())
def test_tiles_hold_what_the_cuts_say(drawn: tuple[Mesh, Layout, tuple[int, ...]]) -> None:
    mesh, layout, shape = drawn
    dense = np.arange(1, 1 + np.prod(shape, dtype=int)).reshape(shape)
    tiles = layout.distribute(mesh, dense, fill=-7)
    valid = layout.valid(mesh, shape)
    assert tiles.shape == mesh.shape + layout.tile(shape)
    assert layout.tile_type(TensorType(DType.F32, shape)).shape == layout.tile(shape)
    for core in np.ndindex(*mesh.shape):
        spans = [tile_span(mesh, c, core, n) for c, n in zip(layout.cuts, shape, strict=True)]
        for local, place in zip(product(*(range(len(s)) for s in spans)), product(*spans), strict=True):
            exists = None not in place
            assert tiles[core + local] == (dense[place] if exists else -7)
            assert (valid is None and exists) or (valid is not None and valid[core + local] == exists)


@given(cut_tensors())
def test_collect_undoes_distribute(drawn: tuple[Mesh, Layout, tuple[int, ...]]) -> None:
    mesh, layout, shape = drawn
    dense = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    tiles = layout.distribute(mesh, dense, fill=-1)
    back = layout.collect(mesh, tiles, shape)
    assert back.dtype == dense.dtype
    np.testing.assert_array_equal(back, dense)


@given(cut_tensors())
def test_an_element_is_read_where_it_is_owned(drawn: tuple[Mesh, Layout, tuple[int, ...]]) -> None:
    """Overlap and copies hold elements too; they are read where no overlap is, on part 0 of what holds copies."""
    mesh, layout, shape = drawn
    dense = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    owners = np.zeros(mesh.shape, bool)
    owners[tuple(np.broadcast_to(part, shape) for part in layout.owners(mesh, shape))] = True
    tiles = layout.distribute(mesh, dense)
    tiles[~owners] = -1
    for d, cuts in enumerate(layout.cuts):
        if cuts:
            inner = [slice(None)] * (len(mesh.axes) + d) + [slice(cuts[-1].lo, cuts[-1].lo + cuts[-1].tile)]
            kept = tiles[tuple(inner)].copy()
            tiles = np.full_like(tiles, -1)
            tiles[tuple(inner)] = kept
    np.testing.assert_array_equal(layout.collect(mesh, tiles, shape), dense)
    idle = [i for i, axis in enumerate(mesh.axes) if axis.name not in layout.axes]
    assert not any(owners.take(range(1, mesh.shape[i]), axis=i).any() for i in idle)
