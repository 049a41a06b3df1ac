"""What a problem refuses, and that pruning dominated shapes loses nothing."""

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsc.compiler.errors import DoesNotFit, PlacementError, VerificationError
from wsc.placement.candidates import catalogue, time_bound, undominated
from wsc.placement.problem import MAX_SIDE, Block, Fabric, Group, Net, Problem, Shape, Weights

UNIT = (Shape(1, 1, 5),)
SIDES = st.integers(1, 6)
SHAPES = st.lists(st.builds(Shape, SIDES, SIDES, SIDES, SIDES), min_size=1, max_size=30).map(tuple)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Shape(0, 1, 1), "positive sides"),
        (lambda: Shape(1, 1, -1), "positive sides"),
        (lambda: Block("a", ()), "no candidate shape"),
        (lambda: Net(1, 1, 4), "joins two blocks"),
        (lambda: Net(0, 1, -4), "joins two blocks"),
        (lambda: Fabric(0, 4), "sides go from 1"),
        (lambda: Fabric(4, MAX_SIDE + 1), "sides go from 1"),
        (lambda: Fabric(4, 4, ((4, 0),)), "outside 4 x 4"),
        (lambda: Fabric(4, 4, ((1, 0), (1, 0))), "named twice"),
        (lambda: Problem(Fabric(4, 4), ()), "needs a block"),
        (lambda: Group("g", (), (0, 0, 1, 1)), "needs blocks"),
        (lambda: Group("g", (0,), (0, 0, 0, 1)), "no box"),
        (lambda: Weights(Fraction(0)), "of time above 0"),
    ],
)
def test_a_malformed_problem_is_refused(build: Callable[[], object], words: str) -> None:
    with pytest.raises(VerificationError, match=words):
        build()


ONE = (Block("a", UNIT),)
TWO = (*ONE, Block("b", UNIT))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Problem(Fabric(4, 4), ONE * 2), "share a name"),
        (lambda: Problem(Fabric(4, 4), ONE, (Net(0, 1, 4),)), "beyond the 1"),
        (lambda: Problem(Fabric(4, 4), ONE, groups=(Group("g", (1,), (0, 0, 1, 1)),)), "beyond the 1"),
        (lambda: Problem(Fabric(4, 4), ONE, groups=(Group("g", (0,), (0, 0, 1, 1)),) * 2), "in two groups"),
        (
            lambda: Problem(Fabric(4, 4), TWO, groups=(Group("g", (0,)), Group("g", (1,)))),
            "Two groups share a name",
        ),
        (
            lambda: Problem(Fabric(4, 4), (Block("a", UNIT, pin=(0, 0)),), groups=(Group("g", (0,)),)),
            "Block 'a' is pinned, and its group 'g' has no box: give the group one",
        ),
    ],
)
def test_a_contradiction_is_the_users(build: Callable[[], object], words: str) -> None:
    with pytest.raises(PlacementError, match=words):
        build()


def dominates(a: Shape, b: Shape) -> bool:
    return a.width <= b.width and a.height <= b.height and a.time <= b.time


@given(SHAPES)
def test_pruning_keeps_one_shape_for_every_shape_and_none_in_vain(shapes: tuple[Shape, ...]) -> None:
    kept = undominated(shapes)
    assert set(kept) <= set(shapes)
    assert all(any(dominates(keeper, shape) for keeper in kept) for shape in shapes)
    assert not any(dominates(a, b) for a in kept for b in kept if a is not b)
    assert [shape.time for shape in kept] == sorted(shape.time for shape in kept)


@given(SHAPES, SIDES, SIDES, SIDES)
def test_a_menu_answers_as_a_scan_of_the_shapes(
    shapes: tuple[Shape, ...], limit: int, width: int, height: int
) -> None:
    fitting = [s for s in shapes if s.time <= limit and s.width <= width and s.height <= height]
    menu = catalogue(Problem(Fabric(6, 6), (Block("a", shapes),))).menu(0)
    if fitting:
        least = min(s.height for s in shapes if s.time <= limit and s.width <= width)
        assert menu.heights(limit, 6)[width] == least
        for wide, high in menu.front(limit):
            found = menu.pick(wide, high, limit)
            same = [s.time for s in shapes if (s.width, s.height) == (wide, high)]
            assert found in shapes
            assert (found.width, found.height, found.time) == (wide, high, min(same))
        assert menu.cores(limit) == min(s.width * s.height for s in shapes if s.time <= limit)
    assert (len(menu.within(limit).width) > 0) == any(s.time <= limit for s in shapes)


def test_the_bound_is_the_shortest_time_whose_areas_fit() -> None:
    shapes = (Shape(1, 1, 90), Shape(2, 2, 30), Shape(3, 3, 10))
    blocks = tuple(Block(name, shapes) for name in "abc")
    sides_and_bounds = [(6, 10), (5, 30), (4, 30), (3, 90), (2, 90)]
    for side, bound in sides_and_bounds:
        problem = Problem(Fabric(side, side), blocks)
        assert time_bound(catalogue(problem), problem.fabric.free) == bound
    crowded = Problem(Fabric(2, 2, ((0, 0), (0, 1))), blocks)
    assert time_bound(catalogue(crowded), crowded.fabric.free) is None


def test_a_block_larger_than_the_fabric_is_named() -> None:
    with pytest.raises(DoesNotFit, match=r"Block 'head' has no shape .* 4 x 4 .* smallest of 1 is 9 x 1"):
        catalogue(Problem(Fabric(4, 4), (Block("head", (Shape(9, 1, 3), Shape(9, 2, 3))),)))
