"""How floorplans of runs are put together: two that follow one another, or a rung of two about a run between them.

A rung stacks two runs that do not follow one another (or lays them side by side) and joins the pair to the run
between them: rung after rung, a chain that runs there and back keeps neighbouring rows together at every column,
where two rows of one height each would waste what their blocks do not fill. Parts are mirrored so that the ends of the
nets between them come together; what is spare across lets parts slide, and counts as no wire.
"""

from __future__ import annotations

import numpy as np

from wsc.placement.jit import lean_jit
from wsc.placement.labels import (
    AT,
    BEYOND,
    CUT,
    ENDS,
    FIRST,
    LAST,
    MIRRORS,
    PAIR,
    WIRE,
    Chain,
    Labels,
    Rules,
    end,
)
from wsc.placement.tree import Int64s


@lean_jit
def wire_along(part: Labels, side: int, gap: int, within: tuple[int, int], along: int, chain: Chain) -> int:
    """The wire along from a part to the line at a gap, mirrored as is best, of the nets within a run that cross it.

    The part lies before the gap (side 0) or behind it (side 1).
    """
    as_is = mirrored = np.int64(0)
    column = FIRST if side else LAST
    for index in range(chain.gap_at[gap], chain.gap_at[gap + 1]):
        a, b, weight = chain.crossing[index, 0], chain.crossing[index, 1], chain.crossing[index, 2]
        if a < within[0] or b >= within[1]:
            continue
        place = end(part, column, chain.ends[side, gap], b if side else a)
        as_is += weight * part[place + along]
        mirrored += weight * (2 * part[along] - part[place + along])
    return int(min(as_is, mirrored))


@lean_jit
def join(one: Labels, two: Labels, cut: int, at: tuple[int, int, int], chain: Chain, row: Labels) -> None:
    """Fills a row with two runs `at[0]:at[1]` and `at[1]:at[2]` stacked (cut 0) or side by side (1), but for its ends.

    The row's box must be known.
    """
    across, along = cut, 1 - cut
    first, middle, stop = at
    spare = 2 * row[across] - one[across] - two[across]
    up_one, up_two = row[across] - one[across], row[across] - two[across]  # the smaller lies in the middle
    # wire along to and from the line between, the part as it is and mirrored, and across, the same way and mirrored
    to_one = to_one_back = to_two = to_two_back = level = crossed = np.int64(0)
    for index in range(chain.gap_at[middle], chain.gap_at[middle + 1]):
        a, b, weight = chain.crossing[index, 0], chain.crossing[index, 1], chain.crossing[index, 2]
        if a < first or b >= stop:
            continue
        from_ = end(one, LAST, chain.ends[0, middle], a)
        to = end(two, FIRST, chain.ends[1, middle], b)
        to_one += weight * (2 * one[along] - one[from_ + along])
        to_one_back += weight * one[from_ + along]
        to_two += weight * two[to + along]
        to_two_back += weight * (2 * two[along] - two[to + along])
        y, other = one[from_ + across] + up_one, two[to + across] + up_two
        level += weight * max(0, abs(y - other) - spare)
        crossed += weight * max(0, abs(y - (2 * row[across] - other)) - spare)
    back_one, back_two = int(to_one_back < to_one), int(to_two_back < to_two)
    over_two = int(crossed < level)
    row[WIRE] = one[WIRE] + two[WIRE]
    row[WIRE] += min(to_one, to_one_back) + min(to_two, to_two_back) + min(level, crossed)
    row[AT], row[BEYOND], row[CUT] = middle, 0, cut
    row[MIRRORS] = back_one << along | back_two << (2 + along) | over_two << (2 + across)


