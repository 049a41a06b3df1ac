"""Two meshes over the same cores: every element is in one place, however its axes are written."""

from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wafer.algorithms.machines import machine
from tests.wafer.algorithms.running import run
from wsc.backends.wafer.algorithms import cut_layout, refine
from wsc.backends.wafer.algorithms.catalog import Sizes, find_entry
from wsc.compiler.errors import AlgorithmError
from wsc.compiler.layout import Layout, Mesh, MeshAxis
from wsc.compiler.ops.base import Array


def on_cores(mesh: Mesh, layout: Layout, dense: Array) -> Array:
    """Tiles by the place of their core: [y, x, tile]."""
    x, y = mesh.coordinates
    tiles = layout.distribute(mesh, dense)
    placed = np.empty((mesh.height, mesh.width, *tiles.shape[len(mesh.axes) :]), dense.dtype)
    placed[y, x] = tiles
    return placed


@st.composite
def factored(draw: st.DrawFn) -> tuple[Mesh, Mesh]:
    """Two meshes that join finer axes of the same cores in different ways."""
    meshes: list[list[MeshAxis]] = [[], []]
    for along in "xy":
        fine = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
        for number, mesh in enumerate(meshes):
            ends = [*(n for n in range(1, len(fine)) if draw(st.booleans())), len(fine)]
            starts = [0, *ends[:-1]]
            for start, end in zip(starts, ends, strict=True):
                mesh.append(MeshAxis(f"{'ab'[number]}{along}{start}", prod(fine[start:end]), along))
    return Mesh(tuple(meshes[0])), Mesh(tuple(meshes[1]))


@settings(max_examples=100, deadline=None)
@given(factored(), st.tuples(st.integers(1, 9), st.integers(1, 9)), st.data())
def test_a_layout_says_the_same_in_finer_axes(
    meshes: tuple[Mesh, Mesh], shape: tuple[int, int], data: st.DataObject
) -> None:
    finer = refine(*meshes)
    assert (finer.mesh.width, finer.mesh.height) == (meshes[0].width, meshes[0].height)
    dense = np.arange(prod(shape)).reshape(shape) + 1
    for number, mesh in enumerate(meshes):
        names = data.draw(st.permutations([a.name for a in mesh.axes if a.parts > 1]))
        cut = data.draw(st.integers(0, len(names)))
        layout = cut_layout(mesh, shape, ("/".join(names[:cut]) or None, "/".join(names[cut:]) or None))
        fine = finer.translate(layout, second=number == 1)
        np.testing.assert_array_equal(on_cores(finer.mesh, fine, dense), on_cores(mesh, layout, dense))


def test_from_the_heads_of_prefill_to_those_of_decode() -> None:
    sizes = Sizes(
        shape=(4, 8, 6),
        source="[h:2,i:2,j:3]",
        target="[g:1,.,k:2]",
        mesh="h=2x j=2x i=4y",
        to_mesh="g=4x k=4y",
    )
    entry = find_entry("relayout")
    program = entry.program(sizes, machine("wse2"))
    x = np.arange(192, dtype=np.float32).reshape(4, 8, 6)
    np.testing.assert_array_equal(run(program, {"x": x})["y"], x)
    assert program.kernels[0].buffers[-1].layout == Layout.parse("[x0:2/x1:1,.,y0:2]")


REFUSED = [
    ("a=4x", "a=6x", "mesh a=4x is of 4 x 1 cores, and mesh a=6x of 6 x 1: a relayout stays on its cores"),
    (
        "a=4x b=6x",
        "a=6x b=4x",
        "meshes a=4x b=6x and a=6x b=4x have no common refinement along x: groups of 6 cores hold no whole number of"
        " groups of 4",
    ),
]


@pytest.mark.parametrize(("first", "second", "message"), REFUSED)
def test_what_cannot_be_is_refused(first: str, second: str, message: str) -> None:
    with pytest.raises(AlgorithmError) as caught:
        refine(Mesh.parse(first), Mesh.parse(second))
    assert str(caught.value) == message


def test_an_overlap_has_one_axis() -> None:
    finer = refine(Mesh.parse("a=4x"), Mesh.parse("a=2x b=2x"))
    with pytest.raises(AlgorithmError) as caught:
        finer.translate(Layout.parse("[a:2~1+1]"))
    assert str(caught.value) == "cut a:2~1+1 overlaps, and its axis is made of x0, x1 in the finer mesh"
