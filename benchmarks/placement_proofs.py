"""What is proven of the ISPD 2020 inputs: the least slowest time, the best single row, the total, and its time.

    python -m benchmarks.placement_proofs [--dir DIR] [--only K,L] [--json] [--out docs/placement.md]

*Least time* is what the placer finds when time alone counts, beside its bound: proven where they meet. *Best row* is
the least total of the kernels in one row over all times, shapes and port tuples, proven where every other is excluded;
for chains alone. *Bound of others* is on the total of layouts that are no row; up to *others open* they may be cheaper
than the best row, as far as that bound knows. Seconds are CPU seconds.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.ispd2020 import DIR, warm_up
from wsc.placement.bounds import bounds_of
from wsc.placement.candidates import Catalogue, catalogue, time_bound
from wsc.placement.corner import Corner, corner_bound
from wsc.placement.effort import Effort, SolveParams
from wsc.placement.ispd2020.kgraph import read_kgraph
from wsc.placement.ispd2020.shapes import problem_of
from wsc.placement.problem import Problem
from wsc.placement.row import Row, best_row
from wsc.placement.scene import Prices
from wsc.placement.solver import solve

START, END = "<!-- proofs: begin -->", "<!-- proofs: end -->"
HEAD = (
    "| input | least time | bound | proven | best row | at time | proven | bound of others | total proven "
    "| others open up to time | CPU seconds |\n" + "|---" * 11 + "|"
)
_LOOKS = 400


@dataclass(frozen=True)
class Proof:
    """Times in cycles, totals in the input's weights; 0 where there is no row."""

    input: str
    least_time: float
    time_bound: float
    row_total: float
    row_time: float
    row_proven: bool
    others_bound: float
    open_until: float
    cpu_seconds: float

    @property
    def time_proven(self) -> bool:
        """Whether no placement has a shorter slowest time."""
        return self.least_time == self.time_bound

    @property
    def total_proven(self) -> bool:
        """Whether the best row is the best layout of all."""
        return self.row_proven and self.others_bound >= self.row_total


def proof(path: Path, fast: SolveParams, low: SolveParams) -> Proof:
    """What can be proven of one input; `fast` is the work put into the least time and `low` into some total."""
    began = time.process_time()
    problem = problem_of(read_kgraph(path))
    menus, prices = catalogue(problem), Prices.of(problem)
    ticks = problem.ticks_per_cycle
    bound = time_bound(menus, problem.fabric.free)
    if bound is None:
        raise SystemExit(f"{path}: it does not fit")
    fastest = solve(replace(problem, weights=None), fast)
    known = round(prices.unit * (solve(problem, low).total or 0))
    row = best_row(problem, menus, prices, bound, known + 1, _LOOKS)
    others = corner_bound(problem, menus, prices, bound, known) if row else 0
    if row is None:
        others = bounds_of(problem, menus, prices, bound, known).cost
    return Proof(
        path.stem,
        fastest.slowest / ticks,
        fastest.bound / ticks,
        row.cost / prices.unit if row else 0,
        row.limit / ticks if row else 0,
        bool(row and row.proven),
        others / prices.unit,
        _open_until(problem, menus, prices, bound, row) / ticks if row else 0,
        time.process_time() - began,
    )


def _open_until(problem: Problem, menus: Catalogue, prices: Prices, bound: int, row: Row) -> int:
    """A time from which on no layout but the row costs less than it; 0 where there is none at any time."""
    corner = Corner(problem, menus, prices)
    times = [bound, *menus.times(bound + 1, row.cost // prices.tick)]
    last = 0
    waiting = [(0, len(times) - 1)]
    while waiting:
        low, high = waiting.pop()
        if times[high] <= last or times[low] * prices.tick + corner.cost(times[high]) >= row.cost:
            continue
        if low == high:
            last = max(last, times[low])
            continue
        middle = (low + high) // 2
        waiting += [(low, middle), (middle + 1, high)]
    return last


def line(it: Proof) -> str:
    """A row of the table."""

    def number(value: float) -> str:
        return f"{value:,.2f}".removesuffix(".00") if value else ""

    def told(value: bool) -> str:
        return "yes" if value else "no"

    row = [number(it.row_total), number(it.row_time), told(it.row_proven)] if it.row_total else ["", "", ""]
    open_until = (number(it.open_until) or "none") if it.row_total else ""
    cells = [
        it.input,
        number(it.least_time),
        number(it.time_bound),
        told(it.time_proven),
        *row,
        number(it.others_bound),
        told(it.total_proven),
        open_until,
        f"{it.cpu_seconds:.1f}",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--dir", type=Path, default=DIR, help="the folder of .kgraph files")
    parser.add_argument("--only", default="K,L,N,E,O", help="names of inputs, separated by commas")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--out", type=Path, help="write the table between the marks of this page")
    args = parser.parse_args()
    paths = [args.dir / f"{name}.kgraph" for name in filter(None, args.only.split(","))]
    if missing := [path.name for path in paths if not path.exists()]:
        raise SystemExit(f"no {', '.join(missing)} in {args.dir}: name another folder with --dir")
    warm_up()
    fast = replace(Effort.MEDIUM.params, polish_effort=0.0)
    lines = [HEAD]
    print("" if args.json else HEAD)
    for path in paths:
        it = proof(path, fast, Effort.LOW.params)
        lines.append(line(it))
        print(
            json.dumps({**asdict(it), "time_proven": it.time_proven, "total_proven": it.total_proven})
            if args.json
            else lines[-1],
            flush=True,
        )
    if args.out is not None:
        page = args.out.read_text(encoding="utf-8")
        before, after = page.split(START)[0], page.split(END)[1]
        args.out.write_text(f"{before}{START}\n" + "\n".join(lines) + f"\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
