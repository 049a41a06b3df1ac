"""Modelled and simulated against measured times of GPUs and GPU clusters; writes docs/validation_gpu.md and, with it,
backends/gpu_cluster/validation.toml.

    python -m benchmarks.gpu_validation [--data DIR] [--output docs/validation_gpu.md]

DIR is a folder of CSV files; each is known by its columns (benchmarks/gpu_rows.py, gpu_systems.py, gpu_serving.py), its
name does not matter. Calibration comes from the calibration files alone: nothing is fitted here.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby
from pathlib import Path

import numpy as np

from benchmarks import gpu_micro as micro
from benchmarks import gpu_systems as systems
from benchmarks.gpu_calibration_files import derived
from benchmarks.gpu_fsdp import MOSAIC, mosaic
from benchmarks.gpu_memory import memory
from benchmarks.gpu_published import AMD, BEKMAN, published_table
from benchmarks.gpu_rows import (
    DECODE,
    GEMM,
    KERNEL_SETS,
    NCCL,
    ONE_SHOT,
    PREFILL,
    KernelRow,
    RowSet,
    check_folder,
)
from benchmarks.gpu_serving import SERVING, serving
from benchmarks.gpu_systems import Measured
from wsc.backends.gpu_cluster.clusters import HERE
from wsc.backends.gpu_cluster.constants import Calibration
from wsc.backends.gpu_cluster.machine import Gpu
from wsc.compiler.errors import WscError
from wsc.compiler.evidence import Evidence, evidence_text, of_errors

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "validation_gpu.md"
EVIDENCE = HERE / "validation.toml"
DATA = ROOT.parent / "shared" / "anchors" / "gpu"
Seconds = Callable[..., np.ndarray]
LARGE = (512, 8192)  # GPUs of the rows that scale is judged by
ALL_SETS: tuple[RowSet, ...] = (*KERNEL_SETS, *systems.SYSTEM_SETS, MOSAIC, SERVING)
HEAD = """\
# Validation of the GPU cluster

