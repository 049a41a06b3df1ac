"""How many of a chain's equal items each stage of a pipeline gets: the slowest stage as fast as memory allows.

Stages differ in what they have besides items (an embedding, a head), and in how much memory an item takes there: the
first stages of a pipeline hold activations of more microbatches than the last.
"""

from __future__ import annotations

from dataclasses import dataclass

from ortools.sat.python import cp_model

from wsc.compiler.errors import VerificationError

EFFORT = 10.0  # deterministic seconds of the solver


@dataclass(frozen=True)
class StageProblem:
    """`items` to share out over stages in order; times and memories are whole numbers.

    `extra_time[s]` is what stage s takes besides its items. Stage s lies on unit `unit[s]`, where an item takes
    `item_memory[s]` and all else `extra_memory[u]` of the `capacity` of unit u. Raises VerificationError where the
    lists do not fit each other or a number is negative.
    """

    items: int
    item_time: int
    extra_time: tuple[int, ...]
    unit: tuple[int, ...]
    item_memory: tuple[int, ...]
    extra_memory: tuple[int, ...]
    capacity: int

    def __post_init__(self) -> None:
        stages = len(self.extra_time)
        numbers = (
            self.items,
            self.item_time,
            self.capacity,
            *self.extra_time,
            *self.item_memory,
            *self.extra_memory,
        )
        if not stages or len(self.unit) != stages or len(self.item_memory) != stages or min(numbers) < 0:
            raise VerificationError(f"no stage problem: {self}")
        if not all(0 <= unit < len(self.extra_memory) for unit in self.unit):
            raise VerificationError(f"a stage lies on a unit that there is not: {self.unit}")

    def slowest(self, counts: tuple[int, ...]) -> int:
        """Time of the slowest stage."""
        return max(n * self.item_time + more for n, more in zip(counts, self.extra_time, strict=True))

    def fits(self, counts: tuple[int, ...]) -> bool:
        """Whether the items are all shared out and no unit's memory overflows."""
        held = list(self.extra_memory)
        for n, unit, size in zip(counts, self.unit, self.item_memory, strict=True):
            held[unit] += n * size
        return sum(counts) == self.items and min(counts) >= 0 and max(held) <= self.capacity


def partition(problem: StageProblem) -> tuple[int, ...] | None:
    """Items of each stage; None where no way fits. Of equal ways the most even one, with more items behind."""
    model = cp_model.CpModel()
    counts = [model.new_int_var(0, problem.items, f"n{s}") for s in range(len(problem.unit))]
    model.add(sum(counts) == problem.items)
    for unit, more in enumerate(problem.extra_memory):
        held = [
            n * size
            for n, u, size in zip(counts, problem.unit, problem.item_memory, strict=True)
            if u == unit
        ]
        model.add(sum(held) + more <= problem.capacity)
    limit = problem.items * problem.item_time + max(problem.extra_time)
    slowest = model.new_int_var(0, limit, "slowest")
    for n, more in zip(counts, problem.extra_time, strict=True):
        model.add(n * problem.item_time + more <= slowest)
    model.minimize(slowest)
    solver = _solver()
    if solver.solve(model) != cp_model.OPTIMAL:
        return None
    return _evened(model, solver, counts, slowest, problem.items)


def _evened(
    model: cp_model.CpModel,
    solver: cp_model.CpSolver,
    counts: list[cp_model.IntVar],
    slowest: cp_model.IntVar,
    items: int,
) -> tuple[int, ...]:
    """Among the best ways the most even one, so that the answer does not hang on the solver's search."""
    model.add(slowest <= int(solver.value(slowest)))
    squares = []
    for number, n in enumerate(counts):
        square = model.new_int_var(0, items * items, f"q{number}")
        model.add_multiplication_equality(square, [n, n])
        squares.append(square)
    weight = len(counts) * items + 1
    order = sum(number * n for number, n in enumerate(counts))
    model.minimize(weight * len(counts) * sum(squares) - order)
    before = tuple(int(solver.value(n)) for n in counts)
    again = _solver()
    status = again.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return before
    return tuple(int(again.value(n)) for n in counts)


def _solver() -> cp_model.CpSolver:
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.catch_sigint_signal = False
    solver.parameters.max_deterministic_time = EFFORT
    return solver
