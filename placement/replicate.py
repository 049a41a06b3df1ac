"""Copies for the stages of a pipeline: the shortest slowest stage within a budget, then the shortest way through.

Every stage has options of falling time and rising cost. The shortest slowest time is exact: a bisection over all times
there are. With it held, CP-SAT spends what is left of the budget on the sum of the stages' times.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from ortools.sat.python import cp_model

from wsc.compiler.errors import DoesNotFit, VerificationError

_SCALED = 1 << 20  # times are scaled to below this: sums stay small, and the objective's gap is fine


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to run a stage: time and cost, both at least 0; raises VerificationError otherwise."""

    time: int
    cost: int

    def __post_init__(self) -> None:
        if min(self.time, self.cost) < 0:
            raise VerificationError(f"a choice needs figures of at least 0: {self}")


@dataclass(frozen=True)
class Replication:
    """`chosen` is the index of each stage's choice; `slowest` is proved shortest for the budget."""

    chosen: tuple[int, ...]
    slowest: int
    cost: int


def replicate(menus: tuple[tuple[Choice, ...], ...], budget: int, *, effort: float = 1.0) -> Replication:
    """A choice for every stage; the same for equal arguments. `effort` is in deterministic seconds of the solver.

    Raises DoesNotFit where the cheapest choices cost more than the budget.
    """
    least = sum(min(choice.cost for choice in menu) for menu in menus)
    if least > budget:
        raise DoesNotFit(f"{least:,} units are needed and there are {budget:,}")
    times = sorted({choice.time for menu in menus for choice in menu})
    index = bisect_left(times, True, key=lambda time: _cost(menus, time) <= budget)
    limit = times[index]
    chosen = _spend(menus, limit, budget, effort)
    slowest = max(menu[i].time for menu, i in zip(menus, chosen, strict=True))
    return Replication(chosen, slowest, sum(menu[i].cost for menu, i in zip(menus, chosen, strict=True)))


def _cost(menus: tuple[tuple[Choice, ...], ...], limit: int) -> float:
    """The least cost with no time above the limit; infinite where there is none."""
    costs = [min((c.cost for c in menu if c.time <= limit), default=float("inf")) for menu in menus]
    return sum(costs)


def _spend(menus: tuple[tuple[Choice, ...], ...], limit: int, budget: int, effort: float) -> tuple[int, ...]:
    """Choices within the limit and the budget of a small sum of times."""
    allowed = [[i for i, choice in enumerate(menu) if choice.time <= limit] for menu in menus]
    cheapest = [
        min(some, key=lambda i: (menu[i].cost, menu[i].time))
        for some, menu in zip(allowed, menus, strict=True)
    ]
    scale = max(1, sum(max(c.time for c in menu) for menu in menus) // _SCALED)
    model = cp_model.CpModel()
    picks = [{i: model.new_bool_var(f"{s}.{i}") for i in some} for s, some in enumerate(allowed)]
    for pick, start in zip(picks, cheapest, strict=True):
        model.add_exactly_one(pick.values())
        for i, variable in pick.items():
            model.add_hint(variable, i == start)
    chosen = [
        (menu[i], variable) for menu, pick in zip(menus, picks, strict=True) for i, variable in pick.items()
    ]
    model.add(sum(choice.cost * variable for choice, variable in chosen) <= budget)
    model.minimize(sum(choice.time // scale * variable for choice, variable in chosen))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_deterministic_time = effort
    if solver.solve(model) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return tuple(cheapest)
    return tuple(next(i for i, v in pick.items() if solver.boolean_value(v)) for pick in picks)
