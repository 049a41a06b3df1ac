"""Other orders of the chain: never a longer time, now and then a shorter one, lawful, and the same every time."""

from dataclasses import replace
from unittest.mock import patch

from hypothesis import given, settings

from tests.placement.test_solve import STRUCTURED, chain, problems
from wsc.compiler.errors import DoesNotFit
from wsc.placement import reorder
from wsc.placement.check import check
from wsc.placement.problem import MAX_SIDE, Block, Fabric, Problem, Shape
from wsc.placement.result import Placement
from wsc.placement.solver import solve

AS_THEY_COME = replace(STRUCTURED, reorder=0)
# two bars of 4 x 1 and two of 2 x 2 fill 4 x 4; in this order a bar lies between the squares
BARS = chain(
    Fabric(4, 4),
    *(
        Block(name, (Shape(width, height, 5), Shape(1, 1, 9)))
        for name, width, height in [("a", 2, 2), ("b", 4, 1), ("c", 2, 2), ("d", 4, 1)]
    ),
)


def moved(problem: Problem) -> Placement:
    """Solved with chains of any length tried in other orders."""
    with patch.object(reorder, "_LEAST", 2):
        return solve(problem, STRUCTURED)


def test_an_order_that_packs_better_is_found() -> None:
    assert solve(BARS, AS_THEY_COME).slowest == 9
    placement = moved(BARS)
    assert check(BARS, placement) == []
    assert placement.slowest == placement.bound == 5


def test_the_highest_fabric_has_no_room_beyond() -> None:
    tall = replace(BARS, fabric=Fabric(4, MAX_SIDE), blocks=tuple(_stretched(block) for block in BARS.blocks))
    assert check(tall, moved(tall)) == []


def _stretched(block: Block) -> Block:
    assert isinstance(block.shapes, tuple)
    first, last = block.shapes
    return replace(block, shapes=(replace(first, height=first.height * MAX_SIDE // 4), last))


@settings(max_examples=40)
@given(problems())
def test_no_time_gets_longer(problem: Problem) -> None:
    try:
        plain = solve(problem, AS_THEY_COME)
    except DoesNotFit:
        return
    placement = moved(problem)
    assert check(problem, placement) == []
    assert plain.bound <= placement.slowest <= plain.slowest
    assert moved(problem) == placement
