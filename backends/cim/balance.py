"""How even a pipeline can be within a budget of units: copies are whole, and no stage has less than one.

A stage of few products is fast with a single copy and cannot be made slower; so the mean lies below the slowest stage,
whatever is chosen. With the slowest stage at `limit`, the mean is at most that of every stage's slowest option within.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wsc.backends.cim.sizing import Option


@dataclass(frozen=True)
class Balance:
    """With the slowest stage at `limit` cycles: at best `ratio` times the mean, and at least so many `units`."""

    limit: int
    ratio: float
    units: int


def balance_at(menus: Sequence[Sequence[Option]], limit: int) -> Balance | None:
    """The best balance with no stage slower than `limit`; None where some stage is always slower."""
    within = [[option for option in menu if option.cycles <= limit] for menu in menus]
    if not all(within):
        return None
    slowest = [max(option.cycles for option in menu) for menu in within]
    units = sum(min(option.units for option in menu) for menu in within)
    return Balance(limit, max(slowest) * len(menus) / sum(slowest), units)


def units_for(menus: Sequence[Sequence[Option]], ratio: float) -> Balance | None:
    """The fewest units with which a slowest stage of `ratio` times the mean is possible; None where it never is."""
    limits = {option.cycles for menu in menus for option in menu}
    found = [balance for limit in limits if (balance := balance_at(menus, limit)) and balance.ratio <= ratio]
    return min(found, key=lambda balance: (balance.units, balance.limit), default=None)
