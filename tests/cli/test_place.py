"""`wsc place`: solutions, reports, checks, and every mistake told in one paragraph."""

import json
from pathlib import Path

import pytest

from tests.cli.shell import wsc
from tests.cli.test_errors import golden
from tests.placement.test_ispd2020 import SMALL


@pytest.fixture
def small(folder: Path) -> Path:
    Path("small.kgraph").write_text(SMALL)
    return folder


def test_a_solution_is_written_scored_and_checked(small: Path) -> None:
    ran = wsc("place", "small.kgraph", "-e", "low", "-o", "s.txt", "--report", "r.html", "--json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert told["total_bound"] <= told["total"]
    assert told["time_bound_cycles"] <= told["time_cycles"]
    assert not told["interrupted"]
    assert [kernel["name"] for kernel in told["kernels"]] == ["k1", "k2", "k3"]
    page = Path("r.html").read_text()
    assert page.count('class="kernel"') == 3
    assert page.count("<line ") == 3
    assert "http" not in page
    checked = wsc("place", "small.kgraph", "--check", "s.txt", "--json")
    assert checked.code == 0, checked.err
    score = json.loads(checked.out)
    assert score["lawful"]
    assert {key: score[key] for key in ("total", "adapters")} == {
        key: told[key] for key in ("total", "adapters")
    }


def test_a_check_is_told_to_people_too(small: Path) -> None:
    wsc("place", "small.kgraph", "-e", "low", "-o", "s.txt")
    ran = wsc("place", "small.kgraph", "--check", "s.txt")
    assert "lawful" in ran.out
    assert "wire length" in ran.out


BAD = {
    "place_malformed": SMALL.replace("C=8 K=8", "C=8 K="),
    "place_unknown_kernel_in_net": SMALL.replace("conv[1]:y", "conv[9]:y"),
    "place_kernel_fits_no_shape": SMALL.replace("memlimit=24576", "memlimit=20"),
    "place_too_few_cores": SMALL.replace("width=60", "width=10").replace("height=50", "height=10"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_problem_that_is_wrong(folder: Path, name: str) -> None:
    Path("p.kgraph").write_text(BAD[name])
    golden(name, wsc("place", "p.kgraph"))


OPTIONS = {
    "place_no_file": ("nowhere.kgraph",),
    "place_unknown_effort": ("small.kgraph", "-e", "utmost"),
    "place_no_folder": ("small.kgraph", "-o", "nowhere/s.txt"),
    "place_no_solution": ("small.kgraph", "--check", "s.txt"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_that_are_wrong(small: Path, name: str) -> None:
    golden(name, wsc("place", *OPTIONS[name]))


def test_a_solution_that_breaks_a_rule(small: Path) -> None:
    lines = [
        "k1 = conv( 14 14 8 8 3 3 1 1 14 1 1 1 )",
        "k2 = dblock( 7 7 32 7 1 1 1 1 1 1 1 )",
        "k3 = cblock( 14 14 16 7 1 1 1 1 1 1 1 1 1 )",
        "k1 : place(0 0 R0)",
        "k2 : place(2 0 R0)",
        "k3 : place(50 0 R0)",
    ]
    Path("s.txt").write_text("\n".join(lines))
    golden("place_unlawful", wsc("place", "small.kgraph", "--check", "s.txt"))
