"""Validation of the GPU cluster: files are known by their columns, checked, and judged without fitting."""

from pathlib import Path

import pytest

from benchmarks.gpu_calibrate import Batch, Family, as_derived, fit, hold_out
from benchmarks.gpu_calibration_files import derived
from benchmarks.gpu_micro import gemm_row_seconds, shipped_gpu
from benchmarks.gpu_rows import GEMM, NCCL, GemmRow
from benchmarks.gpu_systems import KORTHIKANTI, korthikanti
from benchmarks.gpu_validation import findings, page
from wsc.backends.gpu_cluster.machine import Gpu

# Facts: Korthikanti et al., arXiv 2205.05198, Table 5.
KORTHIKANTI_CSV = """\
# a comment
model,hidden,ffn,heads,layers,gpus,tp,pp,dp,global_batch,micro_batch,interleave,full_recompute_s,sequence_parallel_selective_s
22B,6144,24576,64,48,8,8,1,1,4,4,1,1.42,1.10
175B,12288,49152,96,96,64,8,8,1,64,1,3,18.13,13.75
"""
# nccl-tests on eight H100, as AIConfigurator 0.12 (Apache-2.0) publishes them.
NCCL_CSV = """\
system,nccl,op_name,num_gpus,bytes,latency_us
h100_sxm,2.29.2,all_reduce,8.0,512,15.59
h100_sxm,2.29.2,all_reduce,8.0,536870912,2111.06
h100_sxm,2.29.2,all_gather,8.0,268435456,728.79
h100_sxm,2.29.2,unheard_of,8.0,1024,1.0
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "any_name.csv").write_text(KORTHIKANTI_CSV, encoding="utf-8")
    (tmp_path / "other.csv").write_text(NCCL_CSV, encoding="utf-8")
    return tmp_path


def test_rows_are_read_whatever_the_file_is_called(folder: Path) -> None:
    assert [row.model for row in KORTHIKANTI.rows(folder)] == ["22B", "175B"]
    assert next(iter(NCCL.rows(folder))).num_gpus == 8


def test_published_training_times_are_predicted(folder: Path) -> None:
    """Eight and 64 A100: nothing is fitted on these; the largest error stays under a tenth."""
    errors = [abs(row.error) for row in korthikanti(KORTHIKANTI.rows(folder))]
    assert len(errors) == 4
    assert max(errors) < 0.1


def test_the_page_has_tables_and_says_what_is_left_out(folder: Path) -> None:
    (folder / "strange.csv").write_text("system,m,n,latency_us\nh100_sxm,1,2,3\n", encoding="utf-8")
    text = page(findings(folder))
    assert "| Collectives, one node | h100 | all_reduce |" in text
    assert "| 22B, full | 1.42 |" in text
    assert "strange.csv is of no kind" in text
    assert "unheard_of: 1 rows of a type that is not modelled" in text


def test_a_folder_without_known_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "gemm.csv").write_text(
        "system,gemm_dtype,m,n,latency_us\nh100_sxm,fp8,1,2,3\n", encoding="utf-8"
    )
    with pytest.raises(SystemExit, match="as 'Matrix products' it has no column k"):
        findings(tmp_path)
    with pytest.raises(SystemExit, match="no such folder"):
        findings(tmp_path / "absent")


def test_a_bad_row_is_told_by_file_and_number(tmp_path: Path) -> None:
    text = "system,gemm_dtype,m,n,k,latency_us\nh100_sxm,fp8,1,2,3,4\nh100_sxm,fp8,1,zero,3,4\n"
    (tmp_path / "gemm.csv").write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit, match=r"gemm.csv, row 2: n: Input should be a valid integer"):
        list(GEMM.rows(tmp_path))


def test_an_unknown_system_is_told(tmp_path: Path) -> None:
    text = "system,gemm_dtype,m,n,k,latency_us\nv100,bfloat16,1,2,3,4\n"
    (tmp_path / "gemm.csv").write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit, match="system 'v100': no such GPU"):
        findings(tmp_path)


def test_rows_of_an_unknown_gpu_are_left_out_and_said(tmp_path: Path) -> None:
    row = "bfloat16,4096,4096,4096,"
    text = f"system,gemm_dtype,m,n,k,latency_us\nv100,{row}4000\nh200_sxm,{row}200\n"
    (tmp_path / "gemm.csv").write_text(text, encoding="utf-8")
    found = findings(tmp_path)
    assert [(kernels.gpu, len(kernels.judged)) for kernels in found.micro] == [("h200", 1)]
    assert "Matrix products, v100 bfloat16, 1 rows: system 'v100': no such GPU" in page(found)


@pytest.mark.slow
def test_a_gpu_kept_back_is_judged_by_constants_of_the_others() -> None:
    """Rows made by the rule itself: that the H100's own constants are not used shows in an error of next to nothing."""
    gpus = {name: shipped_gpu(name) for name in ("a100", "h100")}
    shapes = [(m, n, 4096) for m in (16, 512, 4096) for n in (1024, 8192)]
    kept = as_derived(gpus["h100"], {"a100": gpus["a100"]})
    assert kept.calibration.hbm_efficiency == gpus["a100"].calibration.hbm_efficiency
    rows = {"products": [made(gpu, name, shapes) for name, gpu in (("a100", gpus["a100"]), ("h100", kept))]}
    errors = hold_out({"h100": gpus["h100"], "a100": gpus["a100"]}, rows, {}, "products")
    assert errors["h100"]["h100 Gemm bfloat16"] < 0.02


