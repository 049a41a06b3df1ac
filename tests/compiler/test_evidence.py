"""What was held against measurements: as shipped, as told, and the same as on the pages of validation."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from wsc.backends.registry import select
from wsc.compiler.evidence import Evidence, evidence_text, of_errors, read_evidence, sentence

ROOT = Path(__file__).resolve().parents[2]
PAGES = {"wafer": "validation.md", "gpu_cluster": "validation_gpu.md", "cim": "validation_cim.md"}


def evidence(**changes: object) -> Evidence:
    usual = {
        "machine": "m",
        "figure": "cycles",
        "kind": "kernel",
        "covers": "products",
        "against": "hardware",
        "rows": 3,
        "mean_error": 0.02,
        "largest_error": 0.05,
        "set": "A set",
    }
    return Evidence.model_validate({**usual, **changes})


def test_it_reads_back_and_models_come_first(tmp_path: Path) -> None:
    file = tmp_path / "validation.toml"
    kernel, whole, other = evidence(), evidence(kind="model", set='of "x"'), evidence(machine="n")
    file.write_text(evidence_text([kernel, other, whole], "make it"))
    assert read_evidence(file, "m") == (whole, kernel)
    assert read_evidence(tmp_path / "none.toml", "m") == ()
    assert read_evidence(file, "nothing known") == ()


def test_sets_of_one_kind_are_told_as_one() -> None:
    found = [evidence(rows=1, mean_error=0.08), evidence(rows=3, mean_error=0.04), evidence(figure="energy")]
    assert sentence(found, "cycles") == "products 5.0% (4 rows, hardware)"
    assert sentence(found, "peak") == ""


def test_errors_are_absolute_and_no_rows_are_no_evidence() -> None:
    (found,) = of_errors(
        [-0.3, 0.1], lambda rows, mean, most: evidence(rows=rows, mean_error=mean, largest_error=most)
    )
    assert (found.rows, found.mean_error, found.largest_error) == (2, pytest.approx(0.2), 0.3)
    assert of_errors([], lambda *_: evidence()) == []


@pytest.mark.parametrize("change", [{"rows": 0}, {"mean_error": -0.1}, {"figure": "time"}, {"strange": 1}])
def test_what_is_not_evidence_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        evidence(**change)


TOLD = [
    ("wse2", "decode in layers by turns", True),
    ("wse3", "vendor's simulator", True),
    ("h100x8", "matrix products", True),
    ("h100x48", "collectives", True),
    ("b200x8", "", False),
    ("isaac", "no run, published peaks", True),
    ("neurram", "silicon", True),
    ("wafer-16x16", "", False),
]


@pytest.mark.parametrize(("machine", "part", "held"), TOLD)
def test_a_machine_says_what_it_was_held_against(machine: str, part: str, held: bool) -> None:
    selection = select(machine)
    said = sentence(selection.target.validated(selection.machine), "cycles")
    assert part in said
    assert bool(said) == held


@pytest.mark.parametrize("target", ["wafer", "gpu_cluster"])
def test_the_file_says_what_the_page_says(target: str) -> None:
    """Mean and largest error of a set, over the rows that count, are in one line of the page's tables."""
    file, page = ROOT / "backends" / target / "validation.toml", ROOT / "docs" / PAGES[target]
    lines = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    machines = set(re.findall(r'^machine = "(.*)"', file.read_text(encoding="utf-8"), re.MULTILINE))
    every = read_evidence(file, *machines)
    assert every
    for found in every:
        rows = [line for line in lines if found.set in line]
        assert rows, f"the page has no set '{found.set}'"
        whole = [e for e in every if e.set == found.set and e.kind == "model"]
        mean = (
            sum(e.mean_error * e.rows for e in whole) / sum(e.rows for e in whole)
            if whole
            else found.mean_error
        )
        assert any(_near(line, mean) for line in rows), f"{found} is not as on the page"


def _near(line: str, mean: float) -> bool:
    """Whether a line of a table has this error, as rounded there."""
    said = [float(figure) for figure in re.findall(r"([0-9.]+)%", line)]
    return any(abs(figure - 100 * mean) < 0.06 for figure in said)


def test_the_page_of_compute_in_memory_agrees() -> None:
    page = (ROOT / "docs" / PAGES["cim"]).read_text(encoding="utf-8")
    file = ROOT / "backends" / "cim" / "validation.toml"
    (interval,) = [
        e for e in read_evidence(file, "neurosim-22nm") if (e.kind, e.figure) == ("model", "cycles")
    ]
    said = re.search(r"interval, µs an image \|.*\| ([+-][0-9.]+)% \|", page)
    assert said is not None
    assert abs(abs(float(said[1])) - 100 * interval.mean_error) < 0.06
    ratios = [float(r) for r in re.findall(r"^\| (?:fc|mlp_l4) .*\| ([0-9.]+) \|$", page, re.MULTILINE)]
    (puma,) = [e for e in read_evidence(file, "puma") if (e.kind, e.figure) == ("model", "cycles")]
    assert len(ratios) == puma.rows
    assert sum(abs(r - 1) for r in ratios) / len(ratios) == pytest.approx(puma.mean_error, abs=0.006)
