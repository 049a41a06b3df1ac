"""`wsc results`."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import JustifyMethod
from rich.table import Table

from wsc.commands.console import DEFAULT_FOLDER, for_people, print_json
from wsc.compiler.errors import BuildError, UserError
from wsc.compiler.quantities import NOTHING, format_count, format_quantity, format_rate
from wsc.store import COLUMNS, FILE, read_rows

_SHOWN: dict[str, Callable[[Any], str]] = {
    "id": str,
    "time": lambda value: value[:16].replace("T", " "),
    "name": str,
    "machine": str,
    "cycles": format_count,
    "latency_cycles": format_count,
    "inputs_per_second": lambda value: format_rate(value, "inputs"),
    "energy_joules": lambda value: format_quantity(value, "J"),
}
_MANY = 200  # rows that are still laid out to the width of the terminal
_TITLES = {"latency_cycles": "latency", "inputs_per_second": "throughput", "energy_joules": "energy"}


def show_results(
    where: str,
    sort: str,
    descending: bool,
    limit: int | None,
    folder: Path | None,
    export: Path | None,
    json: bool,
) -> None:
    """Print the rows of the results store beside the builds, or write them to a file."""
    rows = read_rows((folder or DEFAULT_FOLDER) / FILE, where, sort, descending, limit)
    if export is not None:
        _export(rows, export)
    if json:
        print_json(rows)
        return
    console = for_people()
    if len(rows) > _MANY:
        console.file.write("" if console.quiet else _plain(rows))
    else:
        console.print(_table(rows))
    count = f"{len(rows):,} {'row' if len(rows) == 1 else 'rows'}"
    told = f"wrote {count} to {export}" if export is not None else count
    console.print(told, soft_wrap=True, markup=False, highlight=False)


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in _SHOWN:
        justify: JustifyMethod = "right" if _is_number(name) else "left"
        table.add_column(_TITLES.get(name, name), justify=justify, no_wrap=name != "name", overflow="fold")
    for row in rows:
        table.add_row(*_cells(row))
    return table


def _plain(rows: Sequence[dict[str, Any]]) -> str:
    """The same columns without frames or folds: laying out thousands of rows to a width takes seconds."""
    lines = [[_TITLES.get(name, name) for name in _SHOWN], *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    sides = [str.rjust if _is_number(name) else str.ljust for name in _SHOWN]
    fitted = ("  ".join(map(_put, sides, line, widths)).rstrip() for line in lines)
    return "\n".join(fitted) + "\n"


def _put(side: Callable[[str, int], str], text: str, width: int) -> str:
    return side(text, width)


def _cells(row: dict[str, Any]) -> list[str]:
    return [NOTHING if row[name] is None else write(row[name]) for name, write in _SHOWN.items()]


def _is_number(name: str) -> bool:
    return COLUMNS[name].startswith(("INTEGER", "REAL"))


def _export(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Write rows as .csv, .json, or by DuckDB as .parquet or .duckdb; raises UserError or BuildError."""
    flat = [{**row, "facts": json.dumps(row["facts"])} for row in rows]
    writers = {".csv": _to_csv, ".json": _to_json, ".parquet": _by_duckdb, ".duckdb": _by_duckdb}
    if path.suffix not in writers:
        raise UserError(f"--export writes {', '.join(writers)}, not '{path.name}'.")
    try:
        writers[path.suffix](flat, path)
    except OSError as error:
        raise BuildError(f"Cannot write {path}: {error.strerror or error}.") from error


def _to_csv(rows: Sequence[dict[str, Any]], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(COLUMNS), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _to_json(rows: Sequence[dict[str, Any]], path: Path) -> None:
    path.write_text(json.dumps(list(rows), indent=1) + "\n", encoding="utf-8")


def _by_duckdb(rows: Sequence[dict[str, Any]], path: Path) -> None:
    try:
        import duckdb
    except ImportError as error:
        raise UserError(f"{path.suffix} files need DuckDB: pip install 'wsc[export]'.") from error
    kinds = {"INTEGER": "BIGINT", "REAL": "DOUBLE", "TEXT": "VARCHAR"}
    columns = ", ".join(f"{name} {kinds[kind.split()[0]]}" for name, kind in COLUMNS.items())
    if path.suffix == ".duckdb":
        path.unlink(missing_ok=True)
    with duckdb.connect(str(path) if path.suffix == ".duckdb" else ":memory:") as connection:
        connection.execute(f"CREATE TABLE results ({columns})")
        if rows:
            marks = ", ".join("?" for _ in COLUMNS)
            values = [[row[name] for name in COLUMNS] for row in rows]
            connection.executemany(f"INSERT INTO results VALUES ({marks})", values)
        if path.suffix == ".parquet":
            target = str(path).replace("'", "''")
            connection.execute(f"COPY results TO '{target}' (FORMAT parquet)")
