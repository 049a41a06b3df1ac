"""`wsc trace`: what happens when."""

import json
from pathlib import Path

from tests.cli.shell import wsc, wsc_well


def test_both_forms_are_written(folder: Path) -> None:
    wsc_well("compile", "mlp.py", "--target", "wafer-4x4")
    ran = wsc_well("trace", "--json").json
    assert Path(ran["file"]).stat().st_size > 1000
    assert ran["spans"] == ran["all_spans"] > 10
    wsc_well("trace", "--format", "json", "--inputs", "1", "--output", "one.json")
    events = json.loads(Path("one.json").read_text())["traceEvents"]
    assert sum(event["ph"] == "X" for event in events) < ran["spans"]
    wsc_well("compile", "mlp.py", "--target", "wafer-4x4")  # a timeline does not make the folder strange


def test_the_last_span_ends_with_the_last_output(folder: Path) -> None:
    compiled = wsc_well("compile", "mlp.py", "--target", "wafer-4x4", "--json").json
    wsc_well("trace", "--format", "json", "--inputs", "1", "--output", "one.json")
    events = json.loads(Path("one.json").read_text())["traceEvents"]
    end = max(round(1000 * (e["ts"] + e["dur"])) for e in events if e["ph"] == "X")
    assert end == compiled["latency_cycles"]


def test_many_spans_are_put_together(folder: Path) -> None:
    wsc_well("compile", "mlp.py", "--target", "wafer-4x4")
    assert "put together into" in wsc_well("trace", "--spans", "10").out


def test_wrong_forms_and_targets_that_cannot_are_errors(folder: Path) -> None:
    wsc_well("compile", "mlp.py", "--target", "null")
    for options, fault in (
        ((), "'null' does not say what happens when"),
        (("-f", "svg"), "perfetto or json, not 'svg'"),
    ):
        ran = wsc("trace", *options)
        assert (ran.code, ran.out) == (2, "")
        assert fault in ran.err
