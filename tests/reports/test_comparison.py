"""Machines side by side: figures that follow from others, the best of each, and every form of the table."""

import csv
import io
import json

import pytest
from rich.console import Console

from wsc.reports.comparison import (
    COLUMNS,
    Figures,
    Refusal,
    best_of,
    brief,
    cell,
    comparison_csv,
    comparison_json,
    comparison_markdown,
    comparison_page,
    comparison_table,
    shown_columns,
)


def figures(machine: str, **changes: object) -> Figures:
    usual: dict[str, object] = {
        "target": "wafer",
        "precision": "f16",
        "latency_cycles": 2000,
        "interval_cycles": 1000,
        "clock_hz": 1e9,
        "bounded_by": "kernel 'a|b'",
        "bound_share": 0.5,
        "utilisation": 0.25,
        "chips": 2,
        "unit": "core",
        "units": 100,
        "memory_used_bytes": 3 * 2**20,
        "memory_bytes": 4 * 2**20,
    }
    return Figures(machine=machine, **{**usual, **changes})  # type: ignore[arg-type]


FAST = figures(
    "fast", energy_joules=2e-3, moving_share=0.4, tokens=10, area_mm2=100.0, validated="kernels, 3 %"
)
SLOW = figures("slow", interval_cycles=4000, latency_cycles=8000, chips=1)
NO = Refusal("tiny", "wafer", "it does not fit <here>")
COLUMN = {column.key: column for column in COLUMNS}


def test_figures_follow_from_the_cycles_and_the_clock() -> None:
    assert FAST.latency_seconds == 2e-6
    assert FAST.inputs_per_second == 1e6
    assert FAST.inputs_per_second_and_chip == 5e5
    assert FAST.tokens_per_second == 1e7
    assert FAST.watts == pytest.approx(2e3)
    assert FAST.joules_per_token == pytest.approx(2e-4)
    assert FAST.inputs_per_joule == pytest.approx(500)
    assert FAST.memory_free_bytes == 2**20
    assert (SLOW.watts, SLOW.tokens_per_second, SLOW.joules_per_token) == (None, None, None)


def test_the_best_is_the_most_or_the_least_by_the_figure() -> None:
    able = [FAST, SLOW]
    assert best_of(COLUMN["inputs_per_second"], able) == 1e6
    assert best_of(COLUMN["latency_seconds"], able) == 2e-6
    assert best_of(COLUMN["per_chip"], able) == 5e5
    assert best_of(COLUMN["chips"], able) is None  # neither more nor less is better
    assert best_of(COLUMN["utilisation"], able) is None  # both the same


def test_more_memory_than_there_is_is_no_free_memory() -> None:
    assert cell(COLUMN["memory_free_bytes"], FAST) == "1.00 MiB"
    over = figures("over", memory_used_bytes=6 * 2**20)
    assert cell(COLUMN["memory_free_bytes"], over) == "none, 2.00 MiB too little"


def test_what_is_not_known_is_a_dash_and_what_is_not_validated_says_so() -> None:
    assert cell(COLUMN["energy_joules"], SLOW) == "–"
    assert cell(COLUMN["validated"], SLOW) == "not validated"
    assert cell(COLUMN["validated"], FAST) == "kernels, 3 %"
    held = figures("held", validated="decode 5.4% (6 rows, CS-2), prefill 4.5% (6 rows, CS-2)")
    assert brief(COLUMN["validated"], held) == "decode 5.4%, prefill 4.5%"
    assert (
        cell(COLUMN["energy_validated"], held) == brief(COLUMN["energy_validated"], held) == "not validated"
    )
    keys = {column.key for column in shown_columns([SLOW])}
    assert "validated" in keys
    assert not keys & {"energy_joules", "tokens_per_second", "area_mm2"}


def test_the_terminal_shows_machines_across() -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(comparison_table([FAST, NO, SLOW]))
    lines = console.export_text().splitlines()
    assert lines[1].split() == ["fast", "slow"]
    assert any(line.split()[:4] == ["latency", "2.00", "µs", "8.00"] for line in lines)


def test_json_and_csv_have_every_machine() -> None:
    records = json.loads(json.dumps(comparison_json([FAST, NO]), allow_nan=False))
    assert records[0]["inputs_per_second"] == 1e6
    assert records[0]["error"] is None
    assert records[1] == {"machine": "tiny", "target": "wafer", "error": "it does not fit <here>"}
    rows = list(csv.DictReader(io.StringIO(comparison_csv([NO, FAST]))))
    assert [row["machine"] for row in rows] == ["tiny", "fast"]
    assert float(rows[1]["inputs_per_second"]) == 1e6
    assert rows[0]["error"] == "it does not fit <here>"


def test_markdown_keeps_its_columns() -> None:
    text = comparison_markdown("m on fast, tiny", [FAST, NO])
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {3}
    assert "**tiny** cannot run it: it does not fit <here>" in text


def test_the_page_is_one_file_and_escapes_what_it_is_given() -> None:
    page = comparison_page("a <model>", [FAST, SLOW, NO])
    assert "a &lt;model&gt;" in page
    assert "it does not fit &lt;here&gt;" in page
    assert "http" not in page
    assert 'style="width: 25.0%"' in page  # the slow machine's throughput beside the fast one's


def test_only_refusals_are_a_page_too() -> None:
    assert "<table>" not in comparison_page("m", [NO])
    assert "cannot run it" in comparison_markdown("m", [NO])
