"""The bound on balance: never above what a choice of copies reaches, and reached with the units that it names."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cim.models import bottleneck, machine, make
from wsc.backends.cim.balance import balance_at, units_for
from wsc.backends.cim.facts import plan_facts
from wsc.backends.cim.plan import mean_cycles
from wsc.backends.cim.sizing import Option
from wsc.placement.replicate import Choice, replicate


def menu(positions: int, units: int) -> tuple[Option, ...]:
    """A stage of so many products and units a copy, with every number of copies that pays."""
    shares = sorted({-(-positions // copies) for copies in range(1, positions + 1)}, reverse=True)
    return tuple(Option(c := -(-positions // share), 1, share, 100 * share, c * units) for share in shares)


MENUS = st.lists(st.builds(menu, st.integers(1, 60), st.integers(1, 9)), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(MENUS, st.integers(0, 300))
def test_no_choice_beats_the_bound(menus: list[tuple[Option, ...]], spare: int) -> None:
    budget = sum(stage[0].units for stage in menus) + spare
    choices = tuple(tuple(Choice(o.cycles, o.units) for o in stage) for stage in menus)
    found = replicate(choices, budget, effort=0.05)
    cycles = [stage[i].cycles for stage, i in zip(menus, found.chosen, strict=True)]
    bound = balance_at(menus, found.slowest)
    assert bound is not None
    assert bound.units <= budget
    assert bound.ratio <= max(cycles) * len(cycles) / sum(cycles) + 1e-9


@settings(max_examples=60, deadline=None)
@given(MENUS)
def test_the_units_that_are_named_are_enough_and_the_fewest(menus: list[tuple[Option, ...]]) -> None:
    enough = units_for(menus, 1.2)
    limits = {option.cycles for stage in menus for option in stage}
    possible = [b for limit in limits if (b := balance_at(menus, limit)) and b.ratio <= 1.2]
    assert (enough is None) == (not possible)
    if enough:
        assert enough.ratio <= 1.2
        assert enough.units == min(b.units for b in possible)


def test_the_summary_says_why_a_pipeline_is_uneven() -> None:
    made = make(*bottleneck(), machine("isaac", chip={"width_tiles": 1, "height_tiles": 1}))
    told = dict(plan_facts(made.plan))["balance"]
    cycles = [o.cycles for s, o in zip(made.plan.sizings, made.plan.options, strict=True) if s.product]
    assert max(cycles) / mean_cycles(made.plan) > 1.2
    assert "times the mean at best (stages below 6,827 cycles with a single copy: 1 of 4)" in told
