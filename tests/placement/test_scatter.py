"""Places among scattered blocked cells, against a look at every place there is."""

from itertools import product
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from wsc.placement.candidates import catalogue
from wsc.placement.check import check
from wsc.placement.problem import Block, Fabric, Net, Problem, Shape
from wsc.placement.scatter import scatter
from wsc.placement.solver import solve

SHAPES = (Shape(2, 3, 9), Shape(3, 2, 9), Shape(4, 1, 9))


def nearest(free: set[tuple[int, int]], at: tuple[int, int]) -> int | None:
    """The doubled distance from a doubled point to the nearest centre of a free place of any shape."""
    found = [
        abs(2 * x + shape.width - at[0]) + abs(2 * y + shape.height - at[1])
        for x, y in free
        for shape in SHAPES
        if all((x + dx, y + dy) in free for dx, dy in product(range(shape.width), range(shape.height)))
    ]
    return min(found, default=None)


@settings(max_examples=25, deadline=None)
@given(st.integers(5, 40), st.integers(5, 40), st.integers(0, 9), st.integers(0, 1 << 30))
def test_every_block_takes_the_nearest_place(width: int, height: int, tenths: int, seed: int) -> None:
    cells = [*product(range(width), range(height))]
    blocked = Random(seed).sample(cells, len(cells) * tenths // 10)
    blocks = tuple(Block(f"b{at}", SHAPES) for at in range(5))
    nets = tuple(Net(at, at + 1) for at in range(4))
    problem = Problem(Fabric(width, height, tuple(blocked)), blocks, nets)
    placed = scatter(problem, catalogue(problem), range(5), 9)
    free, at = set(cells) - set(blocked), (width // 2, height // 2)
    for block in range(5):
        least = nearest(free, at)
        if placed is None:
            return
        box = placed[1][block]
        centre = (2 * box.x + box.width, 2 * box.y + box.height)
        assert abs(centre[0] - at[0]) + abs(centre[1] - at[1]) == least
        free -= set(product(range(box.x, box.x + box.width), range(box.y, box.y + box.height)))
        at = centre
    assert len(free) == len(cells) - len(blocked) - sum(box.cores for box in placed[1])


def test_where_no_place_is_left_there_is_no_placement() -> None:
    stripes = tuple((x, y) for x in range(0, 30, 2) for y in range(30))  # one core between any two
    problem = Problem(Fabric(30, 30, stripes), (Block("b", SHAPES),))
    assert scatter(problem, catalogue(problem), range(1), 9) is None


def test_a_slower_shape_where_the_fast_ones_find_no_place() -> None:
    stripes = tuple((x, y) for x in range(0, 200, 4) for y in range(60))
    shapes = (Shape(9, 9, 5), Shape(3, 20, 7), Shape(1, 1, 400))
    blocks = tuple(Block(f"b{at}", shapes) for at in range(6))
    problem = Problem(Fabric(200, 60, stripes), blocks, tuple(Net(at, at + 1) for at in range(5)))
    placement = solve(problem)
    assert check(problem, placement) == []
    assert placement.slowest == 7
