"""Which limits on time to fold a chain at, and the folded chains that fit, with what they cost exactly."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from wsc.placement.candidates import Catalogue
from wsc.placement.folding import Chain, Folds, Rules, chain_of, fold
from wsc.placement.plant import plant_fold
from wsc.placement.problem import Problem
from wsc.placement.regions import Box
from wsc.placement.scene import Prices, stage_of
from wsc.placement.search import WORKERS, Start, unmoved
from wsc.placement.tree import blank_state

_BUCKETS = (
    (24, 48),
    (32, 32),
    (44, 20),
    (64, 12),
)  # by blocks: ranges of proportions, so that the work stays even
_LOOKED_AT = 12  # limits folded at coarsely
_COARSER = 3
_DROP = 200  # a limit is worth a look where a 200th of the fabric comes free
_LATEST = 6  # and it is at most a sixth above the bound: beyond, snakes have room enough
_WORSE = 32  # folds may cost a thirty-second more than what is known
_KEPT = 4  # folds of a limit, of different costs


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded chain at a limit on the slowest time, with its exact cost."""

    cost: int
    limit: int
    folds: Folds
    whole: int


def folded(
    problem: Problem,
    menus: Catalogue,
    prices: Prices,
    order: Sequence[int],
    bound: int,
    known: int,
    limits: int,
    wholes: int,
) -> list[Folded]:
    """The chain folded at the most promising limits whose time alone costs less than `known`; the cheapest first.

    A coarse look at all of them chooses the `limits` that are folded in full, `wholes` floorplans of each being laid
    out exactly. None for chains too long to be folded.
    """
    buckets = next((many for blocks, many in _BUCKETS if len(order) <= blocks), 0)
    if not buckets or not limits:
        return []
    prices = replace(prices, adapter=0)  # snakes are costed without them, too
    last = min(known // prices.tick, bound + bound // _LATEST)
    steps = _steps(menus, problem.fabric.free, bound, last)
    coarse = _at(problem, menus, prices, order, steps, (max(4, buckets // _COARSER), wholes // 4))
    worth = known + known // _WORSE
    best: dict[int, int] = {}
    for it in coarse:
        best[it.limit] = min(it.cost, best.get(it.limit, worth))
    chosen = sorted((limit for limit in best if best[limit] < worth), key=lambda limit: (best[limit], limit))
    fine = _at(problem, menus, prices, order, chosen[:limits], (buckets, wholes))
    cheap = [it for it in fine if it.cost < worth]
    return sorted(cheap, key=lambda it: (it.cost, it.limit, it.whole))


def _steps(menus: Catalogue, free: int, low: int, high: int) -> list[int]:
    """Limits at which the least areas fall, those with most to spare for their time first."""
    times = menus.times(low, high)
    known: dict[int, int] = {}

    def cores(at: int) -> int:
        if at not in known:
            known[at] = menus.cores(times[at]) or 0
        return known[at]

    steps = []
    waiting = [(0, len(times) - 1)] if times else []
    while waiting:
        first, last = waiting.pop()
        if cores(first) - cores(last) <= free // _DROP:
            continue
        if last - first == 1:
            steps.append(last)
            continue
        middle = (first + last) // 2
        waiting += [(first, middle), (middle, last)]
    fitting = [times[at] for at in sorted({0, *steps}) if times and cores(at) * 100 <= free * 99]
    return fitting[:_LOOKED_AT]


def _at(
    problem: Problem,
    menus: Catalogue,
    prices: Prices,
    order: Sequence[int],
    limits: Sequence[int],
    work: tuple[int, int],
) -> list[Folded]:
    """The best folds at each limit that fit, `work` being ranges of proportions and floorplans laid out."""
    tasks = [_task(problem, menus, prices, order, limit, work) for limit in limits]
    with ThreadPoolExecutor(WORKERS) as pool:
        made = list(pool.map(lambda task: fold(*task), tasks))
    found = []
    for limit, folds in zip(limits, made, strict=True):
        found += _laid(problem, menus, prices, order, limit, folds, work[1])
    return found


def _task(
    problem: Problem,
    menus: Catalogue,
    prices: Prices,
    order: Sequence[int],
    limit: int,
    work: tuple[int, int],
) -> tuple[Chain, list[list[tuple[int, int]]], Rules]:
    """What `fold` takes at a limit. A cell of waste costs what it would have saved, if areas go with times."""
    fabric = problem.fabric
    chain = chain_of(order, problem.nets, [menus.menu(block).cores(limit) or 0 for block in order])
    spare = fabric.free - int(chain.cores[-1])
    price = max(1, limit * prices.tick * 64 // fabric.free)
    rules = Rules(
        width=fabric.width,
        height=fabric.height,
        buckets=work[0],
        waste=spare + fabric.free // 80,
        half_hop=prices.half_hop,
        beyond=limit * prices.tick // max(fabric.width, fabric.height),
        prices=np.array([price // 4, price, price * 4], np.int64),
        wholes=2 * work[1],
    )
    return chain, [menus.menu(block).front(limit) for block in order], rules


def _laid(
    problem: Problem,
    menus: Catalogue,
    prices: Prices,
    order: Sequence[int],
    limit: int,
    folds: Folds,
    wholes: int,
) -> list[Folded]:
    """Some of the folds that fit, of different costs."""
    room = (problem.fabric.width, problem.fabric.height)
    stage = stage_of(problem, menus, prices, [limit], [Box(0, 0, *room)], [list(order)])
    state = blank_state(stage.scene)
    found: dict[int, Folded] = {}
    for whole in range(min(wholes, len(folds.wholes))):
        plant_fold(state, folds, whole, order, room)
        laid = unmoved(stage, Start(state, 0.0, 0))
        if laid.fits and laid.cost not in found:
            found[laid.cost] = Folded(laid.cost, limit, folds, whole)
    return [found[cost] for cost in sorted(found)[:_KEPT]]
