"""Chains folded into a box, against layouts known by hand; and which times the bound thinks worth trying."""

from fractions import Fraction

import numpy as np

from wsc.placement.bounds import cheapest_times
from wsc.placement.candidates import catalogue
from wsc.placement.folding import Folds, Rules, chain_of, fold
from wsc.placement.problem import Block, Fabric, Net, Problem, Shape, Weights
from wsc.placement.scene import Prices


def folds(sides: list[tuple[int, int]], nets: list[tuple[int, int]], width: int, height: int) -> Folds:
    """Blocks of one shape each, in order, with nets of weight 1."""
    chain = chain_of(range(len(sides)), [Net(*net) for net in nets], [w * h for w, h in sides])
    waste = width * height - sum(w * h for w, h in sides)
    rules = Rules(width, height, 4, waste, 1, 10, np.array([1, 8, 64], np.int64), 50)
    return fold(chain, [[side] for side in sides], rules)


def wire(found: Folds) -> int:
    return int(found.wholes[0][2])


def test_four_squares_go_round() -> None:
    found = folds([(2, 2)] * 4, [(0, 1), (1, 2), (2, 3)], 4, 4)
    assert tuple(found.wholes[0][:2]) == (4, 4)
    assert wire(found) == 3 * 2 * 2  # half hops: mirrored so that the second pair starts where the first ends


def test_bars_lie_side_by_side() -> None:
    assert wire(folds([(1, 6), (2, 6), (3, 6)], [(0, 1), (1, 2)], 6, 6)) == (1 + 2) + (2 + 3)


def test_the_narrowest_goes_into_the_middle_where_all_three_are_joined() -> None:
    found = folds([(1, 6), (2, 6), (3, 6)], [(0, 1), (1, 2), (0, 2)], 6, 6)
    assert wire(found) == (2 + 1) + (1 + 3) + (2 + 2 * 1 + 3)  # the mirrored pair 1, 0, then 2


def test_what_is_too_large_has_no_fold() -> None:
    assert len(folds([(2, 2)] * 3, [(0, 1), (1, 2)], 2, 4).wholes) == 0


def test_the_bound_is_exact_where_blocks_lie_in_a_line() -> None:
    shapes = (Shape(4, 1, 10), Shape(1, 1, 40))
    problem = Problem(
        Fabric(40, 4), (Block("a", shapes), Block("b", shapes)), (Net(0, 1),), Weights(wire=Fraction(4))
    )
    menus, prices = catalogue(problem), Prices.of(problem)
    bound, times = cheapest_times(problem, menus, prices, 10, 100 * prices.unit, 2)
    assert Fraction(bound, prices.unit) == 10 + 4  # one hop at the least time: the bars lie along one another
    assert times[0] == 10
