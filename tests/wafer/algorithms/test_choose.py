"""The choice of a reduce against the simulator, which shares no formula with it."""

import pytest

from tests.wafer.algorithms.machines import machine
from wsc.backends.wafer.algorithms import choose_reduce, reduce_options
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.simulate.reduces import reduce_line
from wsc.backends.wafer.trees import reduction_tree

WORDS = (1, 2, 3, 5, 8, 13, 21, 34, 64, 100, 181, 300, 512, 1000, 2048, 4096)
PARTS = (2, 3, 4, 5, 7, 8, 9, 13, 16, 27, 32, 50, 64, 100, 181, 256)


def simulated(wafer: Wafer, algorithm: str, words: int, parts: int, group: int | None) -> int:
    tree = reduction_tree(parts, algorithm, group)
    return wafer.core.task_startup_cycles + reduce_line(wafer, tree, words, 1).cycles


def regret(wafer: Wafer, words: int, parts: int) -> float:
    """Simulated cycles of the choice over those of the best of all, of two dozen groups where lines are long."""
    chosen = choose_reduce(words, parts, wafer)
    options = reduce_options(parts)
    if parts > 32:
        options = [
            (a, g) for a, g in options if a != "two-phase" or g in range(2, parts, max(1, parts // 24))
        ]
    best = min(simulated(wafer, a, words, parts, g) for a, g in options)
    return simulated(wafer, chosen.algorithm, words, parts, chosen.group) / best


@pytest.mark.parametrize("name", ["wse2", "wse3"])
def test_the_choice_is_never_more_than_a_tenth_above_the_best(name: str) -> None:
    wafer = machine(name)
    worst = max((regret(wafer, words, parts), words, parts) for words in WORDS for parts in PARTS)
    assert worst[0] <= 1.1, worst


@pytest.mark.slow
@pytest.mark.parametrize("parts", [300, 431, 512, 600, 750])
def test_the_choice_on_long_lines(parts: int) -> None:
    assert max(regret(machine("wse2"), words, parts) for words in WORDS) <= 1.1


def test_words_take_stars_short_messages_trees_and_long_ones_chains() -> None:
    wafer = machine("wse2")
    assert choose_reduce(1, 512, wafer).algorithm == "star"
    assert choose_reduce(16, 512, wafer).algorithm in ("k-tree", "two-phase")
    assert choose_reduce(4096, 64, wafer).algorithm == "chain"
