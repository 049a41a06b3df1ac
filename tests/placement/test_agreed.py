"""Port tuples that neighbours agree on: labels against every choice there is, rows by the independent checker."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsc.placement.agreed import agreed_rows
from wsc.placement.agreeing import FAR
from wsc.placement.bars import Laid
from wsc.placement.candidates import catalogue, time_bound
from wsc.placement.check import check
from wsc.placement.drafts import drafts
from wsc.placement.effort import Agreeing, Effort
from wsc.placement.potts import Labels
from wsc.placement.problem import Block, Fabric, Ints, Net, Problem, Shape, Weights
from wsc.placement.scene import Prices
from wsc.placement.solver import solve

PLACES = 5
near = [(a, b) for a in range(PLACES) for b in range(a + 1, min(PLACES, a + 4))]
any_nets = st.lists(st.sampled_from(near), max_size=8)
costs = st.lists(st.lists(st.integers(0, 30), min_size=4, max_size=4), min_size=PLACES, max_size=PLACES)


def least(labels: Labels, own: Ints) -> int:
    """The least cost of all choices."""
    every = itertools.product(range(own.shape[1]), repeat=len(own))
    return min(labels.cost(own, np.array(chosen)) for chosen in every)


@given(costs, any_nets, st.integers(0, 12))
def test_of_two_labels_the_best_choice_is_found(
    own: list[list[int]], nets: list[tuple[int, int]], price: int
) -> None:
    labels = Labels.of(np.array([[1, 1], [2, 2]]), nets, price)
    two = np.array(own)[:, :2]
    found, _ = labels.agreed(two, np.zeros(PLACES, np.int64))
    assert labels.cost(two, found) == least(labels, two)


@given(costs, any_nets, st.integers(0, 12), st.sets(st.integers(0, PLACES - 1)))
def test_moves_never_make_a_choice_dearer_nor_take_what_a_block_has_not(
    own: list[list[int]], nets: list[tuple[int, int]], price: int, without: set[int]
) -> None:
    labels = Labels.of(np.array([[1, 1], [1, 2], [2, 1], [2, 2]]), nets, price)
    some = np.array(own)
    some[sorted(without), 3] = FAR
    start = some.argmin(axis=1)
    found, _ = labels.agreed(some, start)
    assert least(labels, some) <= labels.cost(some, found) <= labels.cost(some, start)
    assert all(found[place] != 3 for place in without)


def test_a_group_changes_what_it_shares_and_keeps_its_own() -> None:
    """All would do best with a 2 in front; the last entry differs where it must, and whole labels alone do not help."""
    labels = Labels.of(np.array([[1, 1], [1, 2], [2, 1], [2, 2]]), [(0, 1), (1, 2), (2, 3)], 100)
    own = np.array([[9, FAR, 1, FAR], [9, FAR, 1, FAR], [FAR, 9, FAR, 1], [FAR, 9, FAR, 1]])
    assert labels.agreed(own, np.array([0, 0, 1, 1]))[0].tolist() == [2, 2, 3, 3]


def stair(adapter: int, blocks: int = 12) -> Problem:
    """A chain with skips; a block's cheapest shape has ports of its own, and one that all share is a core longer."""
    each = [
        tuple(
            Shape(2 + common, 6 - 2 * common, 5, ports=(99, 99) if common else (at, at))
            for common in (False, True)
        )
        for at in range(blocks)
    ]
    nets = [Net(at, at + step) for step in (1, 2) for at in range(blocks - step)]
    named = tuple(Block(f"k{at}", shapes) for at, shapes in enumerate(each))
    return Problem(Fabric(36, 12), named, tuple(nets), Weights(Fraction(1), Fraction(1), Fraction(adapter)))


def rows_of(problem: Problem) -> list[Laid]:
    menus = catalogue(problem)
    time = time_bound(menus, problem.fabric.free)
    assert time is not None
    prices, order = Prices.of(problem), list(range(len(problem.blocks)))
    snakes = [it.snake for it in drafts(problem, menus, prices, order, time, 4)]
    return agreed_rows(problem, menus, prices, order, time, snakes, Agreeing(4, 2, 1))


def test_neighbours_agree_where_adapters_are_dear() -> None:
    found = rows_of(stair(adapter=100))
    assert found
    assert all(set(it.ports) == {(99, 99)} for it in found)


def test_they_do_not_where_adapters_cost_little_or_nothing() -> None:
    assert all((99, 99) not in it.ports for it in rows_of(stair(adapter=0)))
    dearer = Weights(Fraction(1), Fraction(1000), Fraction(1))
    cheap = stair(adapter=1)
    single = rows_of(Problem(cheap.fabric, cheap.blocks, cheap.nets, dearer))[0]
    assert (99, 99) not in single.ports


@pytest.mark.parametrize("adapter", [1, 10, 100])
def test_a_placement_is_lawful_and_no_dearer_than_the_rows(adapter: int) -> None:
    problem = stair(adapter)
    placement = solve(problem, Effort.LOW)
    assert check(problem, placement) == []
    assert placement.total is not None
    best = rows_of(problem)[0]
    assert placement.total <= Fraction(best.cost, Prices.of(problem).unit)
