"""Runs annealings side by side on threads, each a pure function of its seed, and keeps the best tree found."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np

from wsc.placement.anneal import LOGARITHMS, LOSS, cost_of, keep, walk
from wsc.placement.layout import adapters, wire_cost
from wsc.placement.scene import Stage
from wsc.placement.tree import Int64s, State, blank_state, mark_all, overflow

WORKERS = 2  # of numba code without Python's lock; how many there are never changes what is found
_PASSES = 2
_TEMPERATURES = 48
_PRICE, _RAMP = 4, 5  # what sticks out costs 4 times the time that it would save, then up to 20 times

# how often each kind of move is made: see wsc.placement.moves
_SHARES = {
    "swap leaves": 4,
    "swap trees": 4,
    "turn a cut": 2,
    "swap parts": 4,
    "graft": 8,
    "alignment": 2,
    "rotate": 4,
    "level": 2,
    "cross": 1,
    "port": 0,
    "mirror": 4,
    "turn a tree": 2,
}


class Stop:
    """Asks every annealing to end at its next temperature; set by Ctrl-C."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Ask now."""
        self._event.set()

    def asked(self) -> bool:
        """Whether it was asked."""
        return self._event.is_set()


@dataclass(frozen=True, eq=False)
class Start:
    """A state to anneal from, how many times its wire per net the first temperature is, and a seed."""

    state: State
    heat: float
    seed: int


@dataclass(frozen=True, eq=False)
class Found:
    """The best state of an annealing that fits its regions, or how far it was from one, and its cost."""

    cost: int
    state: State

    @property
    def fits(self) -> bool:
        """Whether it stays within its regions."""
        return self.cost < LOSS


def anneal(stage: Stage, start: Start, moves: int, stop: Stop) -> Found:
    """Anneals from a start for so many moves; the same for equal arguments, unless it is stopped."""
    scene = stage.scene
    state, old, best = (blank_state(scene) for _ in range(3))
    keep(start.state, state)
    keep(start.state, best)
    price = _overflow_price(stage)
    costs = np.array([LOSS, _cost_if_fits(stage, state), price], np.int64)
    rng = np.array([start.seed * 2_654_435_761 + 88_172_645_463_325_252], np.uint64)
    shares = _shares(scene.adapter_cost > 0, len(stage.limits) > 1)
    steps = max(1, moves // _TEMPERATURES)
    for turn, temperature in enumerate(_temperatures(stage, state, start.heat)):
        if stop.asked():
            break
        costs[2] = int(price * _RAMP ** (turn / (_TEMPERATURES - 1)))
        walk(scene, state, old, best, costs, rng, temperature, shares, steps, LOGARITHMS, _PASSES)
    return Found(int(costs[1]), best)


def unmoved(stage: Stage, start: Start) -> Found:
    """A start as it is."""
    state = blank_state(stage.scene)
    keep(start.state, state)
    return Found(_cost_if_fits(stage, state), state)


def _cost_if_fits(stage: Stage, state: State) -> int:
    """The cost of a state, laid out; LOSS where it does not fit its regions."""
    mark_all(state)
    cost = cost_of(stage.scene, state, LOSS - 1, _PASSES, _overflow_price(stage))
    return cost if overflow(stage.scene, state) == 0 else LOSS


def successive_halves(
    stage: Stage,
    starts: Sequence[Start],
    moves: int,
    rounds: int,
    stop: Stop,
    told: Callable[[int], None],
) -> list[Found]:
    """Anneals all starts, then the better half for twice as long, and so on; all that fits, by cost.

    `told` hears the least cost whenever an annealing ends.
    """
    found: list[Found] = []
    for turn in range(rounds):
        ended = _side_by_side(stage, starts, moves << turn, stop, told)
        pool = ended + found if turn else ended
        found = sorted(pool, key=lambda it: it.cost)[: max(1, (len(starts) + 1) // 2)]
        if stop.asked():
            break
        starts = [Start(it.state, starts[0].heat / 2, 1000 * (turn + 1) + at) for at, it in enumerate(found)]
    return [it for it in found if it.fits]


def _side_by_side(
    stage: Stage, starts: Sequence[Start], moves: int, stop: Stop, told: Callable[[int], None]
) -> list[Found]:
    """The results in the order of the starts; Ctrl-C stops all and leaves what they have so far."""
    with ThreadPoolExecutor(WORKERS) as pool:
        futures = [pool.submit(anneal, stage, start, moves, stop) for start in starts]
        waiting: set[Future[Found]] = set(futures)
        while waiting:
            try:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            except KeyboardInterrupt:
                stop.set()
                continue
            for future in done:
                told(future.result().cost)
    return [future.result() for future in futures]


def _overflow_price(stage: Stage) -> int:
    side = stage.scene.curves.shape[3]
    return int(max(1, int(stage.scene.time_cost[0]) * _PRICE // side))


def _shares(ports: bool, levels: bool) -> Int64s:
    shares = _SHARES | {"port": 8 if ports else 0, "level": _SHARES["level"] if levels else 0}
    return np.cumsum(list(shares.values())).astype(np.int64)


def _temperatures(stage: Stage, state: State, heat: float) -> list[int]:
    """Falling a hundredfold from `heat` times what wire and adapters cost per net."""
    scene = stage.scene
    rest = wire_cost(scene, state) + scene.adapter_cost * adapters(scene, state)
    first = heat * rest / max(1, len(scene.nets))
    return [max(1, round(first * 0.01 ** (turn / (_TEMPERATURES - 1)))) for turn in range(_TEMPERATURES)]
