"""The choices of reduces, all-reduces and products against the simulator, which shares no formula with them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.reduce_choice import regret
from tests.wafer.algorithms.machines import machine
from wsc.backends.wafer.algorithms import (
    Product,
    choose_all_reduce,
    choose_product,
    choose_reduce,
    matmul_program,
    product_choices,
)
from wsc.backends.wafer.algorithms.gemm import TRANSPOSED
from wsc.backends.wafer.simulate import simulate
from wsc.compiler.errors import DoesNotFit
from wsc.compiler.ir.types import DType

WORDS = (1, 3, 8, 21, 64, 181, 512, 4096)
PARTS = (2, 3, 4, 5, 7, 9, 16, 27, 50, 100, 181)


@pytest.mark.parametrize("name", ["wse2", "wse3"])
@pytest.mark.parametrize("everywhere", [False, True])
def test_the_choice_is_never_more_than_a_tenth_above_the_best(name: str, everywhere: bool) -> None:
    cases = ((words, parts) for words in WORDS for parts in PARTS)
    worst = max((regret(machine(name), *case, everywhere=everywhere), case) for case in cases)
    assert worst[0][0] <= 1.1, worst


@pytest.mark.slow
@pytest.mark.parametrize("parts", [300, 431, 512, 600, 750])
@pytest.mark.parametrize("everywhere", [False, True])
def test_the_choice_on_long_lines(parts: int, everywhere: bool) -> None:
    assert max(regret(machine("wse2"), words, parts, everywhere=everywhere) for words in WORDS)[0] <= 1.1


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4096), st.integers(2, 200), st.booleans())
def test_the_choice_anywhere(words: int, parts: int, everywhere: bool) -> None:
    assert regret(machine("wse2"), words, parts, everywhere=everywhere)[0] <= 1.1


def test_words_take_stars_short_messages_trees_and_long_ones_chains() -> None:
    wafer = machine("wse2")
    assert choose_reduce(1, 512, wafer).algorithm == "star"
    assert choose_reduce(16, 512, wafer).algorithm in ("k-tree", "two-phase")
    assert choose_reduce(4096, 64, wafer).algorithm == "chain"


def test_short_messages_meet_in_the_middle_and_long_ones_at_an_end() -> None:
    wafer = machine("wse2")
    assert choose_all_reduce(4, 512, wafer).root == 256
    assert choose_all_reduce(4096, 64, wafer).root == 0


sizes = st.builds(
    Product,
    st.sampled_from([1, 16, 100, 512, 2048]),
    st.sampled_from([1, 16, 100, 512, 2048]),
    st.sampled_from([1, 16, 100, 512, 2048]),
    st.sampled_from([1, 2, 3, 6, 8, 12, 30, 64]),
    st.sampled_from([DType.F32, DType.F16]),
    rows=st.sampled_from([None, 1, 2, 6, 8, 11, 60]),
)


@settings(max_examples=60, deadline=None)
@given(sizes, st.sampled_from(["wse2", "wse3"]), st.booleans())
def test_the_product_chosen_is_near_the_best(size: Product, name: str, transposed: bool) -> None:
    wafer = machine(name)
    simulated = {}
    for choice in sorted(product_choices(size, wafer, transposed=transposed), key=lambda c: c.cycles)[:12]:
        try:
            program = matmul_program(choice.algorithm, choice.product, wafer)
        except DoesNotFit:
            continue
        simulated[(choice.algorithm, choice.product)] = simulate(program, wafer).latency_cycles
    if not simulated:
        return
    chosen = choose_product(size, wafer, transposed=transposed)
    assert simulated[(chosen.algorithm, chosen.product)] <= 1.1 * min(simulated.values())
    assert (chosen.algorithm in TRANSPOSED) == transposed


def test_what_fits_no_core_is_refused() -> None:
    with pytest.raises(DoesNotFit) as caught:
        choose_product(Product(512, 512, 512, 2, DType.F32), machine("wse2"))
    assert str(caught.value).startswith("'stationary' takes ")
