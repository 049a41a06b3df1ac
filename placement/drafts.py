"""Where searches of chains begin: the order of the data flow, and snakes at limits on time worth trying."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wsc.placement.bounds import cheapest_times
from wsc.placement.candidates import Catalogue
from wsc.placement.problem import Net, Problem
from wsc.placement.scene import Prices
from wsc.placement.snake import Snake, Spans, snakes
from wsc.placement.tree import NONE, Int16s, invert

_STEP = 16  # limits on time are first tried a sixteenth apart


@dataclass(frozen=True, slots=True)
class Draft:
    """A snake at a limit on the slowest time, with what it is estimated to cost."""

    cost: int
    limit: int
    snake: Snake


def flow_order(blocks: int, nets: Sequence[Net]) -> list[int]:
    """The blocks in an order of the data flow that follows each branch to its end first; cycles break anywhere."""
    waits = np.zeros(blocks, np.int64)
    follows: list[list[int]] = [[] for _ in range(blocks)]
    for net in nets:
        waits[net.target] += 1
        follows[net.source].append(net.target)
    ready = [block for block in range(blocks - 1, -1, -1) if not waits[block]]
    order: list[int] = []
    seen = [False] * blocks
    while len(order) < blocks:
        block = ready.pop() if ready else seen.index(False)
        if seen[block]:
            continue
        seen[block] = True
        order.append(block)
        for target in follows[block]:
            waits[target] -= 1
            if waits[target] == 0:
                ready.append(target)
    return order


def drafts(
    problem: Problem, menus: Catalogue, prices: Prices, order: Sequence[int], bound: int, count: int
) -> list[Draft]:
    """Snakes on the whole fabric at `count` limits, twice: over a wide range, then about the best; by cost."""
    spans = Spans.of(order, problem.nets)
    found: list[Draft] = []
    limit, last = bound, menus.slowest()
    while limit <= last:
        found += _drafts_at(problem, menus, prices, order, spans, _attained(menus, limit))
        if found and limit * prices.tick > min(it.cost for it in found):
            break  # the time alone costs more from here on
        limit += max(1, limit // _STEP)
    if not found:
        return []
    middle = min(found, key=lambda it: it.cost).limit
    reach = middle // _STEP
    fine = {_attained(menus, middle - reach + 2 * reach * at // count) for at in range(count)}
    known = min(it.cost for it in found) + prices.half_hop * len(
        problem.nets
    )  # centres may miss by half a cell
    fine |= set(cheapest_times(problem, menus, prices, bound, known, count)[1])
    for limit in sorted(fine - {it.limit for it in found}):
        found += _drafts_at(problem, menus, prices, order, spans, limit)
    return sorted(found, key=lambda it: (it.cost, it.limit, it.snake.stops))


def cheapest(some: Sequence[Draft], count: int) -> list[Draft]:
    """The cheapest drafts of different limits and numbers of rows."""
    first: dict[tuple[int, int], Draft] = {}
    for draft in some:
        first.setdefault((draft.limit, len(draft.snake.stops)), draft)
    return list(first.values())[:count]


def varied(some: Sequence[Draft], count: int) -> list[Draft]:
    """The cheapest, then those whose number of rows was chosen least often, the cheaper first."""
    rank: dict[int, int] = {}
    ranked = []
    for draft in some:
        rows = len(draft.snake.stops)
        ranked.append((rank.get(rows, 0), draft))
        rank[rows] = rank.get(rows, 0) + 1
    best = some[0].cost if some else 0
    near = [(at, draft) for at, draft in ranked if (draft.cost - best) * 20 <= best]
    near.sort(key=lambda pair: (pair[0], pair[1].cost))
    return [draft for _, draft in near[:count]]


def _attained(menus: Catalogue, limit: int) -> int:
    """The longest time up to a limit that some shape attains, or nearly so; the limit where none is near."""
    times = menus.times(limit - limit // _STEP, limit)
    return times[-1] if times else limit


def _drafts_at(
    problem: Problem, menus: Catalogue, prices: Prices, order: Sequence[int], spans: Spans, limit: int
) -> list[Draft]:
    fabric = problem.fabric
    cores = menus.cores(limit)
    if cores is None or cores > fabric.free:
        return []
    time = limit * prices.tick
    worth = time // (max(1, prices.half_hop) * fabric.height)
    found = snakes(_bars(problem, menus, order, limit), spans, (fabric.width, fabric.height), worth)
    drafted = []
    for snake in found:
        over = max(0, sum(snake.heights) - fabric.height)
        cost = time + snake.wire * prices.half_hop + 4 * over * time // fabric.height
        drafted.append(Draft(cost, limit, snake))
    return drafted


def _bars(problem: Problem, menus: Catalogue, order: Sequence[int], limit: int) -> Int16s:
    """For each position of the chain the least width by height."""
    rows = []
    for menu in menus.menus:
        heights = np.minimum(menu.heights(limit, problem.fabric.width), NONE).astype(np.int16)
        widths = np.empty(problem.fabric.height + 1, np.int16)
        invert(heights, widths)
        rows.append(widths)
    return np.array([rows[menus.of_block[block]] for block in order])
