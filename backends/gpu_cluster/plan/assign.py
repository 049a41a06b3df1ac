"""The cheapest choice of one option for each variable, where costs are of single variables and of pairs.

Exact, by eliminating one variable after another (Bertele and Brioschi, Nonserial Dynamic Programming, 1972): the
variable with the fewest neighbours first. Time grows with the options to the power of the graph's treewidth, which is
small for networks of layers. Layers that are alike bring the same tables, by identity, and are then worked out once:
what is left of a variable depends on nothing but the tables that name it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.float64]
LARGEST_TABLE = 4_000_000


@dataclass(frozen=True, eq=False)
class _Factor:
    """A cost table with one axis a variable, in the order of `scope`."""

    scope: tuple[int, ...]
    table: Table


@dataclass(frozen=True, eq=False)
class _Left:
    """What is left of a variable: its best option, and the cost with it, by the options of its neighbours."""

    best: NDArray[np.int64]
    cost: Table
    given: tuple[Table, ...]  # held, so that their identities stay theirs


def cheapest(single: Sequence[Table], pairs: Mapping[tuple[int, int], Table]) -> list[int]:
    """The option of each variable; of equal choices the one of lower options for later variables.

    `single[v]` are costs of v's options, `pairs[u, v]` those of both. Raises ValueError where a table would have more
    than LARGEST_TABLE entries.
    """
    return _Elimination(single, pairs).chosen()


class _Elimination:
    """The factors that name each variable, in the order they came, and its neighbours."""

    def __init__(self, single: Sequence[Table], pairs: Mapping[tuple[int, int], Table]) -> None:
        self.sizes = [len(table) for table in single]
        self.factors: dict[int, dict[_Factor, None]] = {
            v: {_Factor((v,), table): None} for v, table in enumerate(single)
        }
        self.beside: dict[int, set[int]] = {v: set() for v in self.factors}
        self.known: dict[tuple[tuple[int, tuple[int, ...]], ...], _Left] = {}
        for (u, v), table in pairs.items():
            self._add(_Factor((u, v), table))

    def _add(self, factor: _Factor) -> None:
        for v in factor.scope:
            self.factors[v][factor] = None
            self.beside[v].update(factor.scope)
            self.beside[v].discard(v)

    def chosen(self) -> list[int]:
        """Eliminate every variable, then choose backwards."""
        order: list[tuple[int, tuple[int, ...], NDArray[np.int64]]] = []
        waiting = [(len(beside), v) for v, beside in self.beside.items()]
        heapify(waiting)
        while self.factors:
            reach, variable = heappop(waiting)
            if variable not in self.factors or reach != len(self.beside[variable]):
                continue  # done, or told anew since
            around = tuple(sorted(self.beside[variable]))
            left = self._without(variable, around)
            order.append((variable, around, left.best))
            if around:
                self._add(_Factor(around, left.cost))
            for other in around:
                heappush(waiting, (len(self.beside[other]), other))
        return _traced(order, len(self.sizes))

    def _without(self, variable: int, around: tuple[int, ...]) -> _Left:
        """Take a variable out of all that names it."""
        scope = (*around, variable)
        if np.prod([self.sizes[v] for v in scope], dtype=np.float64) > LARGEST_TABLE:
            raise ValueError(f"a table over {len(scope)} variables is too large")
        factors = tuple(self.factors.pop(variable))
        axis = {v: i for i, v in enumerate(scope)}
        asked = tuple((id(f.table), tuple(axis[v] for v in f.scope)) for f in factors)
        for other in around:
            self.beside[other].discard(variable)
        for factor in factors:
            for other in factor.scope:
                if other != variable:
                    del self.factors[other][factor]
        if asked not in self.known:
            total = np.zeros(tuple(self.sizes[v] for v in scope))
            for factor in factors:
                total = total + _spread(factor, scope)
            tables = tuple(f.table for f in factors)
            self.known[asked] = _Left(total.argmin(axis=-1), total.min(axis=-1), tables)
        return self.known[asked]


def _spread(factor: _Factor, scope: tuple[int, ...]) -> Table:
    """The table over a larger scope, with axes of length one where it does not depend on a variable."""
    order = sorted(range(len(factor.scope)), key=lambda axis: scope.index(factor.scope[axis]))
    table = factor.table.transpose(order)
    kept = {factor.scope[axis] for axis in order}
    sizes = iter(table.shape)
    return table.reshape([next(sizes) if v in kept else 1 for v in scope])


def _traced(chosen: list[tuple[int, tuple[int, ...], NDArray[np.int64]]], count: int) -> list[int]:
    result = [0] * count
    for variable, scope, best in reversed(chosen):
        result[variable] = int(best[tuple(result[v] for v in scope)])
    return result
