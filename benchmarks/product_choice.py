"""How much slower the chosen matrix product is than the best of all, by simulated cycles.

    python -m benchmarks.product_choice [--machine wse2] [--cases 200] [--seed 0] [--transposed]

Random shapes on random grids, square or not. Every algorithm that fits is simulated, a k-split with every number of
groups, except those whose closed form is ten times that of the choice. The measure: never more than 1.1 times the best.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter

from benchmarks.reduce_choice import MACHINES
from wsc.backends.wafer.algorithms import Product, choose_product, matmul_program, product_choices
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.simulate import simulate
from wsc.compiler.errors import DoesNotFit
from wsc.compiler.ir.types import DType
from wsc.compiler.machine import read_machine

EXTENTS = (1, 4, 16, 50, 128, 300, 512, 1024, 2048, 4096)
CORES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 60, 64, 120)
HOPELESS = 10


def draw(source: random.Random) -> Product:
    """A random product on a random grid, every other one square."""
    columns = source.choice(CORES)
    rows = columns if source.random() < 0.5 else source.choice(CORES)
    m, k, n = (source.choice(EXTENTS) for _ in range(3))
    return Product(m, k, n, columns, source.choice([DType.F32, DType.F16]), rows=rows)


def simulated(product: Product, machine: Wafer, *, transposed: bool) -> dict[tuple[str, Product], int]:
    """Cycles of every algorithm that fits."""
    choices = sorted(product_choices(product, machine, transposed=transposed), key=lambda c: c.cycles)
    found = {}
    for choice in choices:
        if choice.cycles > HOPELESS * choices[0].cycles:
            break
        try:
            program = matmul_program(choice.algorithm, choice.product, machine)
        except DoesNotFit:
            continue
        found[(choice.algorithm, choice.product)] = simulate(program, machine).latency_cycles
    return found


def report(machine: Wafer, cases: int, seed: int, *, transposed: bool) -> None:
    """Print the worst and the mean regret, and how often each algorithm was chosen."""
    source, regrets, chosen = random.Random(seed), [], Counter[str]()
    for _ in range(cases):
        product = draw(source)
        cycles = simulated(product, machine, transposed=transposed)
        if not cycles:
            continue
        choice = choose_product(product, machine, transposed=transposed)
        chosen[choice.algorithm] += 1
        regrets.append((cycles[(choice.algorithm, choice.product)] / min(cycles.values()), product))
    worst, at = max(regrets, key=lambda row: row[0])
    mean = sum(regret for regret, _ in regrets) / len(regrets)
    print(f"products on {machine.name}: {len(regrets)} that fit, mean regret {mean:.4f}, worst {worst:.4f}")
    print(f"  at {at.m} x {at.k} x {at.n} {at.dtype.value} on {at.parts} x {at.height} cores")
    print("  chosen: " + ", ".join(f"{name} {count}" for name, count in chosen.most_common()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--machine", default="wse2")
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--transposed", action="store_true")
    given = parser.parse_args()
    machine = read_machine(MACHINES / f"{given.machine}.toml", Wafer)
    report(machine, given.cases, given.seed, transposed=given.transposed)


if __name__ == "__main__":
    main()
