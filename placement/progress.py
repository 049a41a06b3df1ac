"""How a search stands, told as it goes on: what each annealing found, as part of all the steps of the work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from wsc.placement.anneal import LOSS
from wsc.placement.effort import SolveParams
from wsc.placement.scene import Prices


@dataclass(frozen=True, slots=True)
class Progress:
    """How a search stands: the least cost so far and what none can beat, both in the problem's weights (in ticks of
    the slowest time where it has none), and the share of the work done."""

    incumbent: float
    bound: float
    done: float


Told = Callable[[Progress], None]


class Teller:
    """Passes on how the search stands."""

    def __init__(
        self, prices: Prices, weighed: bool, bound: int, params: SolveParams, told: Told | None
    ) -> None:
        self._unit = prices.unit if weighed else prices.tick
        self._bound, self._told = bound * prices.tick / self._unit, told
        self._done, self._all = 0, sum(-(-params.starts >> turn) for turn in range(params.rounds))
        self._best = LOSS

    def hear(self, cost: int) -> None:
        """One more annealing has ended at this cost."""
        self._done += 1
        self._best = min(self._best, cost)
        if self._told is not None and self._best < LOSS:
            self._told(Progress(self._best / self._unit, self._bound, self._done / self._all))


def with_shares(steps: Sequence[SolveParams], told: Told | None) -> Iterator[tuple[SolveParams, Told | None]]:
    """Each step with what hears of its progress, and tells of it as part of all the work."""
    works = [it.starts * it.moves for it in steps]
    best: list[float] = []

    def pass_on(before: int, work: int, it: Progress) -> None:
        best[:] = [min(it.incumbent, *best)] if best else [it.incumbent]
        done = (before + work * it.done) / max(1, sum(works))
        if told is not None:
            told(Progress(best[0], it.bound, done))

    for at, (step, work) in enumerate(zip(steps, works, strict=True)):
        yield step, partial(pass_on, sum(works[:at]), work) if told else None
