"""The cheapest choice of one option for each variable, where costs are of single variables and of pairs.

Exact, by eliminating one variable after another (Bertele and Brioschi, Nonserial Dynamic Programming, 1972): the
variable with the fewest neighbours first. Time grows with the options to the power of the graph's treewidth, which is
small for networks of layers. Which variable comes when depends on the pairs alone and is worked out once for costs of
all kinds. Layers that are alike bring the same tables, by identity, and each step on the same tables is done once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.float64]
LARGEST_TABLE = 4_000_000


@dataclass(frozen=True)
class Step:
    """A variable that is eliminated, and the neighbours that it then has, in order.

    `factors` number the tables that name it: first those of single variables, then those of pairs, then what each step
    before has left. `axes[f]` say which axis of the step's own table, whose last is the variable's, each axis of a
    factor is; `likeness` is equal for steps of equal axes.
    """

    variable: int
    around: tuple[int, ...]
    factors: tuple[int, ...]
    axes: tuple[tuple[int, ...], ...]
    likeness: int


def elimination(count: int, pairs: Sequence[tuple[int, int]]) -> tuple[Step, ...]:
    """The steps for so many variables, of which these pairs have costs."""
    return tuple(_Elimination(count, pairs).steps())


class _Elimination:
    """Of each variable the factors that name it, in the order in which they came, and its neighbours."""

    def __init__(self, count: int, pairs: Sequence[tuple[int, int]]) -> None:
        self.scopes: list[tuple[int, ...]] = [(v,) for v in range(count)]
        self.naming: dict[int, dict[int, None]] = {v: {v: None} for v in range(count)}
        self.beside: dict[int, set[int]] = {v: set() for v in range(count)}
        for pair in pairs:
            self._add(pair)

    def _add(self, scope: tuple[int, ...]) -> None:
        for v in scope:
            self.naming[v][len(self.scopes)] = None
            self.beside[v].update(scope)
            self.beside[v].discard(v)
        self.scopes.append(scope)

    def steps(self) -> list[Step]:
        """All of them, in order."""
        found: list[Step] = []
        likeness: dict[tuple[tuple[int, ...], ...], int] = {}
        waiting = [(len(beside), v) for v, beside in self.beside.items()]
        heapify(waiting)
        while self.naming:
            reach, variable = heappop(waiting)
            if variable not in self.naming or reach != len(self.beside[variable]):
                continue  # done, or told anew since
            around = tuple(sorted(self.beside[variable]))
            axis = {v: i for i, v in enumerate((*around, variable))}
            factors = tuple(self.naming.pop(variable))
            axes = tuple([tuple([axis[v] for v in self.scopes[f]]) for f in factors])
            found.append(Step(variable, around, factors, axes, likeness.setdefault(axes, len(likeness))))
            for other in around:
                self.beside[other].discard(variable)
                for factor in factors:
                    self.naming[other].pop(factor, None)
            self._add(around)
            for other in around:
                heappush(waiting, (len(self.beside[other]), other))
        return found


def cheapest(
    single: Sequence[Table],
    pairs: Mapping[tuple[int, int], Table],
    steps: Sequence[Step] | None = None,
) -> list[int]:
    """The option of each variable; of equal choices the one of lower options for later variables.

    `single[v]` are costs of v's options, `pairs[u, v]` those of both, `steps` what `elimination` gives for them. Raises
    ValueError where a table would have more than LARGEST_TABLE entries.
    """
    if all(len(table) == 1 for table in single):
        return [0] * len(single)
    tables: list[Table] = [*single, *pairs.values()]
    known: dict[tuple[int, ...], tuple[NDArray[np.int64], Table]] = {}
    chosen: list[NDArray[np.int64]] = []
    steps = elimination(len(single), tuple(pairs)) if steps is None else steps
    for step in steps:
        given = [tables[factor] for factor in step.factors]
        asked = (step.likeness, *map(id, given))  # `tables` holds them all: an identity stays a table's own
        if asked not in known:
            known[asked] = _without(step, given, [len(single[v]) for v in (*step.around, step.variable)])
        best, left = known[asked]
        chosen.append(best)
        tables.append(left)
    result = [0] * len(single)
    for step, best in zip(reversed(steps), reversed(chosen), strict=True):
        result[step.variable] = int(best[tuple([result[v] for v in step.around])])
    return result


def _without(step: Step, given: Sequence[Table], shape: Sequence[int]) -> tuple[NDArray[np.int64], Table]:
    """The best option of a step's variable, and the cost with it, by the options of its neighbours."""
    if np.prod(shape, dtype=np.float64) > LARGEST_TABLE:
        raise ValueError(f"a table over {len(shape)} variables is too large")
    total = np.zeros(shape)
    for table, axes in zip(given, step.axes, strict=True):
        total = total + _spread(table, axes, len(shape))
    return total.argmin(axis=-1), total.min(axis=-1)


def _spread(table: Table, axes: tuple[int, ...], rank: int) -> Table:
    """The table over more axes, of length one where it does not depend on a variable."""
    turned = table.transpose(sorted(range(len(axes)), key=axes.__getitem__))
    sizes = iter(turned.shape)
    return turned.reshape([next(sizes) if axis in axes else 1 for axis in range(rank)])
