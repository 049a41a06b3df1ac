"""The checker passes a right placement and names every kind of fault that is planted in it."""

from dataclasses import replace
from fractions import Fraction

import pytest

from wsc.placement.check import check
from wsc.placement.problem import Block, Fabric, Group, Net, Problem, Shape, Weights
from wsc.placement.result import Placed, Placement

PROBLEM = Problem(
    Fabric(6, 4, blocked=((5, 3),)),
    (
        Block("a", (Shape(2, 2, 10, 0), Shape(3, 2, 8, 1))),
        Block("b", (Shape(1, 3, 7, 0),)),
        Block("c", (Shape(2, 1, 9, 4),)),
    ),
    (Net(0, 1, 5), Net(1, 2, 1)),
)
A, B, C = Placed(0, 0, 3, 2, 8, 1), Placed(3, 0, 1, 3, 7, 0), Placed(4, 0, 2, 1, 9, 4)
# a to b: 2 + 1/2 hops for 5 bytes; b to c: 3/2 + 1 hops for 1: 12.5 + 2.5
RIGHT = Placement((A, B, C), slowest=9, half_hops=30, bound=9, cores_used=11, status="optimal")


def test_a_right_placement_passes() -> None:
    assert check(PROBLEM, RIGHT) == []


@pytest.mark.parametrize(
    ("placed", "words"),
    [
        ((A, B), "2 rectangles for 3 blocks"),
        ((A, B, replace(C, x=5)), "c: reaches outside the 6 x 4 fabric"),
        ((A, replace(B, y=2), C), "b: reaches outside"),
        ((A, B, replace(C, y=3)), "c: covers the blocked cell (5, 3)"),
        ((A, replace(B, x=2), C), "a and b overlap"),
        ((A, B, replace(C, x=0, y=1)), "a and c overlap"),
        (
            (replace(A, width=2), B, C),
            "a: Shape(width=2, height=2, time=8, payload=1, memory=0, ports=()) is none",
        ),
        ((replace(A, payload=0), B, C), "is none of its shapes"),
        ((replace(A, time=7), B, C), "is none of its shapes"),
    ],
)
def test_a_planted_rectangle_is_caught(placed: tuple[Placed, ...], words: str) -> None:
    assert any(words in fault for fault in check(PROBLEM, replace(RIGHT, placed=placed)))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (replace(RIGHT, slowest=10, status="feasible"), "slowest time is 9, not 10"),
        (replace(RIGHT, half_hops=29), "twice the wire length is 30, not 29"),
        (replace(RIGHT, adapters=1), "number of adapters is 0, not 1"),
        (replace(RIGHT, cores_used=12), "cores used is 11, not 12"),
    ],
)
def test_a_planted_figure_is_caught(wrong: Placement, words: str) -> None:
    assert check(PROBLEM, wrong) == [words]


def test_half_a_byte_hop_is_rounded_up() -> None:
    odd = replace(RIGHT, half_hops=5)
    assert odd.wire_length == 3
    assert check(replace(PROBLEM, nets=(Net(0, 1, 1),)), odd) == []


def test_totals_pins_groups_and_ports_are_checked() -> None:
    weights = Weights(Fraction(2), Fraction(1, 2), Fraction(7))
    problem = replace(PROBLEM, weights=weights)
    assert check(problem, replace(RIGHT, total=Fraction(51, 2))) == []  # 2 x 9 + 15 / 2
    assert check(problem, replace(RIGHT, total=Fraction(25))) == ["total is 51/2, not 25"]
    pinned = (replace(PROBLEM.blocks[0], pin=(1, 0)), *PROBLEM.blocks[1:])
    assert check(replace(PROBLEM, blocks=pinned), RIGHT) == [
        "a: lies at (0, 0), not where it is pinned, (1, 0)"
    ]
    half = Group("left", (0, 1), (0, 0, 3, 4))
    assert check(replace(PROBLEM, groups=(half,)), RIGHT) == ["b: reaches outside the box of group 'left'"]
    anywhere = Group("pair", (0, 2))  # the rectangle around a and c is 6 x 2 and b reaches into it
    assert check(replace(PROBLEM, groups=(anywhere,)), RIGHT) == [
        "b: lies in the rectangle around group 'pair'"
    ]
    assert check(replace(PROBLEM, groups=(replace(anywhere, blocks=(1, 2)),)), RIGHT) == []
    shapes = (Shape(1, 1, 1, ports=(1, 2)),), (Shape(1, 1, 1, ports=(1, 3)),)
    ported = Problem(Fabric(2, 1), tuple(Block(str(at), s) for at, s in enumerate(shapes)), (Net(0, 1),))
    spots = (Placed(0, 0, 1, 1, 1, 0, 0, (1, 2)), Placed(1, 0, 1, 1, 1, 0, 0, (1, 3)))
    placement = Placement(spots, 1, 2, 1, 2, "optimal", adapters=1)
    assert check(ported, placement) == []
    assert check(ported, replace(placement, adapters=0)) == ["number of adapters is 1, not 0"]
