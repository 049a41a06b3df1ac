"""What the solver promises: lawful, no faster than the bound, the same every time; and small cases known by hand."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsc.compiler.errors import DoesNotFit, VerificationError
from wsc.placement import solver
from wsc.placement.check import check
from wsc.placement.effort import Agreeing
from wsc.placement.problem import Block, Fabric, Net, Problem, Shape, Weights
from wsc.placement.result import from_json
from wsc.placement.solver import SolveParams, solve

BRISK = SolveParams(
    limits=2, levels=4, starts=2, moves=500, rounds=1, polished=1, exact_effort=0.01, polish_effort=0.01
)
STRUCTURED = replace(BRISK, exact_effort=0, polish_effort=0)  # slicing floorplans alone


def block(name: str, *sizes: tuple[int, int, int]) -> Block:
    return Block(name, tuple(Shape(*size, payload=index) for index, size in enumerate(sizes)))


def chain(fabric: Fabric, *blocks: Block) -> Problem:
    return Problem(fabric, blocks, tuple(Net(i, i + 1, 2) for i in range(len(blocks) - 1)))


def test_four_squares_fill_a_square() -> None:
    squares = [block(name, (1, 1, 90), (2, 2, 30), (3, 3, 10)) for name in "abcd"]
    placement = solve(chain(Fabric(4, 4), *squares))
    assert (placement.slowest, placement.bound, placement.status) == (30, 30, "optimal")
    assert placement.cores_used == 16
    assert placement.wire_length == 3 * 2 * 2  # round the square, 2 hops of 2 bytes each


def test_a_chain_on_a_narrow_fabric_lies_in_a_line() -> None:
    placement = solve(chain(Fabric(7, 2), *(block(name, (2, 2, 5), (2, 1, 10)) for name in "abc")))
    assert placement.slowest == 5
    assert placement.wire_length == 2 * 2 * 2
    assert [at.y for at in placement.placed] == [0, 0, 0]


@pytest.mark.parametrize("adapter", [0, 1, 100])
def test_what_no_rows_hold_is_found_where_costs_are_weighed(adapter: int) -> None:
    """A tall block beside a square on a flat one: bars of rows would stick out."""
    problem = chain(Fabric(3, 3), block("a", (1, 3, 9)), block("b", (2, 2, 9)), block("c", (2, 1, 9)))
    weighed = replace(problem, weights=Weights(Fraction(1), Fraction(1), Fraction(adapter)))
    placement = solve(weighed, replace(STRUCTURED, trust_rows=True))
    assert check(weighed, placement) == []
    assert (placement.slowest, placement.cores_used) == (9, 9)


def test_what_an_effort_found_is_not_lost_where_the_next_is_interrupted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problem = chain(Fabric(7, 2), *(block(name, (2, 2, 5), (2, 1, 10)) for name in "abc"))
    whole, best = solve(problem, BRISK), solver._best
    calls = iter((best, interrupt))
    monkeypatch.setattr(solver, "_best", lambda *args: next(calls)(*args))
    placement = solve(problem, replace(BRISK, first=BRISK))
    assert placement == replace(whole, interrupted=True)


def test_what_was_found_is_not_lost_where_its_polish_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = chain(Fabric(7, 2), *(block(name, (2, 2, 5), (2, 1, 10)) for name in "abc"))
    monkeypatch.setattr(solver, "polished", interrupt)
    placement = solve(problem, BRISK)
    assert placement.interrupted
    assert check(problem, placement) == []


def interrupt(*_: object) -> tuple[None, int]:
    raise KeyboardInterrupt


def test_fewest_cores_among_shapes_fast_enough() -> None:
    slow, free = block("slow", (2, 2, 50)), block("free", (3, 3, 10), (1, 1, 49), (1, 2, 30), (1, 1, 51))
    placement = solve(chain(Fabric(8, 8), slow, free))
    assert placement.slowest == 50
    assert placement.placed[1].payload == 1


PINWHEEL = chain(
    Fabric(3, 3),
    *(
        block(name, (w, h, 9))
        for name, w, h in [("a", 2, 1), ("b", 1, 2), ("c", 2, 1), ("d", 1, 2), ("e", 1, 1)]
    ),
)


def test_the_exact_model_finds_a_pinwheel_that_no_slicing_makes() -> None:
    placement = solve(PINWHEEL)
    assert check(PINWHEEL, placement) == []
    assert placement.cores_used == 9
    with pytest.raises(DoesNotFit, match="0 to spare, but no arrangement was found"):
        solve(PINWHEEL, STRUCTURED)


def test_the_exact_model_shortens_the_slowest_time() -> None:
    lax = Problem(
        PINWHEEL.fabric,
        tuple(Block(b.name, (*b.shapes, Shape(1, 1, 20))) for b in PINWHEEL.blocks),
    )
    assert solve(lax, STRUCTURED).slowest == 20
    assert solve(lax).slowest == 9


@pytest.mark.parametrize(
    ("blocked", "slowest"),
    [
        ((), 10),
        (((0, 0),), 20),  # 15 cores: no longer two of 4 x 2
        (tuple((x, 1) for x in range(4)), 20),  # a whole row
        (tuple((x, y) for x in range(4) for y in (0, 1)), 20),
        (tuple((x, y) for x in range(4) for y in (0, 1, 2)), 30),
    ],
)
@pytest.mark.parametrize("params", [replace(BRISK, exact_effort=0.5), STRUCTURED])
def test_blocked_cells_are_left_alone(
    blocked: tuple[tuple[int, int], ...], slowest: int, params: SolveParams
) -> None:
    blocks = [block(name, (4, 2, 10), (2, 2, 20), (2, 1, 30)) for name in "ab"]
    problem = chain(Fabric(4, 4, blocked), *blocks)
    placement = solve(problem, params)
    assert check(problem, placement) == []
    assert placement.slowest == slowest


def test_too_few_cores_is_said_with_figures_and_names() -> None:
    blocks = [block("norm", (1, 1, 5)), block("proj", (3, 2, 5), (4, 2, 4)), block("head", (3, 4, 5))]
    with pytest.raises(DoesNotFit) as caught:
        solve(chain(Fabric(4, 4, ((0, 0),)), *blocks))
    assert str(caught.value) == (
        "The 3 blocks need at least 19 cores and the fabric of 4 x 4 has 15 free ones: 4 too few. The largest blocks "
        "at their smallest are 'head' (12), 'proj' (6), 'norm' (1). A larger fabric, fewer layers at a time, or more "
        "memory in a core would help."
    )


def test_parameters_are_checked() -> None:
    with pytest.raises(VerificationError):
        SolveParams(exact_effort=-1)
    with pytest.raises(VerificationError):
        SolveParams(starts=0)


SIDE = 8
SHAPES = st.builds(Shape, st.integers(1, 4), st.integers(1, 4), st.integers(1, 20), st.integers(0, 3))
MENUS = st.lists(st.lists(SHAPES, min_size=1, max_size=5).map(tuple), min_size=1, max_size=9)
CELLS = st.sets(st.tuples(st.integers(0, SIDE - 1), st.integers(0, SIDE - 1)), max_size=4)


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    menus = draw(MENUS)
    end = st.integers(0, len(menus) - 1)
    ends = draw(st.lists(st.tuples(end, end, st.integers(0, 50)), max_size=12))
    return Problem(
        Fabric(SIDE, SIDE, tuple(sorted(draw(CELLS)))),
        tuple(Block(str(index), menu) for index, menu in enumerate(menus)),
        tuple(Net(*net) for net in ends if net[0] != net[1]),
    )


@settings(max_examples=60)
@given(problems())
def test_any_placement_is_lawful_and_the_same_again(problem: Problem) -> None:
    try:
        placement = solve(problem, BRISK)
    except DoesNotFit:
        return
    assert check(problem, placement) == []
    assert placement.bound <= placement.slowest
    assert solve(problem, BRISK) == placement
    assert from_json(placement.to_json()) == placement


@st.composite
def weighed_problems(draw: st.DrawFn) -> Problem:
    """Chains and other graphs whose shapes have port tuples, under weights of any order of magnitude."""
    entries = st.tuples(*[st.integers(1, 3)] * draw(st.integers(0, 3)))
    shapes = st.builds(Shape, st.integers(1, 4), st.integers(1, 4), st.integers(1, 20), ports=entries)
    menus = draw(st.lists(st.lists(shapes, min_size=1, max_size=5).map(tuple), min_size=1, max_size=7))
    end = st.integers(0, len(menus) - 1)
    any_nets = st.lists(st.tuples(end, end).filter(lambda net: net[0] != net[1]), max_size=9)
    ends = draw(st.just([(at, at + 1) for at in range(len(menus) - 1)]) | any_nets)
    wire, adapter = draw(st.sampled_from([0, 1, 10])), draw(st.sampled_from([0, 1, 100]))
    return Problem(
        Fabric(10, 8),
        tuple(Block(str(index), menu) for index, menu in enumerate(menus)),
        tuple(Net(*net) for net in ends),
        Weights(Fraction(1), Fraction(wire), Fraction(adapter)),
    )


@settings(max_examples=60)
@given(weighed_problems(), st.booleans())
def test_a_weighed_placement_is_lawful_and_above_its_bound(problem: Problem, trust: bool) -> None:
    work = replace(BRISK, trust_rows=trust, polish_ports=not trust, agreeing=Agreeing(3, 2, 1))
    try:
        placement = solve(problem, work)
    except DoesNotFit:
        return
    assert check(problem, placement) == []
    assert placement.total is not None
    assert placement.total_bound is not None
    assert placement.total_bound <= placement.total


@settings(max_examples=40)
@given(problems())
def test_the_exact_model_never_makes_it_worse(problem: Problem) -> None:
    try:
        plain = solve(problem, STRUCTURED)
    except DoesNotFit:
        return
    better = solve(problem, BRISK)
    assert check(problem, plain) == []
    assert plain.bound <= better.slowest <= plain.slowest
    assert better.bound <= plain.slowest
    if better.slowest == plain.slowest:
        assert better.wire_length <= plain.wire_length


@settings(max_examples=30)
@given(problems(), st.integers(0, 20))
def test_long_chains_in_short_runs_are_lawful(problem: Problem, splits: int) -> None:
    try:
        placement = solve(problem, replace(STRUCTURED, splits=splits))
    except DoesNotFit:
        return
    assert check(problem, placement) == []