@lean_jit
def place_ends(
    one: Labels, two: Labels, cut: int, at: tuple[int, int, int], chain: Chain, row: Labels
) -> None:
    """Where the ends of two runs lie that were joined in this row."""
    across, along = cut, 1 - cut
    first, middle, stop = at
    up_one, up_two = row[across] - one[across], row[across] - two[across]
    own = row[MIRRORS]
    back_one, back_two, over_two = own >> along & 1, own >> (2 + along) & 1, own >> (2 + across) & 1
    for side in range(2):
        ends = chain.ends[1, first] if side == 0 else chain.ends[0, stop]
        for index in range(ENDS):
            block = ends[index]
            to = (FIRST if side == 0 else LAST) + 2 * index
            if block < first or block >= stop:
                row[to] = -1
            elif block < middle:
                from_ = to if side == 0 else end(one, LAST, chain.ends[0, middle], block)
                _place(row, to, one, from_, across, (0, up_one), back_one, 0)
            else:
                from_ = to if side == 1 else end(two, FIRST, chain.ends[1, middle], block)
                _place(row, to, two, from_, across, (2 * one[along], up_two), back_two, over_two)


@lean_jit
def _place(
    row: Labels,
    to: int,
    part: Labels,
    from_: int,
    across: int,
    shift: tuple[int, int],
    back: int,
    over: int,
) -> None:
    """Puts an end of a part, mirrored along and across as told and shifted so, among the ends of the whole."""
    along = 1 - across
    x, y = part[from_ + along], part[from_ + across]
    row[to + along] = shift[0] + (2 * part[along] - x if back else x)
    row[to + across] = shift[1] + (2 * part[across] - y if over else y)


@lean_jit
def box_of_rung(
    one: Labels, two: Labels, inner: Labels, cut: int, rules: Rules, row: Labels, most: int
) -> bool:
    """Fills a row with the box of a rung joined with the run within; False where it is too large."""
    across, along = cut, 1 - cut
    row[along] = max(one[along], two[along]) + inner[along]
    row[across] = max(one[across] + two[across], inner[across])
    if row[along] > rules.sides[along] or row[across] > rules.sides[across]:
        return False
    return bool(np.int64(row[along]) * row[across] <= most)


@lean_jit
def join_rung(
    one: Labels,
    two: Labels,
    inner: Labels,
    cut: int,
    at: tuple[int, int, int, int],
    chain: Chain,
    row: Labels,
    sums: Int64s,
) -> None:
    """Fills a row with `one` and `two`, runs `at[0]:at[1]` and `at[2]:at[3]`, and the run `inner` between them.

    Cut 0 lays the pair below the run between, one beside the other; cut 1 lays the pair left of it, stacked. The
    row's box must be known; `sums` is room for 5 x 4 numbers.
    """
    across, along = cut, 1 - cut
    pair = one[across] + two[across]
    up_pair, up_inner = row[across] - pair, row[across] - inner[across]
    sums[:] = 0
    _sum_nets(one, two[across], inner, cut, at, 0, (up_inner - up_pair, up_inner + up_pair), chain, sums)
    _sum_nets(two, one[across], inner, cut, at, 1, (up_inner - up_pair, up_inner + up_pair), chain, sums)
    near, far = sums[:3], sums[3:]
    straight = min(far[0, 0], far[0, 1]) + min(far[1, 2], far[1, 3])
    crossed = min(far[0, 2], far[0, 3]) + min(far[1, 0], far[1, 1])
    swap = int(crossed < straight)
    first, second = 2 * swap, 2 - 2 * swap
    over_one, over_two = int(far[0, first + 1] < far[0, first]), int(far[1, second + 1] < far[1, second])
    back_one, back_two, back = (
        int(near[0, 1] < near[0, 0]),
        int(near[1, 1] < near[1, 0]),
        int(near[2, 1] < near[2, 0]),
    )
    row[WIRE] = one[WIRE] + two[WIRE] + inner[WIRE] + min(straight, crossed) + beside(at, chain) * pair
    for which in range(3):
        row[WIRE] += min(near[which, 0], near[which, 1])
    row[AT], row[BEYOND], row[CUT] = at[1], at[2], cut
    row[MIRRORS] = (
        back_one << along | over_one << across | back << (2 + along) | back_two << (4 + along)
        | over_two << (4 + across) | swap * PAIR
    )  # fmt: skip
    ups = (up_pair + 2 * two[across] * swap, up_pair + 2 * one[across] * (1 - swap), up_inner)
    _ends_of_rung(one, two, inner, cut, at, chain, row, ups)


