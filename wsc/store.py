"""The results store: one row a compile in an SQLite file beside the build folders.

Many processes may add rows at once; a process that is killed leaves the rows of the others. What a row holds is in
COLUMNS, in the order of the table.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsc.compiler.errors import BuildError, UserError

FILE = "results.sqlite"
VERSION = 1
_WAIT_SECONDS = 60.0  # for other processes that write
COLUMNS: dict[str, str] = {
    "id": "INTEGER PRIMARY KEY",
    "time": "TEXT NOT NULL",
    "name": "TEXT NOT NULL",
    "target": "TEXT NOT NULL",
    "machine": "TEXT NOT NULL",
    "folder": "TEXT NOT NULL",
    "version": "TEXT NOT NULL",
    "program": "TEXT NOT NULL",
    "latency_cycles": "INTEGER NOT NULL",
    "cycles": "INTEGER NOT NULL",
    "lower_bound_cycles": "INTEGER NOT NULL",
    "clock_hz": "REAL NOT NULL",
    "inputs_per_second": "REAL NOT NULL",
    "energy_joules": "REAL",
    "macs": "INTEGER NOT NULL",
    "weight_bytes": "INTEGER NOT NULL",
    "units": "INTEGER NOT NULL",
    "bounded_by": "TEXT NOT NULL",
    "facts": "TEXT NOT NULL",
}


@dataclass(frozen=True)
class Row:
    """One compile: a value for each of COLUMNS but the id; `program` is a digest of the program's text."""

    values: dict[str, Any]

    def __post_init__(self) -> None:
        if self.values.keys() != COLUMNS.keys() - {"id"}:
            raise ValueError(f"a row of results has {sorted(COLUMNS)}, not {sorted(self.values)}")


def store_of(folder: Path) -> Path:
    """The store beside a build folder."""
    return folder.resolve().parent / FILE


def add_row(store: Path, row: Row) -> int:
    """Add a row, and return its id; raises BuildError where the file cannot be written or is no store."""
    names = list(row.values)
    marks = ", ".join("?" for _ in names)
    with _opened(store) as connection, connection:
        done = connection.execute(
            f"INSERT INTO results ({', '.join(names)}) VALUES ({marks})",
            list(row.values.values()),
        )
        assert done.lastrowid is not None
        return done.lastrowid


@contextmanager
def _opened(store: Path) -> Iterator[sqlite3.Connection]:
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    try:
        with closing(sqlite3.connect(store, timeout=_WAIT_SECONDS)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"CREATE TABLE IF NOT EXISTS results ({columns})")
            connection.execute(f"PRAGMA user_version={VERSION}")
            yield connection
    except sqlite3.Error as error:
        raise BuildError(f"Cannot add to the results in {store}: {error}.") from error


def read_rows(
    store: Path, where: str = "", sort: str = "", descending: bool = False, limit: int | None = None
) -> list[dict[str, Any]]:
    """Rows as dictionaries, the newest first unless sorted by a column.

    `where` is an SQL condition over COLUMNS, such as "target='wafer' AND cycles < 50000"; the file is opened for
    reading only. Raises BuildError where there is no store, UserError for a condition or a column that is wrong.
    """
    if not store.is_file():
        raise BuildError(f"There are no results in {store.parent}: `wsc compile` adds a row for every build.")
    if sort and sort not in COLUMNS:
        raise UserError(f"--sort takes one of {', '.join(COLUMNS)}, not '{sort}'.")
    order = f"{sort or 'id'} {'DESC' if descending or not sort else 'ASC'}, id"
    query = f"SELECT * FROM results WHERE ({where or '1'}) ORDER BY {order} LIMIT ?"
    try:
        with closing(_reader(store)) as connection:
            found = connection.execute(query, [-1 if limit is None else limit])
            names = [column[0] for column in found.description]
            return [_row(names, values) for values in found]
    except sqlite3.DatabaseError as error:
        if type(error) in (sqlite3.OperationalError, sqlite3.ProgrammingError, sqlite3.Warning) and where:
            raise UserError(
                f"--where is no condition over the results: {error}. The columns are {', '.join(COLUMNS)}."
            ) from error
        raise BuildError(f"The results in {store} cannot be read: {error}.") from error


def _reader(store: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{store.resolve().as_uri()}?mode=ro", uri=True, timeout=_WAIT_SECONDS)


def _row(names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    row = dict(zip(names, values, strict=True))
    return {**row, "facts": json.loads(row["facts"])}
