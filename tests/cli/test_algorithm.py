"""`wsc algorithm`: algorithms by name, from the list to the numbers, and what a person did wrong."""

from pathlib import Path

import pytest

from tests.cli.shell import wsc, wsc_well
from tests.cli.test_errors import golden
from wsc.backends.wafer.algorithms.catalog import ENTRIES
from wsc.backends.wafer.text import parse_program, print_program

SUMMA = ("algorithm", "summa", "--m", "8", "--k", "9", "--n", "10")


def test_without_a_name_all_are_listed() -> None:
    listed = wsc_well("algorithm", "--json").json
    assert [row["name"] for row in listed] == list(ENTRIES)
    assert listed[2] == {
        "name": "summa",
        "about": "C = A B: panels broadcast along rows and columns",
        "needs": ["--m", "--k", "--n"],
        "takes": [],
    }
    assert all(name in wsc_well("algorithm").out for name in ENTRIES)


def test_cycles_memory_and_numbers() -> None:
    result = wsc_well(*SUMMA, "--parts", "3x2", "--json").json
    assert (result["columns"], result["rows"], result["machine"]) == (3, 2, "wse2")
    assert result["macs"] >= 8 * 9 * 10
    assert result["cycles"] == result["steps"][-1]["cycles"]
    assert 0 < result["relative_error"] < 1e-5
    shown = wsc_well(*SUMMA, "--parts", "3x2", "--machine", "wafer-4x4").out
    assert "summa on wafer-4x4" in shown
    assert "3 x 2" in shown
    assert "off by at most" in shown


def test_the_numbers_are_checked_on_request() -> None:
    assert "not checked" in wsc_well(*SUMMA, "--parts", "2", "--no-check").out
    large = ("algorithm", "summa", "--m", "4096", "--k", "4096", "--n", "4096", "--parts", "128", "--json")
    assert wsc_well(*large).json["relative_error"] is None


def test_the_text_of_the_program_alone() -> None:
    text = wsc_well("algorithm", "reduce", "--n", "3", "--parts", "4", "--reduce", "tree", "--program").out
    assert print_program(parse_program(text)) == text


def test_an_all_reduce_in_the_middle() -> None:
    asked = ("algorithm", "all-reduce", "--n", "4", "--parts", "64", "--reduce", "chain", "--json")
    ends, middle = (wsc_well(*asked, *root).json["cycles"] for root in ((), ("--root", "middle")))
    assert middle < ends


def test_layouts_and_contexts() -> None:
    moved = (
        "algorithm",
        "relayout",
        "--shape",
        "8x8",
        "--from",
        "[i:4,.]",
        "--to",
        "[.,i:4]",
        "--parts",
        "2",
    )
    assert wsc_well(*moved, "--json").json["relative_error"] == 0
    decode = (
        "algorithm",
        "decode-attention",
        "--heads",
        "4",
        "--n",
        "16",
        "--k",
        "32",
        "--parts",
        "4",
        "--dtype",
        "f16",
    )
    balanced, plain = (
        wsc_well(*decode, *more, "--json").json["longest_context"] for more in ((), ("--plain",))
    )
    assert balanced == 4 * plain
    assert f"{balanced:,} tokens" in wsc_well(*decode).out


MISTAKES = {
    "algorithm_unknown": ("algorithm", "strassen"),
    "algorithm_needs_sizes": ("algorithm", "summa", "--k", "4", "--parts", "2"),
    "algorithm_takes_no_option": (*SUMMA, "--parts", "2", "--heads", "2"),
    "algorithm_of_nothing": ("algorithm", "summa", "--m", "0", "--k", "4", "--n", "4", "--parts", "2"),
    "algorithm_on_odd_parts": (*SUMMA, "--parts", "2by2"),
    "algorithm_on_many_cores": (*SUMMA, "--parts", "5x2", "--machine", "wafer-4x4"),
    "algorithm_out_of_memory": (
        "algorithm",
        "summa",
        "--m",
        "999",
        "--k",
        "999",
        "--n",
        "999",
        "--parts",
        "4",
    ),
    "algorithm_on_no_wafer": (*SUMMA, "--parts", "2", "--machine", "null"),
    "algorithm_of_odd_type": (*SUMMA, "--parts", "2", "--dtype", "i8"),
    "algorithm_of_odd_shape": (
        "algorithm",
        "relayout",
        "--shape",
        "8*8",
        "--from",
        "[.,.]",
        "--to",
        "[.,.]",
        "--parts",
        "2",
    ),
    "algorithm_of_unknown_reduce": (
        "algorithm",
        "gemv",
        "--k",
        "4",
        "--n",
        "4",
        "--parts",
        "2",
        "--reduce",
        "butterfly",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(folder: Path, name: str) -> None:
    golden(name, wsc(*MISTAKES[name]))