def made(gpu: Gpu, name: str, shapes: list[tuple[int, int, int]]) -> Batch:
    """Rows with the times that the model gives."""
    rows = [GemmRow(system=name, gemm_dtype="bfloat16", m=m, n=n, k=k, latency_us=1) for m, n, k in shapes]
    seconds = gemm_row_seconds(rows, gpu)
    timed = [row.model_copy(update={"latency_us": s * 1e6}) for row, s in zip(rows, seconds, strict=True)]
    return Batch(name, timed, gemm_row_seconds)


def test_judged_rows_do_not_depend_on_what_was_measured() -> None:
    shapes = [(m, n) for m in range(1, 40) for n in (1024, 4096)]
    one, other = (
        [
            GemmRow(system="h100_sxm", gemm_dtype="bfloat16", m=m, n=n, k=64, latency_us=us).judged
            for m, n in shapes
        ]
        for us in (1.0, 2.0)
    )
    assert one == other
    assert 0.3 < sum(one) / len(one) < 0.7


def test_a_constant_is_found_again() -> None:
    """Rows made with one efficiency; the fit starts from another."""
    true = shipped_gpu("h100")
    calibration = true.calibration.model_copy(update={"tensor_efficiency": 0.6})
    made = true.model_copy(update={"calibration": calibration})
    shapes = [(m, n, 4096) for m in (2048, 4096, 8192) for n in (4096, 8192)]
    rows = [
        GemmRow(system="h100_sxm", gemm_dtype="bfloat16", m=m, n=n, k=k, latency_us=1) for m, n, k in shapes
    ]
    seconds = gemm_row_seconds(rows, made)
    rows = [
        row.model_copy(update={"latency_us": float(s) * 1e6}) for row, s in zip(rows, seconds, strict=True)
    ]
    batch = Batch("h100", rows, gemm_row_seconds)
    fitted = fit(Family("products", ("tensor_efficiency",), ()), {"h100": true}, [batch])
    assert fitted["h100"].calibration.tensor_efficiency == pytest.approx(0.6, rel=1e-3)


def test_a_constant_that_no_row_tells_anything_of_stays(capsys: pytest.CaptureFixture[str]) -> None:
    """Products in bf16 know nothing of the scaling to fp8."""
    gpu = shipped_gpu("h100")
    rows = [
        GemmRow(system="h100_sxm", gemm_dtype="bfloat16", m=8192, n=8192, k=k, latency_us=2e3)
        for k in (4096, 8192)
    ]
    family = Family("products", ("tensor_efficiency",), (("products", "quantize_bytes_per_element"),))
    fitted = fit(family, {"h100": gpu}, [Batch("h100", rows, gemm_row_seconds)])["h100"]
    kept = gpu.common.products.quantize_bytes_per_element
    assert fitted.common.products.quantize_bytes_per_element == pytest.approx(kept, rel=1e-12)
    assert fitted.calibration.tensor_efficiency != gpu.calibration.tensor_efficiency
    assert capsys.readouterr().out == "not told by any row: products.quantize_bytes_per_element\n"


def test_constants_of_other_gpus_come_from_the_neighbour_and_the_data_sheet() -> None:
    fitted = {name: shipped_gpu(name) for name in ("a100", "h100")}
    b200, h100 = shipped_gpu("b200"), fitted["h100"]
    value, source = derived("tensor_efficiency", b200, h100, fitted)
    assert value < h100.calibration.tensor_efficiency < fitted["a100"].calibration.tensor_efficiency
    assert "watt" in source
    assert derived("attention_efficiency", b200, h100, fitted)[0] == h100.calibration.attention_efficiency
