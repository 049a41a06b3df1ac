"""`wsc explain`: what bounds a run, and what changes would give, simulated."""

from pathlib import Path

from tests.cli.shell import wsc, wsc_well


def test_changes_are_simulated_and_sorted(folder: Path) -> None:
    wsc_well("compile", "mlp.py", "--target", "wafer-4x4")
    found = wsc_well("explain", "--json").json
    changes = found["changes"]
    assert len(changes) > 4
    intervals = [change["interval_cycles"] for change in changes]
    assert intervals == sorted(intervals)
    quicker = next(c for c in changes if c["change"] == "vector instructions issued in half the time")
    assert quicker["interval_cycles"] < found["interval_cycles"]
    assert quicker["interval_change"] == quicker["interval_cycles"] / found["interval_cycles"] - 1


def test_it_tells_in_words(folder: Path) -> None:
    wsc_well("compile", "mlp.py", "--target", "wafer-4x4")
    text = wsc_well("explain", columns=160).out
    assert "bounded by" in text
    assert "What would help most, each simulated alone:" in text


def test_a_target_without_variants_says_so(folder: Path) -> None:
    wsc_well("compile", "mlp.py", "--target", "null")
    assert "offers no changes to simulate" in wsc_well("explain").out


def test_no_build_is_an_error(folder: Path) -> None:
    ran = wsc("explain")
    assert (ran.code, ran.out) == (2, "")
