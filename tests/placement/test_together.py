"""Groups without a box: the rectangle around each meets no other block, whatever else is asked for."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.placement.test_ground import BRISK, pinned, some
from tests.placement.test_solve import BRISK as BRISKER
from tests.placement.test_solve import problems
from wsc.compiler.errors import DoesNotFit
from wsc.placement.check import check
from wsc.placement.ispd2020.kgraph import parse_kgraph
from wsc.placement.ispd2020.shapes import problem_of
from wsc.placement.problem import Block, Fabric, Group, Net, Problem, Shape, Weights
from wsc.placement.solver import solve

WEIGHTS = Weights(Fraction(1), Fraction(1, 4))
APART = (Group("even", (0, 2, 4, 6)), Group("odd", (1, 3, 5)))  # the flow goes to and fro between them


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_groups_are_kept_together(weights: Weights | None) -> None:
    problem = some(weights=weights, groups=APART)
    placement = solve(problem, BRISK)
    assert check(problem, placement) == []
    assert check(problem, solve(replace(problem, groups=()), BRISK)) != []
    assert solve(problem, BRISK) == placement


def test_beside_boxes_pins_and_defects() -> None:
    groups = (*APART, Group("left", (7, 8), (0, 0, 12, 20)))
    cells = ((20, 20), (33, 4))
    problem = pinned(some(fabric=Fabric(40, 30, cells), groups=groups), b7=(2, 3), b9=(30, 25))
    assert check(problem, solve(problem, BRISK)) == []


def test_layers_kept_together_cost_little() -> None:
    free = some(20)
    layers = tuple(Group(f"layer {at}", tuple(range(5 * at, 5 * at + 5))) for at in range(4))
    placement = solve(replace(free, groups=layers), BRISK)
    assert check(replace(free, groups=layers), placement) == []
    assert placement.slowest <= 1.25 * solve(free, BRISK).slowest


def test_more_blocks_than_runs_reach() -> None:
    problem = some(12, groups=(Group("most", tuple(range(11))),))
    assert check(problem, solve(problem, replace(BRISK, splits=30))) == []


def test_names_may_be_those_of_blocks() -> None:
    problem = some(groups=(Group("b5", (0, 1)), Group("b9", (2, 3))))
    assert check(problem, solve(problem, BRISK)) == []


def test_port_tuples_count_within_groups() -> None:
    convolution = "H=14 W=14 R=3 S=3 C=16 K=16 T=1"
    lines = [f"conv[{at}] {convolution}" for at in range(1, 7)]
    nets = [f"conv[{at}]:y -> conv[{at + 1}]:x" for at in range(1, 6)]
    head = ["width=120", "height=120", "wdeltat=1", "wlength=1", "wadapter=10", "memlimit=24576"]
    problem = problem_of(parse_kgraph("\n".join([*head, *lines, *nets, ""]), "six"))
    problem = replace(problem, groups=(Group("half", (0, 1, 2)),))
    placement = solve(problem, BRISK)
    assert check(problem, placement) == []


def test_a_group_that_no_rectangle_holds_is_refused() -> None:
    # columns 0, 2 and 3 hold a bar each, but the dead core in column 1 parts them: no free rectangle is 3 x 4
    bars = tuple(Block(name, (Shape(1, 4, 1),)) for name in "abc")
    problem = Problem(Fabric(4, 4, ((1, 0),)), bars, (Net(0, 1),), groups=(Group("g", (0, 1, 2)),))
    with pytest.raises(DoesNotFit, match="With its groups kept together the problem does not fit"):
        solve(problem, BRISK)
    assert check(replace(problem, groups=()), solve(replace(problem, groups=()), BRISK)) == []


def test_a_group_larger_than_the_fabric_is_named() -> None:
    bars = tuple(Block(name, (Shape(3, 2, 1),)) for name in "ab")
    problem = Problem(Fabric(5, 3), bars, groups=(Group("g", (0, 1)),))
    with pytest.raises(DoesNotFit, match="holds the 2 blocks of group 'g'"):
        solve(problem, BRISK)


@settings(max_examples=40)
@given(problems(), st.data())
def test_any_grouping_is_lawful(problem: Problem, data: st.DataObject) -> None:
    count = len(problem.blocks)
    labels = data.draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))
    members = [tuple(at for at in range(count) if labels[at] == label) for label in (1, 2, 3)]
    grouped = replace(problem, groups=tuple(Group(str(at), it) for at, it in enumerate(members) if it))
    try:
        placement = solve(grouped, BRISKER)
    except DoesNotFit:
        return
    assert check(grouped, placement) == []
    assert placement.bound <= placement.slowest
