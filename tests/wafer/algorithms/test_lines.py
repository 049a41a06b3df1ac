"""Reduce and broadcast along a line: their text and their numbers."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wafer.algorithms.machines import machine
from wsc.backends.wafer.algorithms import broadcast_program, reduce_program
from wsc.backends.wafer.execute import execute
from wsc.backends.wafer.text import parse_program, print_program
from wsc.backends.wafer.trees import GROUPED, REDUCTIONS, reduction_tree, ring_order
from wsc.compiler.errors import AlgorithmError

GOLDEN = Path(__file__).parent / "golden"


def group_of(algorithm: str, group: int) -> int | None:
    return group if algorithm in GROUPED else None


@pytest.mark.parametrize("algorithm", REDUCTIONS)
def test_the_text_of_a_small_reduce(algorithm: str) -> None:
    program = reduce_program(algorithm, 3, 4, machine("wafer-4x4"), group_of(algorithm, 2))
    text = print_program(program)
    assert text == (GOLDEN / f"reduce-{algorithm}.txt").read_text(encoding="utf-8")
    assert parse_program(text) == program


def test_the_text_of_a_small_broadcast() -> None:
    program = broadcast_program(3, 4, machine("wafer-4x4"))
    assert print_program(program) == (GOLDEN / "broadcast.txt").read_text(encoding="utf-8")
    assert parse_program(print_program(program)) == program


@pytest.mark.parametrize("algorithm", REDUCTIONS)
@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20), st.integers(1, 16), st.integers(2, 9), st.sampled_from(["sum", "max", "min"]))
def test_it_reduces(algorithm: str, words: int, parts: int, group: int, fn: str) -> None:
    x = np.random.default_rng(words).standard_normal((parts, words)).astype(np.float32)
    program = reduce_program(algorithm, words, parts, machine("wse2"), group_of(algorithm, group), fn)
    (y,) = execute(program, {}, [x])
    np.testing.assert_allclose(y[0], getattr(np, fn)(x, axis=0), rtol=1e-4, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20), st.integers(1, 16))
def test_a_broadcast_reaches_all(words: int, parts: int) -> None:
    x = np.random.default_rng(words).standard_normal((1, words)).astype(np.float32)
    (y,) = execute(broadcast_program(words, parts, machine("wse2")), {}, [x])
    np.testing.assert_array_equal(y, np.repeat(x, parts, axis=0))


@pytest.mark.parametrize("algorithm", REDUCTIONS)
@given(st.integers(1, 200), st.integers(2, 30))
def test_every_part_sends_once(algorithm: str, parts: int, group: int) -> None:
    tree = reduction_tree(parts, algorithm, group_of(algorithm, group))
    sources = [source for phases in tree for phase in phases for source in phase]
    assert sorted(sources) == list(range(1, parts))
    assert all(source > part for part, phases in enumerate(tree) for phase in phases for source in phase)


@given(st.integers(1, 100))
def test_neighbours_on_the_ring_are_two_cores_apart_at_most(parts: int) -> None:
    order = ring_order(parts)
    assert sorted(order) == list(range(parts))
    assert np.abs(np.diff([*order, order[0]])).max(initial=0) <= 2


REFUSED = [
    ("ring", None, "no reduction is called 'ring'; there are chain, two-phase, k-tree, tree, star"),
    ("chain", 2, "'chain' of 4 parts with a group of 2: groups have 2 parts or more"),
    ("two-phase", None, "'two-phase' of 4 parts with a group of None: groups have 2 parts or more"),
    ("k-tree", 1, "'k-tree' of 4 parts with a group of 1: groups have 2 parts or more"),
]


@pytest.mark.parametrize(("algorithm", "group", "message"), REFUSED)
def test_what_cannot_be_is_refused(algorithm: str, group: int | None, message: str) -> None:
    with pytest.raises(AlgorithmError) as caught:
        reduce_program(algorithm, 1, 4, machine("wafer-4x4"), group)
    assert str(caught.value) == message


def test_no_words_are_refused() -> None:
    with pytest.raises(AlgorithmError) as caught:
        broadcast_program(0, 4, machine("wafer-4x4"))
    assert str(caught.value) == "a line takes 1 word and 1 core or more, not 0 words and 4 cores"
