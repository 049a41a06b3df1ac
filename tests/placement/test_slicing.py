"""The shape curves against an enumeration of all slicing floorplans, the runs that fill boxes, cuts of the fabric."""

from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from wsc.placement.candidates import catalogue
from wsc.placement.problem import Block, Fabric, Problem, Shape
from wsc.placement.regions import Box, around, partitions
from wsc.placement.slicing import NONE, affordable_reach, curves, fill

SIDE = 9
SHAPES = st.lists(st.builds(Shape, st.integers(1, 5), st.integers(1, 5), st.just(1)), min_size=1, max_size=3)
CHAINS = st.lists(SHAPES.map(tuple), min_size=1, max_size=5)


def chain(shapes: list[tuple[Shape, ...]]) -> Problem:
    return Problem(Fabric(SIDE, SIDE), tuple(Block(str(i), each) for i, each in enumerate(shapes)))


@given(CHAINS)
def test_curves_are_those_of_the_best_slicing_floorplan(shapes: list[tuple[Shape, ...]]) -> None:
    @cache
    def sizes(start: int, stop: int) -> frozenset[tuple[int, int]]:
        """(width, height) of every slicing floorplan of the run."""
        if stop - start == 1:
            return frozenset((s.width, s.height) for s in shapes[start])
        found = set()
        for at in range(start + 1, stop):
            for w, h in sizes(start, at):
                for v, g in sizes(at, stop):
                    found |= {(w + v, max(h, g)), (max(w, v), h + g)}
        return frozenset(found)

    problem = chain(shapes)
    found = curves(catalogue(problem), problem.fabric, 1, len(shapes), range(len(shapes)))
    for stop in range(1, len(shapes) + 1):
        for side in range(1, SIDE + 1):
            for axis, told in ((0, found.height(0, stop, side)), (1, found.width(0, stop, side))):
                real = min((size[1 - axis] for size in sizes(0, stop) if size[axis] <= side), default=NONE)
                assert told == real or (told > SIDE and real > SIDE)


@given(CHAINS, st.integers(1, 5))
def test_filled_runs_cover_the_chain_and_fit(shapes: list[tuple[Shape, ...]], reach: int) -> None:
    problem = chain(shapes)
    found = curves(catalogue(problem), problem.fabric, 1, min(reach, len(shapes)), range(len(shapes)))
    boxes = (Box(0, 0, 4, SIDE), Box(4, 0, 5, 5))
    strips = fill(found, boxes)
    if strips is None:
        return
    runs = [run for strip in strips for run in strip.runs]
    assert [first for first, _ in runs] == [0, *(stop for _, stop in runs[:-1])]
    assert runs[-1][1] == len(shapes)
    for strip in strips:
        assert strip.box in boxes
        assert all(stop - first <= reach for first, stop in strip.runs)
        if strip.across:
            sides = [found.width(first, stop, strip.box.height) for first, stop in strip.runs]
            assert sum(sides) <= strip.box.width
        else:
            sides = [found.height(first, stop, strip.box.width) for first, stop in strip.runs]
            assert sum(sides) <= strip.box.height


def test_short_reach_still_fills_a_box_in_strips() -> None:
    problem = chain([(Shape(3, 3, 1),)] * 9)
    found = curves(catalogue(problem), problem.fabric, 1, 3, range(9))
    strips = fill(found, (Box(0, 0, SIDE, SIDE),))
    assert strips is not None
    assert [run for strip in strips for run in strip.runs] == [(0, 3), (3, 6), (6, 9)]


def test_reach_is_what_the_splits_allow() -> None:
    assert affordable_reach(90, 300_000) == 90
    assert affordable_reach(5, 0) == 1
    blocks, splits = 300, 100_000
    reach = affordable_reach(blocks, splits)
    spent = sum((blocks - length + 1) * (length - 1) for length in range(2, reach + 1))
    assert spent <= splits < spent + (blocks - reach) * reach


CELLS = st.sets(st.tuples(st.integers(0, SIDE - 1), st.integers(0, SIDE - 1)), max_size=12)


@given(CELLS)
def test_partitions_hold_no_cell_twice_and_no_blocked_cell(blocked: set[tuple[int, int]]) -> None:
    for boxes in partitions(Fabric(SIDE, SIDE, tuple(sorted(blocked)))):
        cells = [(box.x + i, box.y + j) for box in boxes for i in range(box.width) for j in range(box.height)]
        assert len(cells) == len(set(cells))
        assert not blocked & set(cells)
        assert all(0 <= x < SIDE and 0 <= y < SIDE for x, y in cells)


def test_a_blocked_edge_costs_nothing_more() -> None:
    best = partitions(Fabric(SIDE, SIDE, tuple((x, 0) for x in range(SIDE))))[0]
    assert best == (Box(0, 1, SIDE, SIDE - 1),)


BOXES = st.builds(Box, st.integers(0, 6), st.integers(0, 6), st.integers(1, 5), st.integers(1, 5))


@given(st.lists(BOXES, max_size=4))
def test_boxes_around_obstacles_are_all_that_is_left(obstacles: list[Box]) -> None:
    found = around(Box(0, 0, SIDE, SIDE), obstacles)
    cells = [(box.x + i, box.y + j) for box in found for i in range(box.width) for j in range(box.height)]
    every = {(x, y) for x in range(SIDE) for y in range(SIDE)}
    assert len(cells) == len(set(cells))
    assert set(cells) == {cell for cell in every if not any(it.covers(cell) for it in obstacles)}
