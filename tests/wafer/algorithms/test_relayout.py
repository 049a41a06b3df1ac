"""From any layout to any other: every copy of every element, the text of a few, and what cannot be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wafer.algorithms.machines import machine
from tests.wafer.algorithms.running import on_every_core
from wsc.backends.wafer.algorithms import Block, cut_layout, relayout, relayout_steps
from wsc.backends.wafer.execute.network import Network
from wsc.backends.wafer.execute.run import _Region
from wsc.backends.wafer.instructions import Exchange
from wsc.backends.wafer.simulate import simulate
from wsc.backends.wafer.text import parse_program, print_program
from wsc.compiler.errors import AlgorithmError, DoesNotFit
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.layout import Cut, Layout, Mesh, MeshAxis

parts = st.integers(1, 4)
meshes = st.lists(st.tuples(parts, st.sampled_from("xy")), min_size=1, max_size=3).map(
    lambda axes: Mesh(tuple(MeshAxis("abc"[n], *axis) for n, axis in enumerate(axes)))
)
shapes = st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple)


@st.composite
def layouts(draw: st.DrawFn, mesh: Mesh, shape: tuple[int, ...], partial: frozenset[str]) -> Layout:
    """Any layout: axes cut a dimension, in even tiles or larger ones, or hold copies, or nothing but part 0."""
    cuts: list[list[Cut]] = [[] for _ in shape]
    at = []
    for axis in draw(st.permutations(mesh.axes)):
        if axis.name in partial:
            continue
        dim = draw(st.integers(-2, len(shape) - 1))
        if dim >= 0:
            extent = cuts[dim][-1].tile if cuts[dim] else shape[dim]
            cuts[dim].append(Cut(axis.name, -(-extent // axis.parts) + draw(st.sampled_from([0, 0, 1, 2]))))
        elif dim == -1:
            at.append(axis.name)
    for mine in cuts:
        if len(mine) == 1 and draw(st.booleans()):
            (cut,) = mine
            lo, hi = (draw(st.integers(0, cut.tile)) for _ in range(2))
            mine[0] = Cut(cut.axis, cut.tile, lo, hi)
    return Layout(tuple(map(tuple, cuts)), tuple(at), tuple(a.name for a in mesh.axes if a.name in partial))


@settings(max_examples=120, deadline=None)
@given(st.data(), meshes, shapes)
def test_every_element_comes_to_every_core_that_holds_it(
    data: st.DataObject, mesh: Mesh, shape: tuple[int, ...]
) -> None:
    wafer, type = machine("wse2"), TensorType(DType.F32, shape)
    partial = data.draw(st.frozensets(st.sampled_from([a.name for a in mesh.axes]), max_size=2))
    source, target = (
        data.draw(layouts(mesh, shape, p))
        for p in (partial, data.draw(st.sampled_from([partial, frozenset()])))
    )
    block = Block(mesh)
    x = block.input("x", type, source)
    y = relayout(block, x, target, wafer)
    if y is x:
        return
    block.output(y, "y")
    program = block.program("relayout", wafer)
    assert parse_program(print_program(program)) == program
    dense = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    region = _Region(program.kernels[0], {"x": dense}, Network(program))
    region.run()
    addends = int(np.prod([mesh[axis].parts for axis in set(source.partial) - set(target.partial)]))
    wanted = on_every_core(mesh, target, dense * addends)
    found = region.tiles[y.name]
    held = ~np.isnan(wanted)
    np.testing.assert_allclose(found[held], wanted[held], rtol=1e-4, atol=1e-5)
    assert simulate(program, wafer).latency_cycles > 0


MESH = Mesh((MeshAxis("i", 4, "y"), MeshAxis("j", 4, "x")))
WAYS = [
    ("[i:4,.]", "[.,i:4]", ["all_to_all"]),
    ("[i:4,.]", "[.,.]", ["all_gather"]),
    ("[.,.]", "[i:4,.]", ["keep"]),
    ("[.,.] at i,j", "[.,.]", ["multicast", "multicast"]),
    ("[.,j:4] partial i", "[i:4,j:4]", ["reduce_scatter"]),
    ("[.,j:4] partial i", "[.,j:4]", ["all_reduce"]),
    ("[.,j:4] partial i", "[.,j:4] at i", ["reduce_to"]),
    ("[.,.] partial i", "[.,.]", ["keep", "all_reduce", "all_gather"]),  # the copies along j share the sums
    ("[i:4,.]", "[i:4~1+2,.]", ["halo"]),
    ("[i:4~1+2,.]", "[i:4,.]", ["slice"]),
    ("[i:4,j:4]", "[j:4,i:4]", ["exchange"]),
]


@pytest.mark.parametrize(("source", "target", "kinds"), WAYS)
def test_the_way_is_the_one_a_person_would_take(source: str, target: str, kinds: list[str]) -> None:
    type = TensorType(DType.F32, (16, 16))
    layouts = Layout.parse(source), Layout.parse(target)
    steps = relayout_steps(MESH, type, *layouts, machine("wse2"))
    assert [step.op.kind for step in steps] == kinds
    assert steps[-1].layout == layouts[1]


def test_large_tiles_go_straight_to_their_place() -> None:
    layouts = Layout.parse("[i:16,j:64]"), Layout.parse("[j:16,i:64]")
    (step,) = relayout_steps(MESH, TensorType(DType.F32, (64, 256)), *layouts, machine("wse2"))
    assert step.op.kind == "exchange"


def test_a_gather_that_does_not_fit_is_passed_by() -> None:
    layouts = Layout.parse("[i:4,j:4]"), Layout.parse("[j:4,i:4]")
    (step,) = relayout_steps(MESH, TensorType(DType.F32, (16, 16)), *layouts, machine("wse2"), 64)
    assert step.op.kind == "exchange"


CROSSED = [
    ("[i:4,j:4]", "[j:4,i:4]"),
    ("[i:2/j:1,.]", "[.,j:4/i:1]"),
    ("[i:4,j:4]", "[i:2/j:1,.]"),
    ("[.,j:4] at i", "[j:2/i:1,.]"),
]


@pytest.mark.parametrize(("source", "target"), CROSSED)
def test_no_way_is_slower_than_straight_there(source: str, target: str) -> None:
    """By simulated cycles, which agree with the modelled ones."""
    wafer = machine("wse2")
    for shape in ((8, 8), (8, 160), (160, 160)):
        type = TensorType(DType.F32, shape)
        old, new = (scaled(Layout.parse(text), shape) for text in (source, target))
        ways = [Block(MESH), Block(MESH)]
        given = [block.input("x", type, old) for block in ways]
        ways[0].output(relayout(ways[0], given[0], new, wafer), "y")
        ways[1].output(ways[1].add(Exchange(), [given[1]], type, new), "y")
        chosen, straight = (simulate(block.program("p", wafer), wafer).latency_cycles for block in ways)
        assert chosen <= 1.01 * straight


def scaled(layout: Layout, shape: tuple[int, ...]) -> Layout:
    """The same axes with even tiles of another shape."""
    even = cut_layout(MESH, shape, ["/".join(c.axis for c in cuts) or None for cuts in layout.cuts])
    return replace(even, at=layout.at)


REFUSED = [
    (
        "[.,.]",
        "[.,.] partial i",
        AlgorithmError,
        "no relayout makes addends along 'i' from [.,.]: [.,.] partial i has them",
    ),
    (
        "[.,.]",
        "[i:4/j:1~1+0,.]",
        AlgorithmError,
        "no halo fills dimension 0 of [i:4/j:1~1+0,.]: overlaps are of a dimension cut once, of a tile at most",
    ),
    ("[.,.]", "[i:3,.]", AlgorithmError, "layout [i:3,.] of 'relayout': 4 tiles of 3 do not hold 16"),
    (
        "[.,.]",
        "[k:4,.]",
        AlgorithmError,
        "layout [k:4,.] of 'relayout': axis k is not in mesh i=4y j=4x, or twice",
    ),
    (
        "[i:4,.]",
        "[.,.]",
        DoesNotFit,
        "no way from layout [i:4,.] to [.,.] of f32[16,16] fits the 100 bytes that are left on a core:"
        " cut the tensor over more cores",
    ),
]


@pytest.mark.parametrize(("source", "target", "kind", "message"), REFUSED)
def test_what_cannot_be_is_refused(source: str, target: str, kind: type[Exception], message: str) -> None:
    given = MESH, TensorType(DType.F32, (16, 16)), Layout.parse(source), Layout.parse(target)
    with pytest.raises(kind) as caught:
        relayout_steps(*given, machine("wse2"), 100)
    assert str(caught.value) == message
