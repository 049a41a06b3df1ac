"""Measured kernels, as cited, against the simulator: the errors that docs/validation.md claims."""

from pathlib import Path

import pytest

from benchmarks.wafer_facts import SOURCES
from benchmarks.wafer_llm import shape_of
from benchmarks.wafer_sets import MESHGEMM, REDUCE, SETS, SUMMA
from benchmarks.wafer_validation import FITTED, PAGE, Result, page, validate

# set: mean and largest error that are allowed
ALLOWED = {
    "SUMMA, fp32, CS-2 hardware": (0.04, 0.10),
    "MeshGEMM, fp16, WSE-3, communication alone": (0.04, 0.08),
    "MeshGEMM, fp16, WSE-3, full kernel": (0.05, 0.10),
    "MeshGEMM, fp16, WSE-3, compute doubled": (0.05, 0.10),
    "Reduce along a line, WSE-2": (0.03, 0.03),
}
MODELS = {
    "WaferLLM, decode of one token, WSE-2": (0.20, 0.20),
    "WaferLLM, prefill of a prompt, WSE-2": (0.25, 0.25),
}
KERNEL_SETS = [measured for measured in SETS if measured.title in ALLOWED]


def test_cited_kernels_are_within_the_errors_claimed() -> None:
    check_errors(validate(None, KERNEL_SETS), ALLOWED)


@pytest.mark.slow
def test_cited_models_are_within_the_errors_claimed() -> None:
    check_errors(validate(None, [s for s in SETS if s.title in MODELS]), MODELS)


def check_errors(results: list[Result], allowed: dict[str, tuple[float, float]]) -> None:
    assert [result.measured.title for result in results] == list(allowed)
    for result in results:
        mean, largest = allowed[result.measured.title]
        assert sum(result.errors()) <= mean * len(result.errors())
        assert max(result.errors()) <= largest
        assert max(result.errors(fitted=False)) <= largest


def test_at_most_five_constants_a_machine_are_fitted() -> None:
    assert all(len(constants) <= 5 for constants in FITTED.values())


def test_the_page_has_every_row_and_every_source() -> None:
    results = validate(None, KERNEL_SETS)
    text = page(results, cited=True)
    rows = sum(len(result.rows) for result in results)
    assert text.count("%") == rows + 4 * len(results)
    assert all(f"Source: {SOURCES[s.file]}." in text for s in KERNEL_SETS)
    assert page(validate(None, KERNEL_SETS), cited=True) == text


def test_the_page_kept_is_of_todays_constants() -> None:
    """The kept page has more rows than those cited; what both have is equal."""
    kept = set(PAGE.read_text(encoding="utf-8").splitlines())
    made = page(validate(None, KERNEL_SETS), cited=True).splitlines()
    tables = [line for line in made if line.startswith("| ") and "set" not in line.split("|")[1]]
    rows = [line for line in tables if (line.count("|") == 6 and "%" in line) or "`" in line]
    assert rows
    assert set(rows) <= kept


def write(folder: Path, name: str, *lines: str) -> Path:
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_a_folder_of_other_rows_is_read(tmp_path: Path) -> None:
    write(
        tmp_path, SUMMA, "# source: measured here", "P,tile_n,cycles,flag", "750,8,2290000,", "8,6,1,outlier"
    )
    (result,) = validate(tmp_path)
    assert [row.case.flagged for row in result.rows] == [False, True]
    assert result.errors() == [pytest.approx(0.0, abs=0.06)]


BAD = [
    (SUMMA, ["P,tile_n,cycles", "1,4,0"], f"{SUMMA}, row 1: 0.0 cycles were measured"),
    (REDUCE, ["P,B_wavelets,algorithm", "4,1,chain"], f"{REDUCE} has no column 'step'"),
    (REDUCE, ["P,B_wavelets,step,algorithm,measured_cycles", "4,1,4,ring,9"],
     f"{REDUCE}, row 1: no reduction is called 'ring'; there are chain, two-phase, k-tree, tree, star"),
    (MESHGEMM, ["P,M,K,N,cycles_comm_only_L0", "3,x,24,24,5"],
     f"{MESHGEMM}, row 1: invalid literal for int() with base 10: 'x'"),
    (SUMMA, ["P,tile_n,cycles", "2000,4,5"], f"{SUMMA}, row 1: 'summa' takes 2000 x 2000 cores, 'wse2' has 750 x 994"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "lines", "message"), BAD)
def test_a_bad_row_is_named(tmp_path: Path, name: str, lines: list[str], message: str) -> None:
    with pytest.raises(SystemExit) as caught:
        validate(write(tmp_path, name, *lines))
    assert str(caught.value) == message


def test_a_folder_without_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="there is no such folder"):
        validate(tmp_path / "absent")
    with pytest.raises(SystemExit, match="none of summa_f32_cs2_hardware"):
        validate(tmp_path)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("LLaMA3-8B", "llama3-8b"),
        ("CodeLLaMA-34B", "codellama-34b"),
        ("QWen2-72B", "qwen2-72b"),
        ("Qwen2 72B Instruct", "qwen2-72b"),
        ("LLaMA2-13B", "llama2-13b"),
    ],
)
def test_models_are_known_by_their_published_names(name: str, shape: str) -> None:
    assert shape_of(name) == shape


def test_a_model_that_is_not_known_is_named() -> None:
    with pytest.raises(ValueError, match=r"no shape of llama3_8b.py is 'GPT-5': there are tiny, llama3-8b"):
        shape_of("GPT-5")
