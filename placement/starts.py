"""Where annealings start: trees of snakes, folds, rows that agree and slicing floorplans."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np

from wsc.placement.candidates import Catalogue
from wsc.placement.drafts import Draft, cheapest, varied
from wsc.placement.plant import plant, plant_snake
from wsc.placement.scene import Stage
from wsc.placement.search import Start
from wsc.placement.seeds import Seeds
from wsc.placement.snake import Snake
from wsc.placement.tree import FREE, blank_state

_SNAKE_HEAT, _SLICING_HEAT, _FOLD_HEAT = 0.5, 1.5, 0.3


def planted(
    stage: Stage,
    order: Sequence[int],
    seeds: Seeds,
    count: int,
) -> list[Start]:
    """As many starts: rows that agree and folds in half of them, drafts of different numbers of rows before others, and
    the packing."""
    starts: list[Start] = []
    room = (stage.regions[0].width, stage.regions[0].height)
    for laid in seeds.agreed[: (count + 3) // 4]:
        state = blank_state(stage.scene)
        plant_snake(state, Snake(laid.stops, (), 0), order, room)
        tags = {ports: tag for tag, ports in enumerate(stage.tuples)}
        state.port[: len(order)] = [tags.get(ports or (), FREE) for ports in laid.ports]
        state.level[0] = _level(stage, laid.limit)
        starts.append(Start(state, _SNAKE_HEAT, 200 + len(starts)))
    for it in seeds.folds[: (count + 1) // 2 - len(starts)]:
        state = blank_state(stage.scene)
        it.plant(state, room)
        state.level[0] = _level(stage, it.limit)
        starts.append(Start(state, _FOLD_HEAT, 100 + len(starts)))
    left, packing = count - len(starts), seeds.packing
    chosen = varied(seeds.snakes, max(1, left - (1 if seeds.folds else 2)) if packing else left)
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


def levels(menus: Catalogue, low: int, middle: Sequence[int], high: int, count: int) -> list[int]:
    """About `count` limits from `low` to `high` that shapes attain, evenly among them, and all of `middle`."""
    every = menus.times(low, high)
    if len(every) > count:
        every = [every[at * (len(every) - 1) // max(1, count - 1)] for at in range(count)]
    return sorted({*every, *middle})


def _level(stage: Stage, limit: int) -> int:
    """The first level whose limit is no less."""
    return min(int(np.searchsorted(stage.limits, limit)), len(stage.limits) - 1)