Written by `python -m benchmarks.gpu_validation`; constants are fitted by `python -m benchmarks.gpu_calibrate` on half
of the rows of kernels and collectives of the {fitted} (by a hash of their shape) and on nothing else. *Judged* rows are
the other half, and all rows of GPUs that have no calibration of their own. Every end-to-end row is judged: no constant
is fitted on any. An error is modelled over measured, less one; tables show the mean of its absolute value. *Derived* is
the error over all rows where a GPU is treated as if it had none: with its data sheet, and constants made from those of
the other calibrated GPU by the rule that serves GPUs without calibration.
"""
STEPS = """\
A row is built as a program (`wsc.backends.gpu_cluster.transformer`) and simulated by events. What a row does not say
comes from where its authors say it (`benchmarks/gpu_systems.py`, `benchmarks/gpu_serving.py`); where nobody does, from
the fastest setting that fits.
"""


SHEETS = f"""\
What the models make of a data sheet and of constants that are another GPU's, beside the best products that others
published. Sources: {BEKMAN}; {AMD}
(its median clock of busy matrix units is also what the MI300X's file has). Nothing is fitted on these rows.
"""


@dataclass(frozen=True)
class Micro:
    """Errors of rows of kernels of one set, GPU and type: of rows fitted on, and of judged ones."""

    set: str
    gpu: str
    type: str
    fitted: tuple[float, ...]
    judged: tuple[float, ...]
    derived: tuple[float, ...]  # of all rows, with the constants of another GPU


@dataclass(frozen=True)
class Findings:
    """All that a folder gave."""

    micro: tuple[Micro, ...]
    systems: tuple[Measured, ...]
    left_out: tuple[str, ...]


def type_of(row: KernelRow) -> str:
    """The type of a row within its set and GPU."""
    return str(getattr(row, "gemm_dtype", "") or getattr(row, "op_name", "") or getattr(row, "src", ""))


def micro_findings(folder: Path, left_out: list[str]) -> Iterator[Micro]:
    """Errors of every set of kernels and collectives; what cannot be modelled is said in `left_out`."""
    for kind, seconds in (
        (GEMM, micro.gemm_row_seconds),
        (PREFILL, micro.prefill_row_seconds),
        (DECODE, micro.decode_row_seconds),
        (NCCL, micro.nccl_row_seconds),
        (ONE_SHOT, micro.one_shot_row_seconds),
    ):
        rows = sorted(filter(modelled, kind.rows(folder)), key=lambda row: (row.system, type_of(row)))
        for (system, what), grouped in groupby(rows, key=lambda row: (row.system, type_of(row))):
            group = list(grouped)
            try:
                yield one_finding(kind.title, system, what, group, seconds)
            except (ValueError, WscError) as error:
                left_out.append(f"{kind.title}, {system} {what}, {len(group)} rows: {error}")


def one_finding(title: str, system: str, what: str, rows: Sequence[KernelRow], seconds: Seconds) -> Micro:
    """Errors of the rows of one GPU and type."""
    gpu = micro.shipped_gpu(system)
    errors = errors_of(rows, seconds, gpu)
    calibrated = gpu.name in calibrated_gpus()
    fitted = tuple(float(e) for e, row in zip(errors, rows, strict=True) if calibrated and not row.judged)
    judged = tuple(float(e) for e, row in zip(errors, rows, strict=True) if not calibrated or row.judged)
    strange = as_if_not_calibrated(gpu.name)
    foreign = tuple(map(float, errors_of(rows, seconds, strange))) if strange else ()
    return Micro(title, gpu.name, what, fitted, judged, foreign)


def errors_of(rows: Sequence[KernelRow], seconds: Seconds, gpu: Gpu) -> np.ndarray:
    """Modelled over measured, less one."""
    errors: np.ndarray = seconds(rows, gpu) / (np.array([row.latency_us for row in rows]) * 1e-6) - 1
    return errors


@cache
def as_if_not_calibrated(gpu_name: str) -> Gpu | None:
    """A calibrated GPU with the constants that it would have if it had no rows; None where there is no other."""
    gpu = micro.shipped_gpu(gpu_name)
    others = {name: micro.shipped_gpu(name) for name in calibrated_gpus() if name != gpu.name}
    if gpu.name not in calibrated_gpus() or not others:
        return None
    near = next(iter(others.values()))
    values = {key: derived(key, gpu, near, others)[0] for key in Calibration.model_fields}
    return gpu.model_copy(update={"calibration": Calibration.model_construct(**values)})


def modelled(row: KernelRow) -> bool:
    """Whether the models have the row's type."""
    dtype, kind = getattr(row, "gemm_dtype", None), getattr(row, "op_name", None)
    return (dtype is None or dtype in micro.PRECISIONS) and (kind is None or kind in micro.KINDS)


def calibrated_gpus() -> tuple[str, ...]:
    """GPUs whose constants are fitted on rows of their own."""
    files = sorted((HERE / "calibration").glob("*.toml"))
    own = [path.stem for path in files if "written by `python -m" in path.read_text(encoding="utf-8")]
    return tuple(name for name in own if name != "common")


def findings(folder: Path) -> Findings:
    """Everything that a folder allows to say; raises SystemExit for one without any row that is modelled."""
    strangers = check_folder(folder, ALL_SETS)
    unknown = Counter(
        f"{kind.title}: {row.system}, {type_of(row)}"
        for kind in (GEMM, NCCL)
        for row in kind.rows(folder)
        if not modelled(row)
    )
    left_out = [
        *strangers,
        *(f"{name}: {count} rows of a type that is not modelled" for name, count in unknown.items()),
    ]
    kernels, steps = tuple(micro_findings(folder, left_out)), tuple(system_findings(folder, left_out))
    if not kernels and not steps:
        raise SystemExit(f"--data {folder}: no row can be modelled. {'. '.join(left_out)}")
    return Findings(kernels, steps, tuple(left_out))


def system_findings(folder: Path, left_out: list[str]) -> Iterator[Measured]:
    """Simulated steps beside the measured ones; a set that cannot be simulated is said in `left_out`."""
    for kind, simulated, gpu in (
        (systems.KORTHIKANTI, systems.korthikanti, "a100"),
        (systems.KORTHIKANTI, memory, "a100"),
        (systems.SC21, systems.sc21, "a100"),
        (systems.ZERO, systems.zero, "a100"),
        (systems.CORE, systems.core, "h100"),
        (systems.MLPERF, systems.mlperf, ""),
        (MOSAIC, mosaic, ""),
        (SERVING, serving, ""),
    ):
        for row in kind.rows(folder):
            said = gpu or str(getattr(row, "gpu", "") or getattr(row, "system", ""))
            try:
                name = micro.shipped_gpu(said).name
                yield from (replace(found, gpu=name) for found in simulated([row]))
            except WscError as error:
                left_out.append(f"{kind.title}, {row}: {error}")


def mean(errors: Sequence[float]) -> str:
    """The mean absolute error as text; a dash where there are no rows."""
    return f"{np.mean(np.abs(errors)):.1%}" if errors else "–"


def page(found: Findings) -> str:
    """The text of docs/validation_gpu.md."""
    lines = [HEAD.format(fitted=" and ".join(name.upper() for name in calibrated_gpus()))]
    lines += ["## Kernels and collectives\n", *micro_table(found.micro)]
    lines += ["", "## GPUs without rows of their own\n", SHEETS, *published_table(calibrated_gpus())]
    if found.systems:
        lines += ["", "## Training and serving\n", STEPS, *system_summary(found.systems)]
    lines += ["", "## Constants\n", *constants()]
    for title, rows in groupby(found.systems, key=lambda row: row.set):
        lines += ["", f"## {title}\n", *system_rows(list(rows))]
    if found.left_out:
        lines += ["", "## Left out\n", *(f"- {line}" for line in found.left_out)]
    return "\n".join(lines) + "\n"


def micro_table(found: Sequence[Micro]) -> Iterator[str]:
    yield "| set | GPU | type | fitted rows | mean error | judged rows | mean error | largest | derived |"
    yield "|---|---|---|---:|---:|---:|---:|---:|---:|"
    for row in found:
        worst = f"{max(map(abs, row.judged)):.0%}" if row.judged else "–"
        counts = f"{len(row.fitted)} | {mean(row.fitted)} | {len(row.judged)} | {mean(row.judged)}"
        yield f"| {row.set} | {row.gpu} | {row.type} | {counts} | {worst} | {mean(row.derived)} |"
    for title, rows in groupby(found, key=lambda row: row.set):
        judged = [error for row in rows for error in row.judged]
        yield f"| **{title}** | all | | | | {len(judged)} | **{mean(judged)}** | | |"


def system_summary(rows: Sequence[Measured]) -> Iterator[str]:
    yield "| set | rows | mean error | largest |"
    yield "|---|---:|---:|---:|"
    for title, group in groupby(rows, key=lambda row: row.set):
        errors = [row.error for row in group]
        yield f"| {title} | {len(errors)} | {mean(errors)} | {max(map(abs, errors)):.1%} |"
    yield from scale_summary([row for row in rows if row.gpus])


def scale_summary(rows: Sequence[Measured]) -> Iterator[str]:
    """Megatron-Core and MLPerf together, all rows and those at scale, and how errors grow with it."""
    large = [row for row in rows if LARGE[0] <= row.gpus <= LARGE[1]]
    for what, kept in (("all", rows), (f"{LARGE[0]} to {LARGE[1]:,} GPUs", large)):
        if kept:
            errors = [row.error for row in kept]
            figures = f"{len(errors)} | **{mean(errors)}** | {max(map(abs, errors)):.1%}"
            yield f"| **Megatron-Core and MLPerf, {what}** | {figures} |"
    for title, group in groupby(rows, key=lambda row: row.set):
        sizes, errors = zip(*((np.log2(row.gpus), np.log1p(row.error)) for row in group), strict=True)
        if len(set(sizes)) > 1:
            slope = np.polyfit(sizes, errors, 1)[0]
            yield f"| {title}: error gained when GPUs double | {len(errors)} | {slope:+.1%} | |"


def system_rows(rows: Sequence[Measured]) -> Iterator[str]:
    yield f"| row | measured, {rows[0].unit} | simulated | error |"
    yield "|---|---:|---:|---:|"
    for row in rows:
        yield f"| {row.label} | {row.measured:,.2f} | {row.simulated:,.2f} | {row.error:+.1%} |"


def constants() -> Iterator[str]:
    fields = list(Calibration.model_fields)
    shared = micro.shipped_gpu("h100").common
    count = len(type(shared.products).model_fields) + len(type(shared.collectives).model_fields)
    a_library = len(type(next(iter(shared.attention.values()))).model_fields)
    yield f"{len(fields)} constants a GPU (`backends/gpu_cluster/calibration/`), and {count} that all GPUs share, with"
    yield f"{a_library} for each library's fused attention. Everything else is stated by makers, or assumed and said"
    yield "to be so, in the GPU's file (`backends/gpu_cluster/gpus/`).\n"
    names = sorted(path.stem for path in (HERE / "calibration").glob("*.toml") if path.stem != "common")
    yield f"| constant | {' | '.join(names)} |"
    yield f"|---|{'---:|' * len(names)}"
    for key in fields:
        values = [getattr(micro.shipped_gpu(name).calibration, key) for name in names]
        yield f"| `{key}` | {' | '.join(f'{value:.3g}' for value in values)} |"
    yield f"\nFitted: {', '.join(calibrated_gpus())}. The others are derived, as their files say."


def evidence(found: Findings) -> list[Evidence]:
    """What backends/gpu_cluster/validation.toml says: rows that no constant was fitted on, and their error."""
    lines: list[Evidence] = []
    for (title, gpu, covers), group in groupby(found.systems, key=lambda m: (m.set, m.gpu, _covers(m))):
        errors = [row.error for row in group]
        if covers:
            lines += of_errors(errors, _evidence("model", title, gpu, covers))
    names = {GEMM.title: "matrix products", PREFILL.title: "attention", DECODE.title: "attention"}
    for micro_row in found.micro:
        covers = names.get(micro_row.set, "collectives")
        lines += of_errors(micro_row.judged, _evidence("kernel", micro_row.set, micro_row.gpu, covers))
    return lines


def _covers(row: Measured) -> str:
    """What a row of a whole system speaks for; nothing where it is not of time."""
    if row.unit == "GiB":
        return ""
    if row.set == SERVING.title:
        return "tokens of serving"
    sharded = row.set == MOSAIC.title or "zero3" in row.label
    return "fully sharded training" if sharded else "training"


def _evidence(kind: str, title: str, gpu: str, covers: str) -> Callable[[int, float, float], Evidence]:
    fixed = {"machine": gpu, "figure": "cycles", "kind": kind, "covers": covers, "against": "hardware"}
    return lambda rows, mean, largest: Evidence.model_validate(
        {**fixed, "rows": rows, "mean_error": mean, "largest_error": largest, "set": title}
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--output", type=Path, default=PAGE)
    arguments = parser.parse_args()
    found = findings(arguments.data)
    arguments.output.write_text(page(found), encoding="utf-8")
    if arguments.output == PAGE:
        command = "python -m benchmarks.gpu_validation"
        EVIDENCE.write_text(evidence_text(evidence(found), command), encoding="utf-8")
    print("\n".join(micro_table(found.micro)))
    print("\n".join(published_table(calibrated_gpus())))
    print("\n".join(system_summary(found.systems)))
    print(*found.left_out, f"written: {arguments.output}", sep="\n")


if __name__ == "__main__":
    main()
