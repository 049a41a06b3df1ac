"""The ISPD 2020 contest's inputs: our terms and bounds beside the published totals.

    python -m benchmarks.ispd2020 [--dir DIR] [--effort EFFORT] [--only A,B] [--out docs/placement.md]
    python -m benchmarks.ispd2020 --weights 40,400 ...      # other weights of wire and adapters

DIR holds `*.kgraph` files and, where published totals are to be compared with, `published.csv` with the columns case,
winner_total and giga_total. Each input is solved in a process of its own, so that seconds and memory are its own;
compiled code is made before, and timed apart. Each effort has a table of its own on the page; rows of inputs that were
not run (`--only`) stay as they are there. Under other weights than an input's own nothing is published, and all efforts
share a table.
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import resource
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

DIR = Path(__file__).resolve().parents[2] / "shared" / "anchors" / "ispd2020"
HEAD = (
    "| input | time | wire | adapters | total | winner | GigaPlacer | ours / better | time bound | gap of time "
    "| total bound | gap of total | seconds | CPU seconds | MiB |\n" + "|---" * 15 + "|"
)


@dataclass(frozen=True)
class Row:
    name: str
    time: float
    wire: float
    adapters: int
    total: float
    time_bound: float
    total_bound: float
    seconds: float
    cpu_seconds: float
    mebibytes: int


def solve_file(path: str, effort: str, weights: tuple[str, str] | None) -> dict[str, Any]:
    """Solve one input and judge it, by other weights of wire and adapters where asked; runs in a process of its own."""
    from wsc.placement.check import check
    from wsc.placement.effort import Effort
    from wsc.placement.ispd2020.evaluate import evaluate, faults
    from wsc.placement.ispd2020.kgraph import read_kgraph
    from wsc.placement.ispd2020.shapes import problem_of
    from wsc.placement.ispd2020.solution import spots_of
    from wsc.placement.solver import solve

    graph, name = read_kgraph(Path(path)), Path(path).stem
    if weights is not None:
        graph = replace(graph, weights=(graph.weights[0], *map(Fraction, weights)))
        name += f" {'/'.join(weights)} {effort}"
    began, cpu = time.perf_counter(), time.process_time()
    problem = problem_of(graph)
    placement = solve(problem, Effort(effort))
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    spots = spots_of(problem, placement)
    wrong = check(problem, placement) + faults(graph, spots)
    score = evaluate(graph, spots)
    if wrong or score.total != placement.total:
        raise SystemExit(f"{path}: not lawful: {wrong}")
    return {
        "name": name,
        "time": float(score.time),
        "wire": float(score.wire),
        "adapters": score.adapters,
        "total": float(score.total),
        "time_bound": placement.bound / problem.ticks_per_cycle,
        "total_bound": float(placement.total_bound or 0),
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def published(folder: Path) -> dict[str, tuple[float, float]]:
    file = folder / "published.csv"
    if not file.exists():
        return {}
    with file.open(encoding="utf-8") as lines:
        return {
            row["case"]: (float(row["winner_total"]), float(row["giga_total"]))
            for row in csv.DictReader(lines)
        }


def line(row: Row, totals: tuple[float, float] | None) -> str:
    told = (
        [f"{totals[0]:,.1f}", f"{totals[1]:,.1f}", f"{row.total / min(totals):.4f}"]
        if totals
        else ["", "", ""]
    )
    cells = [
        row.name,
        f"{row.time:,.2f}".removesuffix(".00"),
        f"{row.wire:,.1f}",
        str(row.adapters),
        f"{row.total:,.2f}",
        *told,
        f"{row.time_bound:,.2f}".removesuffix(".00"),
        f"{row.time / row.time_bound - 1:.1%}",
        f"{row.total_bound:,.1f}",
        f"{row.total / row.total_bound - 1:.1%}",
        f"{row.seconds:.1f}",
        f"{row.cpu_seconds:.1f}",
        str(row.mebibytes),
    ]
    return f"| {' | '.join(cells)} |"


def summary(lines: list[str]) -> str:
    """What the lines of a table come to; their eighth cell is ours over the better published total."""
    cells = [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines]
    ratios = {row[0]: float(row[7]) for row in cells if row[7]}
    if not ratios:
        return f"{len(lines)} inputs; no published totals beside them."
    mean = sum(ratios.values()) / len(ratios)
    worst = max(ratios, key=lambda name: ratios[name])
    below = sum(ratio < 1 for ratio in ratios.values())
    return (
        f"Mean of ours over the better published total: {mean:.4f} over {len(ratios)} inputs; below it on {below}; "
        f"worst {ratios[worst]:.4f} ({worst})."
    )


def lines(folder: Path, effort: str, only: set[str], weights: tuple[str, str] | None) -> list[str]:
    """A line for each input, printed as it is solved."""
    known = published(folder)
    paths = [path for path in sorted(folder.glob("*.kgraph")) if not only or path.stem in only]
    if not paths:
        raise SystemExit(f"no .kgraph file in {folder}: name another folder with --dir")
    context = multiprocessing.get_context("spawn")
    told = []
    print(HEAD)
    for path in paths:
        with context.Pool(1) as pool:
            row = Row(**json.loads(json.dumps(pool.apply(solve_file, (str(path), effort, weights)))))
        told.append(line(row, known.get(row.name)))
        print(told[-1], flush=True)
    print(f"\n{summary(told)}")
    return told


def warm_up() -> None:
    """Compile what numba compiles, or load it from its cache."""
    from wsc.placement.effort import SolveParams
    from wsc.placement.ispd2020.kgraph import parse_kgraph
    from wsc.placement.ispd2020.shapes import problem_of
    from wsc.placement.solver import solve

    began = time.perf_counter()
    text = (
        "width=40\nheight=40\nwdeltat=1\nwlength=1\nwadapter=1\nmemlimit=24576\n"
        + "".join(f"conv[{at}] H=7 W=7 R=1 S=1 C=8 K=8 T=1\n" for at in range(1, 6))
        + "".join(f"conv[{at}]:y -> conv[{at + 1}]:x\n" for at in range(1, 5))
    )
    solve(problem_of(parse_kgraph(text, "warm-up")), SolveParams(moves=100, starts=2, rounds=1))
    print(f"compiled or loaded in {time.perf_counter() - began:.1f} s\n")


def write(file: Path, table: str, head: str, told: list[str]) -> None:
    """Puts the lines into a table on a page, in place of those of the same inputs."""
    start, end = (f"<!-- ispd2020 {table}: {edge} -->" for edge in ("begin", "end"))
    page = file.read_text(encoding="utf-8")
    if start not in page or end not in page:
        raise SystemExit(f"{file} has no place for the table {table!r}: {start} and {end}")
    before, rest = page.split(start)
    old, after = rest.split(end)
    rows = {it.split("|")[1].strip(): it for it in [*_rows_of(old), *told]}
    every = [rows[name] for name in sorted(rows)]
    text = "\n".join([head, "", HEAD, *every, "", summary(every)])
    file.write_text(f"{before}{start}\n{text}\n{end}{after}", encoding="utf-8")


def _rows_of(text: str) -> list[str]:
    """The rows of a table, without its head."""
    return [it for it in text.splitlines() if it.startswith("|")][2:]


def _weights(text: str) -> tuple[str, str]:
    wire, adapter = text.split(",")
    return str(Fraction(wire)), str(Fraction(adapter))


def main() -> None:
    parser = argparse.ArgumentParser(description="The placer on the ISPD 2020 contest's inputs.")
    parser.add_argument("--dir", type=Path, default=DIR, help="the folder of .kgraph files")
    parser.add_argument("--effort", choices=("low", "medium", "high"), default="high")
    parser.add_argument("--only", default="", help="names of inputs, separated by commas")
    parser.add_argument(
        "--weights", type=_weights, metavar="WIRE,ADAPTER", help="in place of the inputs' own, e.g. 40,400"
    )
    parser.add_argument("--out", type=Path, help="write the table between the marks of this page")
    args = parser.parse_args()
    warm_up()
    told = lines(args.dir, args.effort, set(filter(None, args.only.split(","))), args.weights)
    if args.out is not None and args.weights is None:
        write(args.out, args.effort, f"Effort `{args.effort}`.", told)
    elif args.out is not None:
        write(args.out, "other weights", "Graphs under other weights of wire and adapters, by effort.", told)


if __name__ == "__main__":
    main()
