"""Where annealings start: the order of the data flow, limits on time worth trying, snakes and slicing floorplans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from wsc.placement.bounds import cheapest_times
from wsc.placement.candidates import Catalogue, least_limit
from wsc.placement.folded import Folded
from wsc.placement.ground import pieces
from wsc.placement.plant import plant, plant_snake
from wsc.placement.problem import Net, Problem
from wsc.placement.scene import Prices, Stage
from wsc.placement.search import Start
from wsc.placement.slicing import PackedPiece, Packing, affordable_reach, curves, fill
from wsc.placement.snake import Snake, Spans, snakes
from wsc.placement.tree import NONE, Int16s, blank_state, invert

_SNAKE_HEAT, _SLICING_HEAT, _FOLD_HEAT = 0.5, 1.5, 0.3
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


def fastest_packing(
    problem: Problem, menus: Catalogue, order: Sequence[int], bound: int, splits: int
) -> Packing | None:
    """The slicing floorplan in the order of the chain of the shortest slowest time; None where there is none."""
    made: dict[int, Packing | None] = {}

    def packing(limit: int) -> Packing | None:
        cores = menus.cores(limit)
        if cores is None or cores > problem.fabric.free:
            return None
        if limit not in made:
            made[limit] = _packed(problem, menus, order, limit, splits)
        return made[limit]

    slowest, low, high, step = menus.slowest(), bound, bound, max(1, bound // 50)
    while packing(high) is None:
        if high >= slowest:
            return None
        low, high, step = high + 1, min(slowest, high + step), 2 * step
    limit = least_limit(low, high, lambda it: packing(it) is not None)
    return None if limit is None else packing(limit)


def _packed(
    problem: Problem, menus: Catalogue, order: Sequence[int], limit: int, splits: int
) -> Packing | None:
    """The slicing floorplans of all pieces of the problem within the limit; None where one does not fit."""
    found = []
    for piece in pieces(problem, menus, order, limit) or ():
        reach = affordable_reach(len(piece.order), splits)
        shapes = curves(menus, problem.fabric, limit, reach, piece.order)
        filled = (fill(shapes, boxes) for boxes in piece.ways)
        strips = next((it for it in filled if it is not None), None)
        if strips is None:
            return None
        found.append(PackedPiece(piece.order, shapes, tuple(strips)))
    return Packing(limit, tuple(found)) if found else None


def planted(
    stage: Stage,
    order: Sequence[int],
    packing: Packing | None,
    some: Sequence[Draft],
    folds: Sequence[Folded],
    count: int,
) -> list[Start]:
    """As many starts: folds in half of them, drafts of different numbers of rows before others, and the packing."""
    starts: list[Start] = []
    room = (stage.regions[0].width, stage.regions[0].height)
    for it in folds[: (count + 1) // 2]:
        state = blank_state(stage.scene)
        it.plant(state, room)
        state.level[0] = _level(stage, it.limit)
        starts.append(Start(state, _FOLD_HEAT, 100 + len(starts)))
    left = count - len(starts)
    chosen = varied(some, max(1, left - (1 if folds else 2)) if packing else left)
    for seed, draft in enumerate(chosen):
        state = blank_state(stage.scene)
        plant_snake(state, draft.snake, order, room)
        state.level[0] = _level(stage, draft.limit)
        starts.append(Start(state, _SNAKE_HEAT, seed))
    while packing is not None and len(starts) < count:
        state = blank_state(stage.scene)
        plant(state, packing, Random(len(starts)))
        state.level[0] = _level(stage, packing.limit)
        starts.append(Start(state, _SLICING_HEAT, len(starts)))
    return starts


def plain(stage: Stage, order: Sequence[int], some: Sequence[Draft], count: int) -> list[Start]:
    """The cheapest drafts as they are, of different limits, for whatever makes good of small differences."""
    starts: list[Start] = []
    room = (stage.regions[0].width, stage.regions[0].height)
    for draft in cheapest(some, count):
        state = blank_state(stage.scene)
        plant_snake(state, draft.snake, order, room)
        state.level[0] = _level(stage, draft.limit)
        starts.append(Start(state, 0.0, 0))
    return starts


def cheapest(some: Sequence[Draft], count: int) -> list[Draft]:
    """The cheapest drafts of different limits and numbers of rows."""
    first: dict[tuple[int, int], Draft] = {}
    for draft in some:
        first.setdefault((draft.limit, len(draft.snake.stops)), draft)
    return list(first.values())[:count]


def levels(menus: Catalogue, low: int, middle: Sequence[int], high: int, count: int) -> list[int]:
    """About `count` limits from `low` to `high` that shapes attain, evenly among them, and all of `middle`."""
    every = menus.times(low, high)
    if len(every) > count:
        every = [every[at * (len(every) - 1) // max(1, count - 1)] for at in range(count)]
    return sorted({*every, *middle})


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


def _level(stage: Stage, limit: int) -> int:
    """The first level whose limit is no less."""
    return min(int(np.searchsorted(stage.limits, limit)), len(stage.limits) - 1)
