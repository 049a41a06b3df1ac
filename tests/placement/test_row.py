"""The best row of a chain and the bounds on what is no row, against every layout there is of a few small blocks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.placement_proofs import line, proof
from wsc.placement.candidates import Catalogue, catalogue, time_bound
from wsc.placement.corner import corner_bound
from wsc.placement.effort import SolveParams
from wsc.placement.problem import Block, Fabric, Net, Problem, Shape, Weights
from wsc.placement.row import best_row
from wsc.placement.scene import Prices
from wsc.placement.spread import Spread

Placed = tuple[Shape, int, int]
SIDE = 4

shapes = st.builds(
    Shape,
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 4),
    ports=st.tuples(st.integers(1, 2), st.integers(1, 2)),
)
menus_of = st.lists(st.lists(shapes, min_size=1, max_size=2), min_size=3, max_size=3)


def problem(
    menus: list[list[Shape]], nets: list[tuple[int, int]], weights: tuple[int, int] = (3, 2)
) -> Problem:
    blocks = tuple(Block(f"k{at}", tuple(menu)) for at, menu in enumerate(menus))
    costs = Weights(Fraction(1), Fraction(weights[0]), Fraction(weights[1]))
    return Problem(Fabric(SIDE, SIDE), blocks, tuple(Net(a, b) for a, b in nets), costs)


def layouts(it: Problem) -> Iterator[tuple[Placed, ...]]:
    """Every lawful layout."""
    each = []
    for block in it.blocks:
        assert isinstance(block.shapes, tuple)
        each.append(
            [
                (s, x, y)
                for s in block.shapes
                for x in range(SIDE + 1 - s.width)
                for y in range(SIDE + 1 - s.height)
            ]
        )
    for placed in itertools.product(*each):
        if all(apart(a, b) != (False, False) for a, b in itertools.combinations(placed, 2)):
            yield placed


def apart(a: Placed, b: Placed) -> tuple[bool, bool]:
    """Whether two rectangles are left and right of, and above and below one another."""
    across = a[1] + a[0].width <= b[1] or b[1] + b[0].width <= a[1]
    return across, a[2] + a[0].height <= b[2] or b[2] + b[0].height <= a[2]


def wire(it: Problem, placed: tuple[Placed, ...]) -> int:
    """In half hops."""
    centres = [(2 * x + s.width, 2 * y + s.height) for s, x, y in placed]
    ends = [(centres[net.source], centres[net.target], net.weight) for net in it.nets]
    return sum(weight * (abs(a[0] - b[0]) + abs(a[1] - b[1])) for a, b, weight in ends)


def cost(it: Problem, placed: tuple[Placed, ...]) -> int:
    """By the prices of the problem."""
    prices = Prices.of(it)
    odd = sum(
        a != b
        for net in it.nets
        for a, b in zip(placed[net.source][0].ports, placed[net.target][0].ports, strict=True)
    )
    return (
        max(s.time for s, _, _ in placed) * prices.tick
        + wire(it, placed) * prices.half_hop
        + odd * prices.adapter
    )


def in_a_row(placed: tuple[Placed, ...]) -> bool:
    ways = [apart(a, b) for a, b in itertools.combinations(placed, 2)]
    return all(across for across, _ in ways) or all(along for _, along in ways)


def prepared(it: Problem) -> tuple[Catalogue, Prices]:
    return catalogue(it), Prices.of(it)


@settings(deadline=None, max_examples=30)
@given(menus_of, st.sampled_from([(3, 2), (1, 0), (1, 40)]))
def test_the_best_row_and_the_bound_on_corners(menus: list[list[Shape]], weights: tuple[int, int]) -> None:
    chain = problem(menus, [(0, 1), (1, 2)], weights)
    catalogued, prices = prepared(chain)
    known = 1000 * prices.unit
    rows, corners = [], []
    for placed in layouts(chain):
        (rows if in_a_row(placed) else corners).append(cost(chain, placed))
    time = time_bound(catalogued, SIDE * SIDE)
    if time is None:
        return
    found = best_row(chain, catalogued, prices, time, known, 1000)
    assert (found.cost if found else None) == min(rows, default=None)
    assert found is None or found.proven
    if corners:
        assert corner_bound(chain, catalogued, prices, time, known) <= min(corners)


@settings(deadline=None, max_examples=30)
@given(
    menus_of, st.sampled_from([[(0, 1), (1, 2), (2, 0)], [(0, 1), (1, 2)], [(0, 1), (0, 1), (1, 2), (0, 2)]])
)
def test_no_layout_has_less_wire_than_the_bound(
    menus: list[list[Shape]], nets: list[tuple[int, int]]
) -> None:
    small = problem(menus, nets)
    catalogued, _ = prepared(small)
    spread = Spread.of(small)
    for limit in range(1, 5):
        within = (placed for placed in layouts(small) if all(shape.time <= limit for shape, _, _ in placed))
        least = min((wire(small, placed) for placed in within), default=None)
        if least is not None:
            assert spread.half_hops(small, catalogued, limit) <= least


def test_nets_come_apart_into_cycles_and_the_rest() -> None:
    one = [[Shape(1, 1, 1, ports=(1, 1))]]
    nets = [(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (4, 5), (5, 6), (6, 3)]
    spread = Spread.of(problem(one * 7, nets))
    assert [sorted(it.blocks) for it in spread.cycles] == [[0, 1, 2], [3, 4, 5, 6]]
    assert [(net.source, net.target) for net in spread.nets] == [(2, 3)]
    assert spread.path == ()
    assert Spread.of(problem(one * 4, [(2, 1), (0, 2), (1, 3)])).path == (0, 2, 1, 3)


def test_a_ring_of_squares_takes_twice_the_row() -> None:
    ring = problem([[Shape(2, 2, 1, ports=(1, 1))]] * 3, [(0, 1), (1, 2), (2, 0)])
    assert (
        Spread.of(ring).half_hops(ring, catalogue(ring), 1) == 2 * 8
    )  # 2 + 2 + 4 hops, or a corner: 2 + 2 + 4


def test_no_row_of_what_is_no_chain() -> None:
    ring = problem([[Shape(1, 1, 1, ports=(1, 1))]] * 3, [(0, 1), (1, 2), (2, 0)])
    catalogued, prices = prepared(ring)
    assert best_row(ring, catalogued, prices, 1, 1000, 9) is None
    assert corner_bound(ring, catalogued, prices, 1, 1000) == 0


def test_what_is_proven_of_a_chain_that_fits_in_a_row(tmp_path: Path) -> None:
    text = "width=60\nheight=60\nwdeltat=1\nwlength=4\nwadapter=0\nmemlimit=24576\n"
    text += "".join(f"conv[{at}] H=1 W=1 R=1 S=1 C=16 K=16 T=1\n" for at in range(1, 6))
    text += "".join(f"conv[{at}]:y -> conv[{at + 1}]:x\n" for at in range(1, 5))
    (tmp_path / "F.kgraph").write_text(text)
    brisk = SolveParams(
        limits=2, levels=4, starts=2, moves=200, rounds=1, polish_effort=0.01, exact_effort=0.01
    )
    it = proof(tmp_path / "F.kgraph", brisk, brisk)
    assert it.total_proven
    assert it.row_proven
    assert it.open_until == 0
    assert (
        it.row_total == it.row_time + 4 * 2 * 4
    )  # five bars of two cores' width, straight opposite one another
    assert it.least_time >= it.time_bound
    assert line(it).startswith("| F | ")


def test_no_cycles_are_sought_about_a_hub() -> None:
    one = [[Shape(1, 1, 1, ports=(1, 1))]]
    wheel = [(0, at) for at in range(1, 100)] + [(at, at + 1) for at in range(1, 99)]
    spread = Spread.of(problem(one * 100, wheel))
    assert spread.cycles == ()
    assert len(spread.nets) == len(wheel)
