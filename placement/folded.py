"""Which limits on time to fold a chain at, and the folded chains that fit, with what they cost exactly."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from wsc.placement.candidates import Catalogue
from wsc.placement.effort import Folding
from wsc.placement.folding import chain_of, fold
from wsc.placement.labels import HALF_HOP, Rules, rules_of
from wsc.placement.plant import plant_fold
from wsc.placement.problem import Problem
from wsc.placement.regions import Box
from wsc.placement.scene import Prices, stage_of
from wsc.placement.search import WORKERS, Start, unmoved
from wsc.placement.tree import FREE, Int32s, State, blank_state

_BUCKETS = (
    (20, 211),
    (36, 160),
    (56, 96),
    (80, 64),
    (104, 48),
)  # by blocks: buckets of a table, so that the work does not grow out of hand
_SHORT = 36  # blocks: up to here the coarse look is half as fine as the full one, then a third
_DROP = 300  # a limit is worth a look where a 300th of the fabric comes free
_LATEST = 6  # and it is at most a sixth above the bound: beyond, snakes have room enough
_WORSE = 32  # folds may cost a thirty-second more than what is known
_FEW = (
    20  # blocks: up to here a rung has as many as it may, and up to twice that all limits are folded in full
)
_KEPT = 4  # folds of a limit, of different costs
_NO_WASTE = 1 << 20  # the price of a cell at which wire does not count


@dataclass(frozen=True, eq=False)
class Folded:
    """A folded chain at a limit on the slowest time, with its exact cost, as the links and the root of its tree."""

    cost: int
    limit: int
    links: Int32s
    root: int

    def plant(self, state: State, room: tuple[int, int]) -> None:
        """Fills a blank state of one region with the tree."""
        state.links[:], state.port[:] = self.links, FREE
        state.roots[0], state.cross[0] = self.root, room


@dataclass(frozen=True)
class Folder:
    """Folds the chains of a problem."""

    problem: Problem
    menus: Catalogue
    prices: Prices

    def folded(self, order: Sequence[int], bound: int, known: int, work: Folding) -> list[Folded]:
        """The chain folded at the most promising limits whose time alone costs less than `known`; the cheapest first.

        A coarse look at some of all limits, and then at the neighbours of the best, chooses those that are folded in
        full. None for chains too long to be folded, and for a single block.
        """
        buckets = next((many for blocks, many in _BUCKETS if len(order) <= blocks), 0)
        if not buckets or not work.limits or len(order) < 2:
            return []
        last = min(known // self.prices.tick, bound + bound // _LATEST)
        steps = _steps(self.menus, self.problem.fabric.free, bound, last)
        short = len(order) <= _SHORT
        if short:
            coarse = replace(work, prices=(work.prices[0], work.prices[-1]), rung=min(2, work.rung))
        else:
            coarse = replace(work, prices=(work.prices[len(work.prices) // 2] / 2,), rung=0)
        worth = known + known // _WORSE
        best = self._looks(order, steps, buckets // (2 if short else 3), coarse, worth)
        limits = max(1, min(work.limits, 2 * work.limits * _FEW // len(order)))
        chosen = sorted(best, key=lambda limit: (best[limit], limit))[:limits]
        found: dict[tuple[int, int], Folded] = {}
        for times in work.fine:
            for it in self._at(order, chosen, buckets * times, work):
                if it.cost < worth:
                    found.setdefault((it.cost, it.limit), it)
        return [found[key] for key in sorted(found)]

    def _looks(
        self, order: Sequence[int], steps: Sequence[int], buckets: int, work: Folding, worth: int
    ) -> dict[int, int]:
        """What a fold costs at the limits looked at, where that is below `worth`."""
        best: dict[int, int] = {}
        stride = max(1, -(-len(steps) * 2 // max(1, work.looks)))
        asked: set[int] = set()
        while stride:
            around = sorted(best, key=lambda limit: (best[limit], limit))[:2]
            middle = [steps.index(limit) for limit in around]
            wanted = (
                {at + way * stride for at in middle for way in (-1, 1)}
                if asked
                else set(range(0, len(steps), stride))
            )
            wanted = {at for at in wanted if 0 <= at < len(steps)} - asked
            asked |= wanted
            for it in self._at(order, [steps[at] for at in sorted(wanted)], buckets, work):
                if it.cost < best.get(it.limit, worth):
                    best[it.limit] = it.cost
            stride //= 2
        return best

    def _at(self, order: Sequence[int], limits: Sequence[int], buckets: int, work: Folding) -> list[Folded]:
        """The best folds at each limit that fit."""
        workers = WORKERS if len(limits) == 1 else 1
        with ThreadPoolExecutor(WORKERS) as pool:
            made = pool.map(lambda limit: self.at(order, limit, buckets, work, workers), limits)
            return [it for some in made for it in some]

    def at(
        self, order: Sequence[int], limit: int, buckets: int, work: Folding, workers: int = 1
    ) -> list[Folded]:
        """Some of the folds at a limit that fit, of different costs, the cheapest first."""
        problem, menus = self.problem, self.menus
        room = (problem.fabric.width, problem.fabric.height)
        chain = chain_of(order, problem.nets, [menus.menu(block).cores(limit) or 0 for block in order])
        fronts = [menus.menu(block).front(limit) for block in order]
        rules = self._rules(limit, int(chain.cores[-1]), buckets, len(order), work)
        folds = fold(chain, fronts, rules, workers)
        stage = stage_of(
            problem, menus, replace(self.prices, adapter=0), [limit], [Box(0, 0, *room)], [list(order)]
        )
        state = blank_state(stage.scene)
        found: dict[int, Folded] = {}
        for whole in range(len(folds.wholes)):
            plant_fold(state, folds, whole, order, room)
            laid = unmoved(stage, Start(state, 0.0, 0))
            if laid.fits and laid.cost not in found:
                found[laid.cost] = Folded(laid.cost, limit, laid.state.links.copy(), int(laid.state.roots[0]))
        return [found[cost] for cost in sorted(found)[:_KEPT]]

    def _rules(self, limit: int, cores: int, buckets: int, blocks: int, work: Folding) -> Rules:
        """The rules at a limit. A cell costs what it would have saved, if areas go with times, and more or less."""
        fabric, prices = self.problem.fabric, self.prices
        cell = limit * prices.tick / (fabric.free * max(1, prices.half_hop)) * HALF_HOP
        each = [min(_NO_WASTE, max(1, round(cell * price))) for price in work.prices]
        rung = min(work.rung, work.rung * _FEW // blocks)
        sides = (fabric.width, fabric.height)
        return rules_of(sides, buckets, fabric.free - cores, [*each, _NO_WASTE], rung, work.wholes)


def _steps(menus: Catalogue, free: int, low: int, high: int) -> list[int]:
    """Limits at which the least areas fall, those with most to spare for their time, shortest first."""
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
    return [times[at] for at in sorted({0, *steps}) if times and cores(at) * 100 <= free * 99]
