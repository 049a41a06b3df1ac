"""How the benchmark reads rows, and that the retyped ones are beaten."""

from pathlib import Path

import pytest

from benchmarks.cim_networks import mlp
from benchmarks.cim_sets import least, read_rows, sizes
from benchmarks.cim_validation import macro_error, simulated


def test_rows_are_told_apart_by_their_columns(tmp_path: Path) -> None:
    (tmp_path / "any.csv").write_text("program,cycles_1ns\nfc 8x8,10\n")
    (tmp_path / "other.csv").write_text("macro,metric,condition,value\njia_jssc_2020,tops_1b,V=1.2,2.185\n")
    rows = read_rows(tmp_path)
    assert [row["program"] for row in rows.puma] == ["fc 8x8"]
    assert abs(macro_error(rows.macros[0]) or 1) < 0.01
    assert not rows.pimcomp


def test_without_a_folder_there_are_rows_all_the_same() -> None:
    rows = read_rows(None)
    assert len(rows.puma) == 4
    assert len(rows.pimcomp) == 3


def test_a_macro_that_nothing_is_known_of_is_left_out() -> None:
    row = {"macro": "unheard_of", "metric": "tops", "condition": "", "value": "1"}
    assert macro_error(row) is None
    row = {"macro": "jia_jssc_2020", "metric": "tops_1b", "condition": "V=0.5", "value": "1"}
    assert macro_error(row) is None


def test_numbers_and_sizes() -> None:
    assert least("1689073/2010787/11794929") == 1_689_073
    assert least("173227-173644") == 173_227
    assert least("segfault") is None
    assert sizes("mlp_l4 1024-1024-10") == (1024, 1024, 10)
    assert sizes("fc 128x64") == (128, 64)
    assert sizes("lstm 128") == ()


@pytest.mark.parametrize("row", read_rows(None).puma, ids=lambda row: row["program"])
def test_programs_for_puma_are_no_slower_than_its_own(row: dict[str, str]) -> None:
    module, inputs = mlp(sizes(row["program"]))
    assert simulated(module, inputs, "mlp", "puma").latency_cycles <= float(row["cycles_1ns"])
