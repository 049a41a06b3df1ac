"""One case or more of every op: random shapes, random operands, and the same thing said in torch."""

import numpy as np

from tests.compiler import arithmetic_cases, movement_cases  # noqa: F401 (they fill CASES)
from tests.compiler.cases import CASES, Case, Rng

SEEDS = range(3)


def all_cases() -> list[tuple[str, int]]:
    return [(name, seed) for name in CASES for seed in SEEDS]


def make(name: str, seed: int) -> tuple[Case, Rng]:
    rng = np.random.default_rng([seed, *name.encode()])
    return CASES[name](rng), rng
