"""Reductions along a line, word by word: at the edge, against the published formulas, against measured cycles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wafer.simulate.programs import wafer
from wsc.backends.wafer.algorithms import reduce_program
from wsc.backends.wafer.simulate import simulate
from wsc.backends.wafer.simulate.reduces import reduce_line
from wsc.backends.wafer.trees import GROUPED, REDUCTIONS, reduction_tree

RAMP, HOP, SUM = 2, 1, 1


def cycles(algorithm: str, words: int, parts: int, group: int | None = None, pitch: int = 1) -> int:
    return reduce_line(wafer(), reduction_tree(parts, algorithm, group), words, pitch).cycles


def test_one_word_over_one_hop_is_there_at_its_cycle() -> None:
    assert cycles("chain", 1, 2) == RAMP + HOP + RAMP + SUM + 1
    assert cycles("chain", 2, 2) == cycles("chain", 1, 2) + 1
    assert cycles("chain", 1, 2, pitch=3) == cycles("chain", 1, 2) + 2 * HOP


def test_the_root_of_a_star_takes_one_after_another() -> None:
    """Seven words from each of three: the first come after a hop and two ramps, the last are added as they pass."""
    assert cycles("star", 7, 4) == HOP + 2 * RAMP + 2 * 7 + SUM + 7


def test_a_second_phase_starts_a_task_when_the_first_is_there() -> None:
    """Four parts in twos, 9 words: 5 + 9 until parts 0 and 2 have theirs; part 2's sum could be there long before.

    It waits at part 1's router until part 1 has sent all of its words.
    """
    assert cycles("two-phase", 9, 4, 2) == 5 + 9 + 30 + SUM + 9


@given(st.integers(1, 5000), st.integers(2, 300))
def test_a_chain_is_the_formula(words: int, parts: int) -> None:
    assert cycles("chain", words, parts) == words + (2 * RAMP + 2) * (parts - 1)


@given(st.integers(600, 5000), st.integers(2, 20), st.integers(2, 20))
def test_two_phases_are_the_formula_less_the_farthest_leaders_wait(
    words: int, group: int, groups: int
) -> None:
    parts = group * groups
    formula = 2 * words + parts - 1 + (2 * RAMP + 1) * (group + groups - 2)
    found = cycles("two-phase", words, parts, group)
    assert found == formula - (group + 2 * RAMP + 1) + 30


@given(st.integers(1, 500), st.integers(2, 200))
def test_trees_that_are_equal_take_as_long(words: int, parts: int) -> None:
    assert cycles("k-tree", words, parts, max(2, parts)) == cycles("chain", words, parts)
    assert cycles("k-tree", words, parts, 2) == cycles("tree", words, parts)


@pytest.mark.parametrize("algorithm", REDUCTIONS)
@given(st.integers(1, 300), st.integers(2, 100), st.integers(2, 20))
def test_more_words_and_slower_hops_take_longer(algorithm: str, words: int, parts: int, group: int) -> None:
    size = group if algorithm in GROUPED else None
    one = cycles(algorithm, words, parts, size)
    assert one < cycles(algorithm, words + 1, parts, size)
    assert one <= cycles(algorithm, words, parts, size, pitch=2)


# Cycles in the vendor's simulator of 4096 words over 512 cores: public repository pr0f3ss/SpMM_Cerebras.
MEASURED = [("two-phase", 8, 9117), ("two-phase", 128, 9297), ("chain", None, 7218)]


@pytest.mark.parametrize(("algorithm", "group", "measured"), MEASURED)
def test_measured_reduces_are_met_with_nothing_fitted(
    algorithm: str, group: int | None, measured: int
) -> None:
    machine = wafer("wse2")
    trace = simulate(reduce_program(algorithm, 4096, 512, machine, group), machine)
    assert trace.latency_cycles == pytest.approx(measured, rel=0.005)
    assert trace.interval_cycles <= trace.latency_cycles
