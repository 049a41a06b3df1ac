"""The results store at its limits: 10,000 rows listed, and eight compiles into one store at the same time.

    python -m benchmarks.results_store [--rows 10000] [--compiles 8] [--model samples/mlp.py] [--target wafer-8x8]

Prints the time of `wsc results` as a whole process (wall and CPU), and how many rows the compiles left in the store.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.processes import wsc
from wsc.store import COLUMNS, FILE, Row, add_row

SAMPLE = Path(__file__).resolve().parent.parent / "samples" / "mlp.py"
SECONDS = 0.5


def row(number: int) -> Row:
    """A row of figures that differ from the others'."""
    kinds = {name: kind.split()[0] for name, kind in COLUMNS.items() if name != "id"}
    made: dict[str, Any] = {
        name: f"{name} {number}" if kind == "TEXT" else number for name, kind in kinds.items()
    }
    return Row(
        {**made, "time": "2026-01-01T00:00:00+00:00", "facts": "{}", "machine": f"wse{2 + number % 2}"}
    )


def fill(store: Path, rows: int) -> None:
    """So many rows: the first as a compile adds it, the others at once."""
    add_row(store, row(0))
    names = [name for name in COLUMNS if name != "id"]
    values = [[row(number).values[name] for name in names] for number in range(1, rows)]
    with closing(sqlite3.connect(store)) as connection, connection:
        marks = ", ".join("?" for _ in names)
        connection.executemany(f"INSERT INTO results ({', '.join(names)}) VALUES ({marks})", values)


def listed(rows: int) -> None:
    """Fill a store and list it in the ways there are."""
    with tempfile.TemporaryDirectory() as folder:
        build = Path(folder) / "build"
        build.mkdir()
        fill(build / FILE, rows)
        for options in ([], ["--json"], ["--where", "machine='wse3'", "--sort", "cycles", "--limit", "20"]):
            took = wsc(["results", *options], Path(folder))
            told = " ".join(["wsc results", *options])
            print(f"{rows:,} rows: {took.wall:.2f} s, CPU {took.cpu:.2f} s (limit {SECONDS} s)  {told}")


def compiled_at_once(count: int, model: Path, target: str) -> None:
    """Compile in so many processes, all into one folder of builds."""
    with tempfile.TemporaryDirectory() as folder:

        def one(number: int) -> None:
            output = f"build/{number}"
            wsc(["compile", str(model.resolve()), "-t", target, "-o", output, "--no-page"], Path(folder))

        with ThreadPoolExecutor(count) as pool:
            list(pool.map(one, range(count)))
        found = json.loads(wsc(["results", "--json"], Path(folder)).out)
    names = {Path(r["folder"]).name for r in found}
    print(f"{count} compiles at once: {len(found)} rows, {len(names)} of them of different builds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--compiles", type=int, default=8)
    parser.add_argument("--model", type=Path, default=SAMPLE)
    parser.add_argument("--target", default="wafer-8x8")
    arguments = parser.parse_args()
    listed(arguments.rows)
    compiled_at_once(arguments.compiles, arguments.model, arguments.target)


if __name__ == "__main__":
    main()
