"""Loads of links, against walking every path, and flows, against looking at every element."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from wsc.backends.wafer.defects import Box, Defects, keep_outs
from wsc.backends.wafer.simulate.flows import Port, find_flows
from wsc.backends.wafer.simulate.routes import EAST, NORTH, SOUTH, WEST, Flights, find_ways
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.layout import Layout, Mesh
from wsc.compiler.ops import Expand, Pad, Permute, Reshape, Slice
from wsc.compiler.ops.base import Op

STEPS = {EAST: (1, 0), WEST: (-1, 0), SOUTH: (0, 1), NORTH: (0, -1)}
places = st.tuples(st.integers(-1, 6), st.integers(0, 5))
journeys = st.lists(st.tuples(places, places, st.integers(1, 9)), min_size=1, max_size=8)


def flights(flows: list[tuple[tuple[int, int], tuple[int, int], int]]) -> Flights:
    rows = np.array([(*source, *target, words) for source, target, words in flows], np.int64)
    return Flights(*rows.T)


def walked(
    flows: list[tuple[tuple[int, int], tuple[int, int], int]], route: str
) -> Counter[tuple[int, int, int]]:
    """Words by (direction, x, y) of the core they leave, hop by hop."""
    words: Counter[tuple[int, int, int]] = Counter()
    for (x, y), target, count in flows:
        for axis in (0, 1) if route == "xy" else (1, 0):
            while (x, y)[axis] != target[axis]:
                ahead = (x, y)[axis] < target[axis]
                direction = ((EAST, WEST), (SOUTH, NORTH))[axis][0 if ahead else 1]
                words[direction, x, y] += count
                x, y = x + STEPS[direction][0], y + STEPS[direction][1]
    return words


@given(journeys, st.sampled_from(["xy", "yx"]))
def test_loads_are_what_walking_every_path_counts(
    flows: list[tuple[tuple[int, int], tuple[int, int], int]], route: str
) -> None:
    loads = find_ways(flights(flows), route).loads
    found = {
        (int(d), int(i) + loads.x, int(j) + loads.y): int(loads.words[d, j, i])
        for d, j, i in zip(*np.nonzero(loads.words), strict=True)
    }
    assert found == dict(walked(flows, route))


@given(journeys)
def test_both_ways_take_as_many_hops(flows: list[tuple[tuple[int, int], tuple[int, int], int]]) -> None:
    xy, yx = (find_ways(flights(flows), route) for route in ("xy", "yx"))
    assert xy.hops.tolist() == yx.hops.tolist() == [abs(a - c) + abs(b - d) for (a, b), (c, d), _ in flows]
    assert xy.loads.words.sum() == yx.loads.words.sum() == int((xy.hops * xy.flights.words).sum())


WIDTH, HEIGHT = 9, 8
inner = st.tuples(st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1))


@given(
    st.lists(st.tuples(inner, inner, st.integers(1, 9)), min_size=1, max_size=8),
    st.sets(inner, max_size=4),
    st.sampled_from(["xy", "yx"]),
)
def test_ways_go_round_dead_cores_and_lose_nothing(
    flows: list[tuple[tuple[int, int], tuple[int, int], int]], dead: set[tuple[int, int]], route: str
) -> None:
    try:
        boxes = keep_outs(Defects.model_construct(dead_cores=tuple(dead)), WIDTH, HEIGHT)
    except ValueError:
        assume(False)
    lost = {cell for box in boxes for cell in box.cells}
    flows = [flow for flow in flows if not lost & set(flow[:2])]
    assume(flows)
    ways = find_ways(flights(flows), route, boxes, (WIDTH, HEIGHT))
    net: Counter[tuple[int, int]] = Counter()
    for d, j, i in zip(*np.nonzero(ways.loads.words), strict=True):
        x, y = int(i) + ways.loads.x, int(j) + ways.loads.y
        behind = x + STEPS[int(d)][0], y + STEPS[int(d)][1]
        assert 0 <= behind[0] < WIDTH
        assert 0 <= behind[1] < HEIGHT
        assert not lost & {(x, y), behind}
        net[x, y] += int(ways.loads.words[d, j, i])
        net[behind] -= int(ways.loads.words[d, j, i])
    for source, target, words in flows:
        net[source] -= words
        net[target] += words
    assert not any(net.values())
    assert ways.loads.words.sum() == (ways.hops * ways.flights.words).sum()


def test_the_way_around_is_the_shorter_one() -> None:
    flow = [((0, 3), (8, 3), 5)]
    ways = find_ways(flights(flow), "xy", [Box(3, 2, 4, 5)], (WIDTH, HEIGHT))
    assert ways.hops.tolist() == [8 + 2 * 2]  # up to row 1 and back, not down to row 6
    at_the_edge = find_ways(flights(flow), "xy", [Box(3, 0, 4, 5)], (WIDTH, HEIGHT))
    assert at_the_edge.hops.tolist() == [8 + 2 * 3]


def test_a_turn_in_dead_cores_moves_to_the_side_of_the_target() -> None:
    flow = [((0, 3), (4, 7), 5)]
    assert find_ways(flights(flow), "xy", [Box(3, 2, 5, 4)], (WIDTH, HEIGHT)).hops.tolist() == [8]


def test_no_flow_loads_nothing() -> None:
    empty = np.zeros(0, np.int64)
    assert find_ways(Flights(empty, empty, empty, empty, empty), "xy").loads.busiest == 0


def core_of(mesh: Mesh, parts: dict[str, int]) -> int:
    """Number of a core along the rows of its region."""
    at = {"x": 0, "y": 0}
    for axis in mesh.axes:
        at[axis.along] += parts[axis.name] * mesh.pitch(axis.name)
    return at["y"] * mesh.width + at["x"]


def owner(port: Port, index: tuple[int, ...]) -> int:
    """The core that owns an element, found cut by cut."""
    assert port.layout is not None
    parts = {axis.name: 0 for axis in port.mesh.axes}
    for place, cuts in zip(index, port.layout.cuts, strict=True):
        for cut in cuts:
            parts[cut.axis] = min(place // cut.tile, port.mesh[cut.axis].parts - 1)
            place -= parts[cut.axis] * cut.tile
    return core_of(port.mesh, parts)


def counted(source: Port, views: tuple[Op, ...], target: Port) -> dict[tuple[int, int], int]:
    """Flows between layouts without overlap, element by element."""
    places = np.arange(source.type.elements).reshape(source.type.shape)
    for op in views:
        places = op.reference([places])
    found: Counter[tuple[int, int]] = Counter()
    for index, place in np.ndenumerate(places):
        origin = tuple(int(i) for i in np.unravel_index(place, source.type.shape))
        found[owner(source, origin), owner(target, index)] += 1
    return dict(found)


def port(shape: tuple[int, ...], layout: str, mesh: str) -> Port:
    return Port(TensorType(DType.F32, shape), Layout.parse(layout), Mesh.parse(mesh))


def found(source: Port, views: tuple[Op, ...], target: Port) -> dict[tuple[int, int], int]:
    flows = find_flows(source, views, target)
    return {
        (int(s), int(t)): int(n) for s, t, n in zip(flows.source, flows.target, flows.elements, strict=True)
    }


CASES = {
    "columns to rows": (port((6, 8), "[.,a:3]", "a=3x"), (), port((6, 8), "[b:2,.]", "b=3y")),
    "ragged to a grid": (port((7, 5), "[a:4,.]", "a=2x"), (), port((7, 5), "[a:3,b:2]", "b=3x a=3y")),
    "two axes of one direction": (
        port((8, 6), "[a:4/b:2,.]", "a=2x b=2x c=3x"), (), port((8, 6), "[.,c:2]", "c=3x a=2x"),
    ),
    "heads apart": (
        port((4, 12), "[.,n:5]", "n=3x"),
        (Reshape((4, 3, 4)), Permute((1, 0, 2))),
        port((3, 4, 4), "[h:1,s:2,.]", "h=3y s=2x"),
    ),
    "a part of it, copied": (
        port((4, 6), "[a:1,.]", "a=4y"),
        (Slice(1, 2, 5), Reshape((4, 1, 3)), Expand((4, 2, 3))),
        port((4, 2, 3), "[.,b:1,c:2]", "b=2x c=2y"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_flows_are_what_every_element_says(name: str) -> None:
    assert found(*CASES[name]) == counted(*CASES[name])


@given(st.data())
def test_flows_between_any_two_layouts(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))

    def any_port() -> Port:
        parts = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
        along = data.draw(st.tuples(st.sampled_from("xy"), st.sampled_from("xy")))
        tiles = [-(-n // p) for n, p in zip(shape, parts, strict=True)]
        mesh = f"a={parts[0]}{along[0]} b={parts[1]}{along[1]}"
        return port(shape, f"[a:{tiles[0]},b:{tiles[1]}]", mesh)

    source, target = any_port(), any_port()
    assert found(source, (), target) == counted(source, (), target)


def test_the_host_feeds_part_0_of_copies_and_both_sides_of_an_overlap() -> None:
    host = Port(TensorType(DType.F32, (8,)))
    assert found(host, (), port((8,), "[a:4]", "b=2x a=2y")) == {(0, 0): 4, (0, 2): 4}
    assert found(host, (), port((8,), "[a:4~1+1]", "a=2x")) == {(0, 0): 5, (0, 1): 5}
    assert found(port((8,), "[a:4]", "a=2x"), (), host) == {(0, 0): 4, (1, 0): 4}


def test_padding_comes_from_nowhere() -> None:
    source, target = port((4,), "[a:2]", "a=2x"), port((8,), "[a:4]", "a=2x")
    assert found(source, (Pad((1,), (3,), -1.5),), target) == {(0, 0): 2, (1, 0): 1, (1, 1): 1}


@pytest.mark.parametrize("target_chunks", [1, 2, 4])
def test_chunks_lie_on_the_same_cores(target_chunks: int) -> None:
    type = TensorType(DType.F32, (8, 6))
    source = Port(type, Layout.parse("[.,a:3]"), Mesh.parse("a=2x"), chunks=4, dim=0)
    rows = 8 // target_chunks // 2
    target = Port(type, Layout.parse(f"[b:{rows},.]"), Mesh.parse("b=2y"), chunks=target_chunks, dim=0)
    assert found(source, (), target) == {(s, t): 12 for s in (0, 1) for t in (0, 1)}
