"""`wsc diff`: what changed between two builds."""

from pathlib import Path

from tests.cli.shell import wsc, wsc_well


def test_a_build_is_as_itself(folder: Path) -> None:
    wsc_well("compile", "mlp.py", "--target", "wafer-4x4", "--output", "a")
    ran = wsc_well("diff", "a", "a", "--json").json
    assert ran["kernels"] == ran["facts"] == []
    assert ran["program_lines_only_before"] == ran["program_lines_only_after"] == 0
    assert "The programs are the same." in wsc_well("diff", "a", "a").out


def test_another_machine_and_another_depth(folder: Path) -> None:
    a = wsc_well("compile", "mlp.py", "--target", "wafer-4x4", "--output", "a", "--json").json
    b = wsc_well(
        "compile", "mlp.py", "--target", "wafer-8x8", "-D", "depth=3", "--output", "b", "--json"
    ).json
    found = wsc_well("diff", "a", "b", "--json").json
    totals = found["totals"]
    assert totals["interval, cycles"] == {"before": a["interval_cycles"], "after": b["interval_cycles"]}
    assert totals["kernels"] == {"before": 2, "after": 3}
    assert found["machines"] == ["wafer-4x4", "wafer-8x8"]
    new = next(kernel for kernel in found["kernels"] if kernel["cycles"][0] is None)
    assert (new["name"], new["regions"][0]) == ("2", None)
    assert found["program_lines_only_after"] > 0
    text = wsc_well("diff", "a", "b").out
    assert "new" in text
    assert "The programs differ:" in text


def test_a_folder_that_is_no_build_is_an_error(folder: Path) -> None:
    ran = wsc("diff", "a", "b")
    assert (ran.code, ran.out) == (2, "")
    assert "There is no build folder a" in ran.err
