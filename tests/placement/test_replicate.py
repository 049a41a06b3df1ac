"""Copies under a budget: the slowest time against brute force."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsc.compiler.errors import DoesNotFit, VerificationError
from wsc.placement.replicate import Choice, replicate

MENUS = st.lists(
    st.lists(st.builds(Choice, st.integers(0, 50), st.integers(0, 9)), min_size=1, max_size=4).map(tuple),
    min_size=1,
    max_size=4,
).map(tuple)


@given(MENUS, st.integers(0, 40))
def test_no_choice_is_better(menus: tuple[tuple[Choice, ...], ...], budget: int) -> None:
    within = [some for some in product(*menus) if sum(c.cost for c in some) <= budget]
    if not within:
        with pytest.raises(DoesNotFit):
            replicate(menus, budget)
        return
    found = replicate(menus, budget)
    assert found.slowest == min(max(c.time for c in some) for some in within)
    assert found.cost <= budget
    chosen = [menu[i] for menu, i in zip(menus, found.chosen, strict=True)]
    best = min(sum(c.time for c in some) for some in within if max(c.time for c in some) <= found.slowest)
    assert sum(c.time for c in chosen) == best


def test_figures_below_zero_are_refused() -> None:
    with pytest.raises(VerificationError):
        Choice(-1, 0)
