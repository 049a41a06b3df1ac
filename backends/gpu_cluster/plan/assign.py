"""The cheapest choice of one option for each variable, where costs are of single variables and of pairs.

Exact, by eliminating one variable after another (Bertele and Brioschi, Nonserial Dynamic Programming, 1972): the
variable with the fewest neighbours first. Time grows with the options to the power of the graph's treewidth, which is
small for networks of layers.
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
class _Factor:
    """A cost table with one axis a variable, in the order of `scope`."""

    scope: tuple[int, ...]
    table: Table


def cheapest(single: Sequence[Table], pairs: Mapping[tuple[int, int], Table]) -> list[int]:
    """The option of each variable; of equal choices the one of lower options for later variables.

    `single[v]` are costs of v's options, `pairs[u, v]` those of both. Raises ValueError where a table would have more
    than LARGEST_TABLE entries.
    """
    factors: dict[int, list[_Factor]] = {v: [_Factor((v,), table)] for v, table in enumerate(single)}
    for (u, v), table in pairs.items():
        factor = _Factor((u, v), table)
        factors[u].append(factor)
        factors[v].append(factor)
    sizes = [len(table) for table in single]
    chosen: list[tuple[int, tuple[int, ...], NDArray[np.int64]]] = []
    waiting = [(len(_scope(factors[v])), v) for v in factors]
    heapify(waiting)
    while factors:
        reach, variable = heappop(waiting)
        if variable not in factors or reach != len(_scope(factors[variable])):
            continue  # done, or told anew since
        scope = (*sorted(_scope(factors[variable]) - {variable}), variable)
        shape = tuple(sizes[v] for v in scope)
        if np.prod(shape, dtype=np.float64) > LARGEST_TABLE:
            raise ValueError(f"a table over {len(scope)} variables is too large")
        total = np.zeros(shape)
        for factor in factors.pop(variable):
            total = total + _spread(factor, scope)
            for other in factor.scope:
                if other != variable:
                    factors[other].remove(factor)
        chosen.append((variable, scope[:-1], total.argmin(axis=-1)))
        rest = _Factor(scope[:-1], total.min(axis=-1))
        for other in rest.scope:
            factors[other].append(rest)
            heappush(waiting, (len(_scope(factors[other])), other))
    return _traced(chosen, len(single))


def _scope(factors: Sequence[_Factor]) -> set[int]:
    return {v for factor in factors for v in factor.scope}


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
