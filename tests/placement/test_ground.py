"""Pins, groups, defects; the same answer everywhere; an answer when the search is cut short."""

import hashlib
from concurrent import futures
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from tests.placement.test_ispd2020 import RESNET, chain
from wsc.compiler.errors import PlacementError
from wsc.placement import search
from wsc.placement.check import check
from wsc.placement.effort import Effort, SolveParams
from wsc.placement.ispd2020.shapes import problem_of
from wsc.placement.problem import Block, Fabric, Group, Net, Problem, Shape, Weights
from wsc.placement.scatter import MANY
from wsc.placement.solver import Progress, solve

BRISK = SolveParams(
    limits=4, levels=6, starts=2, moves=2000, rounds=2, polished=1, exact_effort=0, polish_effort=0.1
)
SHAPES = tuple(Shape(w, h, -(-720 // (w * h))) for w in range(2, 13) for h in range(2, 13))


def some(count: int = 10, **change: Any) -> Problem:
    blocks = tuple(Block(f"b{at}", SHAPES) for at in range(count))
    nets = tuple(Net(at, at + 1) for at in range(count - 1))
    return replace(Problem(Fabric(40, 30), blocks, nets, Weights(Fraction(1), Fraction(1, 4))), **change)


def pinned(problem: Problem, **pins: tuple[int, int]) -> Problem:
    return replace(problem, blocks=tuple(replace(b, pin=pins.get(b.name)) for b in problem.blocks))


@pytest.mark.parametrize("weights", [None, Weights(Fraction(1), Fraction(1, 4))])
def test_pins_and_groups_are_kept(weights: Weights | None) -> None:
    groups = (Group("left", (1, 2, 3), (0, 0, 20, 30)), Group("right", (7, 8), (25, 0, 15, 30)))
    problem = pinned(some(weights=weights, groups=groups), b0=(20, 10), b2=(4, 5))
    placement = solve(problem, BRISK)
    assert check(problem, placement) == []
    assert (placement.placed[2].x, placement.placed[2].y) == (4, 5)


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (pinned(some(), b0=(5, 5), b1=(6, 6)), "pinned blocks 'b0', 'b1' have no shapes"),
        (pinned(some(), b0=(39, 5)), "pinned blocks 'b0' have no shapes"),
        (pinned(some(fabric=Fabric(40, 30, ((5, 5),))), b0=(5, 5)), "pinned blocks 'b0' have no shapes"),
        (some(groups=(Group("g", (0,), (30, 0, 20, 5)),)), "group 'g' reaches outside"),
        (
            some(groups=(Group("g", (0,), (0, 0, 20, 5)), Group("h", (1,), (19, 4, 5, 5)))),
            "groups 'g' and 'h' overlap",
        ),
    ],
)
def test_pins_and_groups_that_contradict_are_refused(problem: Problem, words: str) -> None:
    with pytest.raises(PlacementError, match=words):
        solve(problem, BRISK)


def test_defects_are_left_alone_under_weights() -> None:
    cells = tuple((x, y) for x in range(3, 40, 13) for y in range(4, 30, 11))
    problem = some(fabric=Fabric(40, 30, cells))
    assert check(problem, solve(problem, BRISK)) == []


def test_among_many_scattered_defects_every_block_finds_a_place() -> None:
    cells = tuple((x, y) for x in range(0, 150, 5) for y in range(0, 140, 2))
    problem = some(fabric=Fabric(150, 140, cells))
    placement = solve(problem, BRISK)
    assert len(cells) > MANY
    assert check(problem, placement) == []
    assert {at.width for at in placement.placed} <= {2, 3, 4}


HASHES = {
    "weights": "464b562d21099999",
    "bottleneck": "80951df05031ef76",
    "contest": "aea731be4a62f70e",
}


@pytest.mark.parametrize("name", HASHES)
def test_the_same_solution_on_any_machine(name: str) -> None:
    problem = {
        "weights": some,
        "bottleneck": lambda: some(weights=None),
        "contest": lambda: problem_of(chain(RESNET[:6])),
    }[name]()
    text = solve(problem, BRISK).to_json()
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == HASHES[name]


def test_progress_is_told_and_ends_whole() -> None:
    heard: list[Progress] = []
    placement = solve(some(), BRISK, heard.append)
    assert placement.total is not None
    assert heard
    assert heard[-1].done == pytest.approx(1)
    assert all(it.bound <= placement.total for it in heard)
    assert [it.incumbent for it in heard] == sorted((it.incumbent for it in heard), reverse=True)


def test_an_interrupted_search_gives_the_best_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def wait(*args: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return futures.wait(*args, **options)

    monkeypatch.setattr(search, "wait", wait)
    problem = some()
    placement = solve(problem, replace(BRISK, moves=200_000))
    assert placement.interrupted
    assert check(problem, placement) == []


def test_the_first_steps_of_more_work_count_as_well() -> None:
    heard: list[Progress] = []
    more = replace(BRISK, starts=1, moves=1, rounds=1, polish_effort=0, first=BRISK)
    problem = some(weights=Weights(Fraction(1), Fraction(4)))
    less, placement = solve(problem, BRISK), solve(problem, more, heard.append)
    assert placement.total is not None
    assert less.total is not None
    assert placement.total <= less.total
    assert [it.done for it in heard] == sorted(it.done for it in heard)
    assert heard[-1].done == pytest.approx(1)


def shortened(params: SolveParams) -> SolveParams:
    """An effort's steps, each with a two-hundredth of its moves."""
    first = None if params.first is None else shortened(params.first)
    return replace(params, moves=params.moves // 200, rows=10, polish_effort=0.1, first=first)


@pytest.mark.slow
def test_more_effort_is_never_worse() -> None:
    problem = some(count=6, weights=Weights(Fraction(1), Fraction(2)))
    assert [len(effort.params.steps()) for effort in Effort] == [1, 2, 3]
    totals = [solve(problem, shortened(effort.params)).total for effort in Effort]
    assert None not in totals
    assert totals == sorted(totals, reverse=True)  # type: ignore[type-var]  # no None, as was checked


@pytest.mark.slow
def test_a_thousand_kernels() -> None:
    shapes = tuple(Shape(w, h, -(-9000 // (w * h))) for w in range(2, 60) for h in range(2, 60))
    blocks = tuple(Block(f"b{at}", shapes) for at in range(1000))
    problem = Problem(Fabric(750, 994), blocks, tuple(Net(at, at + 1, 100) for at in range(999)))
    placement = solve(problem)
    assert check(problem, placement) == []
    assert placement.slowest <= 1.1 * placement.bound
