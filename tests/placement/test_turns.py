"""Bounds on wire where the fabric is crowded or a chain is piled up, against the best layout of small problems."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wsc.placement.bounds import bounds_of
from wsc.placement.candidates import catalogue, time_bound
from wsc.placement.crowding import Crowding
from wsc.placement.piles import pile
from wsc.placement.problem import Block, Fabric, Net, Problem, Shape, Weights
from wsc.placement.scene import Prices
from wsc.placement.sides import Sides, sides_of, turned
from wsc.placement.spread import Spread
from wsc.placement.tolls import ALL_X, ALL_Y, MIXED, Chain, Room, _cheapest
from wsc.placement.turns import Turns, ranges_of

MOST = 1 << 30
Rectangle = tuple[int, int, int, int]  # twice the centre, and the sides

fabrics = st.sampled_from([(4, 4), (5, 5), (5, 3), (3, 6)])
side = st.one_of(st.integers(1, 5), st.just(1))
menus = st.lists(st.tuples(side, side, st.integers(1, 2)), min_size=1, max_size=3)


def chain(
    fabric: tuple[int, int],
    sides: Sequence[Sequence[tuple[int, int, int]]],
    weights: Sequence[int],
    turn: bool,
    blocked: tuple[tuple[int, int], ...] = (),
) -> Problem | None:
    """Blocks in a chain; None where one has no shape that fits."""
    nets = tuple(Net(at, at + 1, weight) for at, weight in zip(range(len(sides) - 1), weights, strict=False))
    return made(fabric, sides, nets, turn, blocked)


def made(
    fabric: tuple[int, int],
    sides: Sequence[Sequence[tuple[int, int, int]]],
    nets: tuple[Net, ...],
    turn: bool,
    blocked: tuple[tuple[int, int], ...] = (),
) -> Problem | None:
    blocks = []
    for at, menu in enumerate(sides):
        shapes = {Shape(w, h, time) for w, h, time in menu} | {
            Shape(h, w, time) for w, h, time in menu if turn
        }
        fits = [it for it in shapes if it.width <= fabric[0] and it.height <= fabric[1]]
        if not fits:
            return None
        blocks.append(Block(f"k{at}", tuple(sorted(fits, key=lambda it: (it.width, it.height, it.time)))))
    costs = Weights(Fraction(1), Fraction(2), Fraction(0))
    return Problem(Fabric(*fabric, blocked), tuple(blocks), nets, costs)


def least_wire(it: Problem, limit: int, no_row: bool) -> int:
    """Twice the least wire of any layout within the limit, or of those that are no row; MOST where there is none."""
    places = [places_of(it, block, limit) for block in range(len(it.blocks))]
    best = MOST
    placed: list[Rectangle] = []

    def wire_to(new: Rectangle) -> int:
        at = len(placed)
        nets = [net for net in it.nets if max(net.source, net.target) == at]
        ends = [(placed[min(net.source, net.target)], net.weight) for net in nets]
        return sum(weight * (abs(a[0] - new[0]) + abs(a[1] - new[1])) for a, weight in ends)

    def place(wire: int, row: bool, column: bool) -> None:
        nonlocal best
        if len(placed) == len(places):
            best = wire if not (no_row and (row or column)) else best
            return
        for new in sorted(places[len(placed)], key=wire_to):
            if wire + wire_to(new) >= best:
                break
            ways = [apart(new, other) for other in placed]
            if all(across or along for across, along in ways):
                rows = row and all(across for across, _ in ways)
                columns = column and all(along for _, along in ways)
                more = wire_to(new)
                placed.append(new)
                place(wire + more, rows, columns)
                placed.pop()

    place(0, row=True, column=True)
    return best


def places_of(it: Problem, block: int, limit: int) -> list[Rectangle]:
    """Every lawful place of a block."""
    found = []
    shapes = it.blocks[block].shapes
    assert isinstance(shapes, tuple)
    for s in shapes:
        if s.time > limit:
            continue
        for x, y in itertools.product(
            range(it.fabric.width + 1 - s.width), range(it.fabric.height + 1 - s.height)
        ):
            if not any(x <= bx < x + s.width and y <= by < y + s.height for bx, by in it.fabric.blocked):
                found.append((2 * x + s.width, 2 * y + s.height, s.width, s.height))
    return found


def apart(a: Rectangle, b: Rectangle) -> tuple[bool, bool]:
    """Whether two rectangles are beside, and above one another."""
    return abs(a[0] - b[0]) >= a[2] + b[2], abs(a[1] - b[1]) >= a[3] + b[3]


@settings(deadline=None, max_examples=60)
@given(
    fabrics,
    st.lists(menus, min_size=3, max_size=4),
    st.sampled_from([(1, 1, 1, 1), (1, 3, 1, 2), (2, 1, 1, 1)]),
    st.booleans(),
    st.sampled_from([(), ((1, 1),)]),
)
def test_no_chain_that_is_no_row_has_less_wire(
    fabric: tuple[int, int],
    sides: list[list[tuple[int, int, int]]],
    weights: tuple[int, ...],
    turn: bool,
    blocked: tuple[tuple[int, int], ...],
) -> None:
    small = chain(fabric, sides, weights, turn, blocked)
    if small is None:
        return
    menus_of = catalogue(small)
    turns = Turns(small, menus_of, Spread.of(small))
    for limit in (1, 2):
        if sides_of(menus_of, limit) is not None:
            assert turns.half_hops(limit) <= least_wire(small, limit, no_row=True)
            if turns.no_row(limit):
                assert turns.half_hops(limit) <= least_wire(small, limit, no_row=False)


GRAPHS = [
    [(0, 1), (1, 2), (2, 0)],
    [(0, 1), (1, 2), (2, 3), (3, 0)],
    [(0, 1), (1, 2), (0, 2), (2, 3)],
    [(0, 1), (1, 2), (0, 2), (2, 3), (1, 3)],
    [(0, 1), (0, 1), (1, 2), (0, 2), (2, 3)],
    [(0, 1), (1, 2), (2, 3)],
    [(0, 1), (2, 3)],
]


@settings(deadline=None, max_examples=40)
@given(fabrics, st.lists(menus, min_size=4, max_size=4), st.sampled_from(GRAPHS), st.booleans())
def test_no_layout_of_a_crowded_fabric_has_less_wire(
    fabric: tuple[int, int],
    sides: list[list[tuple[int, int, int]]],
    graph: list[tuple[int, int]],
    turn: bool,
) -> None:
    count = 1 + max(map(max, graph))
    small = made(fabric, sides[:count], tuple(Net(a, b) for a, b in graph), turn)
    if small is None:
        return
    menus_of, prices = catalogue(small), Prices.of(small)
    crowding = Crowding(small, menus_of)
    found = {limit: least_wire(small, limit, no_row=False) for limit in (1, 2)}
    for limit, least in found.items():
        if sides_of(menus_of, limit) is not None:
            assert crowding.half_hops(limit) <= least
    known = min(limit * prices.tick + wire * prices.half_hop for limit, wire in found.items())
    time = time_bound(menus_of, small.fabric.free)
    if time is not None and known < MOST:
        assert bounds_of(small, menus_of, prices, time, 10 * known).cost <= known


def test_bars_that_find_no_room_in_a_row_are_piled_up() -> None:
    """Eleven bars, and room for ten."""
    bars = chain((20, 20), [[(2, 18, 1), (4, 9, 1)]] * 11, [1] * 10, turn=True)
    assert bars is not None
    menus_of, spread = catalogue(bars), Spread.of(bars)
    turns = Turns(bars, menus_of, spread)
    assert turns.no_row(1)
    corner = 2 * 2 * 10 + 4 + 9 - 4  # half hops, with one bar of 4 x 9 for a corner
    assert spread.half_hops(bars, menus_of, 1) == corner
    assert turns.half_hops(1) >= corner + 4  # a pile is two such bars high


def test_a_pile_is_as_high_as_the_lowest_that_reaches() -> None:
    sides = Sides(np.array([2, 4, 3]), np.array([9, 5, 7]), np.array([0, 2, 3]))
    counts = np.array([2, 1])
    assert pile(sides, counts, 7, 10) == 5 + 5  # all lie in a row: the two lowest that there are
    assert pile(sides, counts, 6, 10) == 5 + 7  # 7/6 of a row: 2/4 and 3/3 are enough, 2/4 twice are not
    assert pile(sides, counts, 4, 10) == 9 + 7  # 7/4 of a row: 2/2 and 3/3
    assert pile(turned(sides), np.array([1, 1]), 11, 10) == 2 + 3  # 12/11 of a row: 5/9 and 7/7


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=3),
        min_size=2,
        max_size=4,
    )
)
def test_piles_against_every_set_of_shapes(blocks: list[list[tuple[int, int]]]) -> None:
    flat = np.array([it for block in blocks for it in block])
    start = np.cumsum([0, *map(len, blocks)])
    least = [min(w for w, _ in block) for block in blocks]
    along = sum(least) - 1
    heights = [2 * 12 + 1]
    for picked in itertools.product(*[[None, *block] for block in blocks]):
        some = [(wide, it) for wide, it in zip(least, picked, strict=True) if it is not None]
        if sum(Fraction(wide, it[0]) for wide, it in some) >= Fraction(along + 1, along):
            high = sorted(it[1] for _, it in some)
            heights.append(2 * sum(high) - sum(high[-2:]))
    found = pile(
        Sides(flat[:, 0].copy(), flat[:, 1].copy(), start), np.ones(len(blocks), np.int64), along, 12
    )
    assert found == min(heights)


@given(st.integers(2, 9), st.integers(2, 9), st.booleans())
def test_every_pair_of_sums_is_in_a_range_whose_plane_is_above(width: int, height: int, alike: bool) -> None:
    if alike:
        height = width
    ranges = [it for it in ranges_of(width, height, alike).tolist() if it[7] == MIXED]
    for t, u in itertools.product(range(width + 1), range(height + 1)):
        inside = [it for it in ranges if it[0] <= t <= it[1] and it[2] <= u <= it[3]]
        assert inside or (alike and u > t)
        assert all(p * t + q * u + r >= t * height + u * width - t * u for *_, p, q, r, _ in inside)


@settings(deadline=None, max_examples=300)
@given(
    st.integers(2, 8),
    st.integers(2, 8),
    st.lists(st.tuples(*[st.integers(0, 7)] * 2, *[st.integers(1, 8)] * 2), max_size=12),
)
def test_tall_and_wide_blocks_take_no_more_cores(
    width: int, height: int, tried: list[tuple[int, int, int, int]]
) -> None:
    placed: list[Rectangle] = []
    for x, y, w, h in tried:
        new = (2 * x + w, 2 * y + h, w, h)
        if x + w <= width and y + h <= height and all(any(apart(new, it)) for it in placed):
            placed.append(new)
    t = sum(w for *_, w, h in placed if 2 * h > height)
    u = sum(h for *_, w, h in placed if 2 * w > width)
    cores = sum(w * h for *_, w, h in placed if 2 * h > height or 2 * w > width)
    assert cores <= t * height + u * width - t * u


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.lists(st.tuples(*[st.integers(1, 6)] * 2), min_size=1, max_size=2), min_size=3, max_size=4),
    st.lists(st.integers(-3, 5), min_size=6, max_size=6),
    st.sampled_from([MIXED, ALL_X, ALL_Y]),
)
def test_the_cheapest_choice_at_some_prices(
    blocks: list[list[tuple[int, int]]], prices: list[int], kinds: int
) -> None:
    """Against every choice of shapes and kinds of nets, added up from what it uses."""
    flat = np.array([it for block in blocks for it in block])
    sides = Sides(flat[:, 0].copy(), flat[:, 1].copy(), np.cumsum([0, *map(len, blocks)]))
    weights = [0, 1, 2, 1][: len(blocks)] + [0]
    roles = np.array([(at, weights[at], weights[at + 1]) for at in range(len(blocks))])
    of, room = np.array([0, 6, 1, 3, 4, 2, 9, kinds]), Room(6, 7, 42, 5, 6)
    used = np.zeros(6, np.int64)
    least = _cheapest(sides, Chain(roles, np.arange(len(blocks))), of, room, np.array(prices), used)
    assert least == sum(price * much for price, much in zip(prices, used.tolist(), strict=True))
    every = []
    for labels in itertools.product((0, 1), repeat=len(blocks) - 1):
        if {(0,): ALL_X, (1,): ALL_Y}.get(tuple(sorted(set(labels))), MIXED) == kinds:
            every += [_paid(picked, labels, weights, prices) for picked in itertools.product(*blocks)]
    assert least == min(every)


def _paid(
    picked: Sequence[tuple[int, int]], labels: Sequence[int], weights: Sequence[int], prices: Sequence[int]
) -> int:
    ends = list(zip(picked, picked[1:], labels, weights[1:], strict=False))
    x = sum(weight * (a[0] + b[0]) for a, b, label, weight in ends if not label)
    y = sum(weight * (a[1] + b[1]) for a, b, label, weight in ends if label)
    tall, wide = ([it for it in picked if 2 * it[1] > 7], [it for it in picked if 2 * it[0] > 6])
    cores = sum(w * h for w, h in picked)
    t, u = sum(w for w, _ in tall), sum(h for _, h in wide)
    either = sum(w * h for w, h in picked if 2 * h > 7 or 2 * w > 6)
    uses = (x, y, cores, t, u, either - 4 * t - 2 * u)
    return sum(price * much for price, much in zip(prices, uses, strict=True))


def test_a_ring_of_squares_and_one_that_turns_a_corner() -> None:
    ring = tuple(Net(a, b) for a, b in [(0, 1), (1, 2), (2, 0)])
    squares = made((5, 5), [[(2, 2, 1)]] * 3, ring, turn=False)
    assert squares is not None
    assert Crowding(squares, catalogue(squares)).half_hops(1) == 2 * 8 == least_wire(squares, 1, no_row=False)
    four = made((5, 5), [[(2, 2, 1)]] * 4, tuple(Net(a, (a + 1) % 4) for a in range(4)), turn=False)
    assert four is not None
    assert Crowding(four, catalogue(four)).half_hops(1) == 2 * 8 == least_wire(four, 1, no_row=False)