@lean_jit
def _sum_nets(
    part: Labels,
    other: int,
    inner: Labels,
    cut: int,
    at: tuple[int, int, int, int],
    which: int,
    ups: tuple[int, int],
    chain: Chain,
    sums: Int64s,
) -> None:
    """Sums the nets between an outer part of a rung, 0 or 1, and the run between, `other` being what the other outer
    part takes across.

    Rows 0 to 2 are along, from and to the line between, as it is and mirrored, of both parts and of the run between;
    rows 3 and 4 are across, of either part lying first, mirrored there, second and mirrored there.
    """
    across, along = cut, 1 - cut
    gap = at[1 + which]
    for index in range(chain.gap_at[gap], chain.gap_at[gap + 1]):
        a, b, weight = chain.crossing[index, 0], chain.crossing[index, 1], chain.crossing[index, 2]
        if a < at[which] or b >= at[which + 2]:
            continue
        if which == 0:
            here, there = end(part, LAST, chain.ends[0, gap], a), end(inner, FIRST, chain.ends[1, gap], b)
        else:
            here, there = end(part, FIRST, chain.ends[1, gap], b), end(inner, LAST, chain.ends[0, gap], a)
        sums[which, 0] += weight * (2 * part[along] - part[here + along])
        sums[which, 1] += weight * part[here + along]
        sums[2, 0] += weight * inner[there + along]
        sums[2, 1] += weight * (2 * inner[along] - inner[there + along])
        for place in range(4):
            y = part[here + across]
            y = 2 * part[across] - y if place & 1 else y
            y += 2 * other if place & 2 else 0
            apart = abs(y - inner[there + across] - ups[0]) - ups[1]
            sums[3 + which, place] += weight * max(0, apart)


@lean_jit
def beside(at: tuple[int, int, int, int], chain: Chain) -> int:
    """The nets between the two outer parts of a rung; each is about as long as half of both."""
    nets = 0
    for index in range(chain.gap_at[at[1]], chain.gap_at[at[1] + 1]):
        if chain.crossing[index, 0] >= at[0] and at[2] <= chain.crossing[index, 1] < at[3]:
            nets += chain.crossing[index, 2]
    return nets


@lean_jit
def _ends_of_rung(
    one: Labels,
    two: Labels,
    inner: Labels,
    cut: int,
    at: tuple[int, int, int, int],
    chain: Chain,
    row: Labels,
    ups: tuple[int, int, int],
) -> None:
    """Where the ends of a rung joined with the run within lie; `ups` is how far across each part is shifted."""
    across, along = cut, 1 - cut
    first, low, high, stop = at
    room = max(one[along], two[along])
    own = row[MIRRORS]
    for side in range(2):
        ends = chain.ends[1, first] if side == 0 else chain.ends[0, stop]
        column = FIRST if side == 0 else LAST
        for index in range(ENDS):
            block = ends[index]
            to = column + 2 * index
            if block < first or block >= stop:
                row[to] = -1
            elif block < low:
                from_ = to if side == 0 else end(one, LAST, chain.ends[0, low], block)
                back = own >> along & 1
                shift = (0 if back else 2 * (room - one[along]), ups[0])  # close to the run within
                _place(row, to, one, from_, across, shift, back, own >> across & 1)
            elif block < high:
                from_ = end(inner, column, chain.ends[1, low] if side == 0 else chain.ends[0, high], block)
                _place(row, to, inner, from_, across, (2 * room, ups[2]), own >> (2 + along) & 1, 0)
            else:
                from_ = to if side == 1 else end(two, FIRST, chain.ends[1, high], block)
                back = own >> (4 + along) & 1
                shift = (0 if back else 2 * (room - two[along]), ups[1])
                _place(row, to, two, from_, across, shift, back, own >> (4 + across) & 1)
