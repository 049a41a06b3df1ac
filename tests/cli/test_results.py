"""`wsc results` and the store: rows added by every compile, also by many at once."""

import csv
import json
import multiprocessing
import os
import signal
import sqlite3
from pathlib import Path

import duckdb
import pytest

from tests.cli.shell import wsc, wsc_well
from wsc.compiler.errors import BuildError
from wsc.store import COLUMNS, Row, add_row, read_rows


def row(name: str, cycles: int = 10, machine: str = "wse2") -> Row:
    texts = dict.fromkeys(COLUMNS.keys() - {"id"}, "")
    numbers = {
        key: 0 for key, kind in COLUMNS.items() if kind.startswith(("INTEGER", "REAL")) and key != "id"
    }
    return Row(
        {**texts, **numbers, "name": name, "cycles": cycles, "machine": machine, "facts": '{"a": "b"}'}
    )


def add_many(store: Path, process: int, count: int) -> None:
    for number in range(count):
        add_row(store, row(f"{process}-{number}"))


def add_for_ever(store: Path) -> None:
    while True:
        add_row(store, row("doomed"))


def test_a_compile_adds_a_row(folder: Path) -> None:
    compiled = wsc_well("compile", "mlp.py", "--target", "wafer-4x4", "--json").json
    wsc_well("compile", "mlp.py", "--target", "null", "--output", "build/other")
    rows = wsc_well("results", "--json").json
    assert [(r["id"], r["name"], r["machine"]) for r in rows] == [(2, "mlp", "null"), (1, "mlp", "wafer-4x4")]
    assert rows[1]["cycles"] == compiled["interval_cycles"]
    assert rows[1]["facts"] == compiled["facts"]
    assert rows[1]["folder"] == str(folder / "build" / "mlp")
    assert "2 rows" in wsc_well("results").out


def test_rows_are_chosen_and_sorted(folder: Path) -> None:
    store = Path("build") / "results.sqlite"
    store.parent.mkdir()
    for name, cycles, machine in (("a", 30, "wse2"), ("b", 10, "wse3"), ("c", 20, "wse3")):
        add_row(store, row(name, cycles, machine))

    def names(*options: str) -> list[str]:
        return [r["name"] for r in wsc_well("results", "--json", *options).json]

    assert names() == ["c", "b", "a"]
    assert names("--sort", "cycles") == ["b", "c", "a"]
    assert names("--sort", "cycles", "--descending") == ["a", "c", "b"]
    assert names("--where", "machine='wse3'", "--sort", "cycles", "--limit", "1") == ["b"]


def test_thousands_of_rows_are_printed_one_a_line(folder: Path) -> None:
    store = Path("build") / "results.sqlite"
    store.parent.mkdir()
    for number in range(250):
        add_row(store, row("name", number))
    lines = wsc_well("results", "--sort", "cycles").out.splitlines()
    assert lines[0].split() == ["id", "time", "name", "machine", "cycles", "latency", "throughput", "energy"]
    assert [line.split()[3] for line in lines[1:251]] == [str(number) for number in range(250)]
    assert lines[251:] == ["250 rows"]
    assert wsc_well("--quiet", "results").out == ""


@pytest.mark.parametrize("kind", ["csv", "json", "parquet", "duckdb"])
def test_rows_are_exported(folder: Path, kind: str) -> None:
    store = Path("build") / "results.sqlite"
    store.parent.mkdir()
    add_row(store, row("a", 30))
    assert "wrote 1 row to" in wsc_well("results", "--export", f"rows.{kind}").out
    if kind == "csv":
        found = [int(r["cycles"]) for r in csv.DictReader(Path("rows.csv").read_text().splitlines())]
    elif kind == "json":
        found = [r["cycles"] for r in json.loads(Path("rows.json").read_text())]
    elif kind == "parquet":
        found = [r[0] for r in duckdb.sql("SELECT cycles FROM 'rows.parquet'").fetchall()]
    else:
        with duckdb.connect("rows.duckdb") as connection:
            found = [r[0] for r in connection.sql("SELECT cycles FROM results").fetchall()]
    assert found == [30]


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (("--where", "mach='wse3'"), "--where is no condition over the results: no such column: mach"),
        (("--where", "1); DROP TABLE results; --"), "--where is no condition over the results"),
        (("--sort", "speed"), "--sort takes one of id, time"),
        (("--export", "rows.xls"), "--export writes .csv, .json, .parquet, .duckdb, not 'rows.xls'"),
        (("--builds", "elsewhere"), "There are no results in elsewhere"),
    ],
)
def test_wrong_questions_are_errors(folder: Path, options: tuple[str, ...], fault: str) -> None:
    store = Path("build") / "results.sqlite"
    store.parent.mkdir()
    add_row(store, row("a"))
    ran = wsc("results", *options)
    assert (ran.code, ran.out) == (2, "")
    assert fault in ran.err
    assert len(read_rows(store)) == 1


def test_eight_processes_lose_no_row(tmp_path: Path) -> None:
    store, context = tmp_path / "results.sqlite", multiprocessing.get_context("spawn")
    processes = [context.Process(target=add_many, args=(store, number, 5)) for number in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert sorted(r["name"] for r in read_rows(store)) == sorted(
        f"{p}-{n}" for p in range(8) for n in range(5)
    )


def test_a_killed_process_leaves_the_store_readable(tmp_path: Path) -> None:
    store = tmp_path / "results.sqlite"
    add_row(store, row("before"))
    process = multiprocessing.get_context("spawn").Process(target=add_for_ever, args=(store,))
    process.start()
    while len(read_rows(store)) < 20:
        assert process.is_alive()
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    add_row(store, row("after"))
    names = [r["name"] for r in read_rows(store)]
    assert names[0] == "after"
    assert names[-1] == "before"
    assert set(names[1:-1]) == {"doomed"}


def test_what_is_no_store_is_said(tmp_path: Path) -> None:
    store = tmp_path / "results.sqlite"
    store.write_text("these are not the rows you look for" * 100)
    with pytest.raises(BuildError, match="cannot be read: file is not a database"):
        read_rows(store)
    with pytest.raises(BuildError, match="Cannot add to the results"):
        add_row(store, row("a"))
    sqlite3.connect(tmp_path / "other.sqlite").close()
    with pytest.raises(BuildError, match="cannot be read"):
        read_rows(tmp_path / "other.sqlite")
