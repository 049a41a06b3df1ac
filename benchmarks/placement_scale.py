"""A thousand kernels on one fabric at effort `low`, whole and with cores blocked at random: CPU seconds and lawfulness.

    python -m benchmarks.placement_scale [--kernels 1000] [--blocked 100000] [--json]

A chain of kernels of many shapes on 750 x 994 cores. The measure: at most 120 s, and with 100,000 cores blocked at most
twice as long.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from typing import Any

from benchmarks.placement_models import warm_up
from wsc.placement.check import check
from wsc.placement.problem import Block, Fabric, Net, Problem, Shape
from wsc.placement.solver import solve

WIDTH, HEIGHT, WORK = 750, 994, 9000


def problem_of(kernels: int, blocked: int) -> Problem:
    """A chain of so many equal kernels of 3,364 shapes each, and so many blocked cores, the same every time."""
    shapes = tuple(Shape(w, h, -(-WORK // (w * h))) for w in range(2, 60) for h in range(2, 60))
    blocks = tuple(Block(f"b{at}", shapes) for at in range(kernels))
    cells = [(x, y) for x in range(WIDTH) for y in range(HEIGHT)]
    fabric = Fabric(WIDTH, HEIGHT, tuple(random.Random(1).sample(cells, blocked)))
    return Problem(fabric, blocks, tuple(Net(at, at + 1, 100) for at in range(kernels - 1)))


def measured(kernels: int, blocked: int) -> dict[str, Any]:
    """Solve one and judge it."""
    problem = problem_of(kernels, blocked)
    began, cpu = time.perf_counter(), time.process_time()
    placement = solve(problem)
    return {
        "kernels": kernels,
        "blocked": blocked,
        "cpu_seconds": time.process_time() - cpu,
        "seconds": time.perf_counter() - began,
        "slowest": placement.slowest,
        "bound": placement.bound,
        "faults": len(check(problem, placement)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kernels", type=int, default=1000)
    parser.add_argument("--blocked", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    warm_up()
    solve(problem_of(20, args.blocked))  # compiled code of the search among blocked cores
    for blocked in (0, args.blocked):
        row = measured(args.kernels, blocked)
        told = (
            f"{row['kernels']:,} kernels, {row['blocked']:,} cores blocked: {row['cpu_seconds']:.1f} CPU s "
            f"({row['seconds']:.1f} s), slowest {row['slowest']} against a bound of {row['bound']}, "
            f"{row['faults']} faults"
        )
        print(json.dumps(row) if args.json else told, flush=True)


if __name__ == "__main__":
    main()
