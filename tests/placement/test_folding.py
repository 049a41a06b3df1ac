"""Chains folded into a box, against layouts known by hand; and which times the bound thinks worth trying."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from wsc.placement.bounds import cheapest_times
from wsc.placement.candidates import catalogue
from wsc.placement.folding import Folds, chain_of, fold
from wsc.placement.labels import rules_of
from wsc.placement.plant import plant_fold
from wsc.placement.problem import Block, Fabric, Net, Problem, Shape, Weights
from wsc.placement.regions import Box
from wsc.placement.scene import Prices, stage_of
from wsc.placement.search import Start, unmoved
from wsc.placement.tree import blank_state


def folds(
    sides: list[tuple[int, int]], nets: list[tuple[int, int]], width: int, height: int, rung: int = 0
) -> Folds:
    """Blocks of one shape each, in order, with nets of weight 1."""
    chain = chain_of(range(len(sides)), [Net(*net) for net in nets], [w * h for w, h in sides])
    waste = width * height - sum(w * h for w, h in sides)
    return fold(
        chain, [[side] for side in sides], rules_of((width, height), 4, waste, (16, 128, 1024), rung, 50)
    )


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


def test_a_rung_holds_what_no_two_runs_in_order_do() -> None:
    sides, nets = [(2, 5), (2, 4), (2, 2), (2, 1)], [(0, 1), (1, 2), (2, 3)]
    assert (
        len(folds(sides, nets, 4, 6).wholes) == 0
    )  # the last has to lie above the first, with two between them
    assert wire(folds(sides, nets, 4, 6, rung=1)) == 5 + 6 + 5


def test_nets_over_a_rung_are_counted() -> None:
    sides, nets = [(2, 5), (2, 4), (2, 2), (2, 1)], [(0, 1), (1, 2), (2, 3), (0, 3)]
    assert wire(folds(sides, nets, 4, 6, rung=1)) == 5 + 6 + 5 + 6


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=2, max_size=7),
    st.integers(6, 14),
    st.integers(6, 14),
)
def test_what_a_label_tells_fits(sides: list[tuple[int, int]], width: int, height: int) -> None:
    blocks = tuple(Block(f"b{index}", (Shape(*side, 1),)) for index, side in enumerate(sides))
    order = list(range(len(sides)))
    nets = tuple(Net(a, a + 1) for a in order[:-1])
    problem = Problem(Fabric(width, height), blocks, nets, Weights())
    if sum(w * h for w, h in sides) > width * height:
        return
    found = folds(sides, [(net.source, net.target) for net in nets], width, height, rung=2)
    stage = stage_of(
        problem, catalogue(problem), Prices.of(problem), [1], [Box(0, 0, width, height)], [order]
    )
    state = blank_state(stage.scene)
    for whole in range(len(found.wholes)):
        plant_fold(state, found, whole, order, (width, height))
        assert unmoved(stage, Start(state, 0.0, 0)).fits


def test_the_bound_is_exact_where_blocks_lie_in_a_line() -> None:
    shapes = (Shape(4, 1, 10), Shape(1, 1, 40))
    problem = Problem(
        Fabric(40, 4), (Block("a", shapes), Block("b", shapes)), (Net(0, 1),), Weights(wire=Fraction(4))
    )
    menus, prices = catalogue(problem), Prices.of(problem)
    bound, times = cheapest_times(problem, menus, prices, 10, 100 * prices.unit, 2)
    assert Fraction(bound, prices.unit) == 10 + 4  # one hop at the least time: the bars lie along one another
    assert times[0] == 10
