"""Fits the constants of the GPU models on microbenchmarks, and writes or prints the calibration files.

    python -m benchmarks.gpu_calibrate --data DIR [--only FAMILY] [--write] [--hold-out]

DIR holds measured rows (see benchmarks/gpu_rows.py). Constants are fitted on half of the rows of kernels and
collectives, by a hash of their shape; the other half and every end-to-end row are left to judge by.
--only fits one family (products, attention, collectives) and leaves the others as they are in the files.
--hold-out keeps each GPU back in turn: constants, the shared ones too, are fitted on the others alone, and the rows of
the GPU kept back are judged with what the rule for GPUs without calibration makes of these and of its data sheet.

The sum of absolute relative errors, smoothed near zero, is made least by Nelder and Mead's simplex from a fixed start.
A constant that no row tells anything of stays as it is in the files.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from benchmarks import gpu_micro as micro
from benchmarks.gpu_calibration_files import NEIGHBOUR, derived, write_files
from benchmarks.gpu_rows import DECODE, GEMM, NCCL, ONE_SHOT, PREFILL, KernelRow
from wsc.backends.gpu_cluster.constants import Calibration
from wsc.backends.gpu_cluster.machine import Gpu
from wsc.compiler.errors import UserError

Floats = NDArray[np.float64]
SMOOTH = 1e-4
ROUNDS = 4
NUDGE = 0.1  # of a constant's logarithm, to see whether rows tell anything of it


@dataclass(frozen=True)
class Batch:
    """Rows of one GPU and kind, and how their seconds are modelled."""

    gpu: str
    rows: Sequence[KernelRow]
    seconds: Callable[..., Floats]

    def errors(self, gpu: Gpu) -> Floats:
        """Modelled over measured, less one."""
        measured = np.array([row.latency_us for row in self.rows]) * 1e-6
        return self.seconds(self.rows, gpu) / measured - 1


@dataclass(frozen=True)
class Family:
    """Constants fitted together: of each GPU, and shared, as (table, key) of common.toml."""

    name: str
    calibration: tuple[str, ...]
    common: tuple[tuple[str, str], ...]


PRODUCTS = Family(
    "products",
    ("tensor_efficiency", "hbm_efficiency", "stream_seconds_per_root_megabyte", "tile_seconds"),
    tuple(
        ("products", key)
        for key in (
            "l2_efficiency",
            "overlap_power",
            "split_seconds",
            "quantize_bytes_per_element",
            "power_loss",
            "power_seconds",
        )
    ),
)
_PREFILL = ("prefill_floor", "preprocess_passes", "tail")
_DECODE = ("head_block", "shared_bytes_per_second", "head_bytes_per_second", "first_wave", "combine_seconds")
_ATTENTION = ("attention_efficiency", "attention_floor_seconds", "attention_block_seconds")
COLLECTIVES = Family(
    "collectives",
    ("collective_floor_seconds", "collective_step_seconds", "nvlink_efficiency"),
    tuple(
        ("collectives", key)
        for key in (
            "ramp_bytes_per_rank",
            "ramp",
            "ll_rate",
            "own_copy",
            "ll128_latency",
            "ll128_work",
            "simple_latency",
            "simple_growth",
            "growth_power",
            "nvls_work",
            "nvls_latency",
            "nvls_growth",
            "pairs_floor_seconds",
            "pairs_step_seconds",
            "pairs_ll_bytes_per_second",
            "pairs_simple_seconds",
            "pairs_growth",
            "custom_floor",
            "custom_rate",
        )
    ),
)


def attention_family(libraries: Sequence[str]) -> Family:
    """Attention's constants, with those of the libraries that rows were measured with."""
    keys = (*_PREFILL, *_DECODE, "overlap_power")
    return Family(
        "attention", _ATTENTION, tuple((f"attention.{name}", key) for name in libraries for key in keys)
    )


def batches(folder: Path, judged: bool) -> dict[str, list[Batch]]:
    """Rows to fit on, or those to judge by, by family."""
    kinds = (
        ("products", GEMM, micro.gemm_row_seconds, lambda row: (row.system, row.gemm_dtype)),
        ("attention", PREFILL, micro.prefill_row_seconds, lambda row: (row.system,)),
        ("attention", DECODE, micro.decode_row_seconds, lambda row: (row.system,)),
        ("collectives", NCCL, micro.nccl_row_seconds, lambda row: (row.system, row.op_name)),
        ("collectives", ONE_SHOT, micro.one_shot_row_seconds, lambda row: (row.system,)),
    )
    found: dict[str, list[Batch]] = {}
    for family, kind, seconds, key in kinds:
        rows = sorted((row for row in kind.rows(folder) if row.judged == judged), key=key)
        for (system, *_), group in groupby(rows, key=key):
            batch = Batch(gpu_of(system), tuple(group), seconds)
            found.setdefault(family, []).append(batch)
    return found


def gpu_of(system: str) -> str:
    """The name of the GPU that a row names; raises SystemExit for one that is not shipped."""
    try:
        return micro.shipped_gpu(system).name
    except UserError as error:
        raise SystemExit(str(error)) from error


class Point:
    """A vector of constants: those of each GPU, then the shared ones; in logarithms, so that all stay positive."""

    def __init__(self, family: Family, gpus: Mapping[str, Gpu]) -> None:
        self.family, self.gpus = family, gpus

    @property
    def names(self) -> list[str]:
        """What the coordinates are called."""
        own = [f"{key} of the {name}" for name in self.gpus for key in self.family.calibration]
        return [*own, *(f"{table}.{key}" for table, key in self.family.common)]

    def start(self) -> Floats:
        """The constants of the files."""
        own = [getattr(gpu.calibration, key) for gpu in self.gpus.values() for key in self.family.calibration]
        first = next(iter(self.gpus.values()))
        shared = [getattr(_table(first, table), key) for table, key in self.family.common]
        return np.log([*own, *shared])

    def gpus_at(self, point: Floats) -> dict[str, Gpu]:
        """The GPUs with the constants of a point."""
        values = np.exp(point)
        shared = dict(zip(self.family.common, values[len(values) - len(self.family.common) :], strict=True))
        result, place = {}, 0
        for name, gpu in self.gpus.items():
            own = dict(zip(self.family.calibration, map(float, values[place:]), strict=False))
            place += len(own)
            result[name] = with_constants(gpu, own, shared)
        return result


def with_constants(gpu: Gpu, own: Mapping[str, float], shared: Mapping[tuple[str, str], float]) -> Gpu:
    """The GPU with other constants, its own and shared ones."""
    common = gpu.common
    for (table, key), value in shared.items():
        part = _table(gpu.model_copy(update={"common": common}), table)
        changed = part.model_copy(update={key: float(value)})
        if table.startswith("attention."):
            library = table.removeprefix("attention.")
            common = common.model_copy(update={"attention": {**common.attention, library: changed}})
        else:
            common = common.model_copy(update={table: changed})
    calibration = gpu.calibration.model_copy(update=dict(own))
    return gpu.model_copy(update={"calibration": calibration, "common": common})


def _table(gpu: Gpu, name: str) -> object:
    first, _, library = name.partition(".")
    return gpu.common.attention[library] if library else getattr(gpu.common, first)


def fit(family: Family, gpus: Mapping[str, Gpu], rows: Sequence[Batch]) -> dict[str, Gpu]:
    """The GPUs with the family's constants fitted on the rows."""
    space = Point(family, gpus)

    def loss(point: Floats) -> float:
        trial = space.gpus_at(point)
        return sum(float(np.mean(np.sqrt(batch.errors(trial[batch.gpu]) ** 2 + SMOOTH))) for batch in rows)

    point = space.start()
    told = told_by_rows(loss, point)
    if len(told) < len(point):
        print(f"not told by any row: {', '.join(space.names[i] for i in range(len(point)) if i not in told)}")

    def moved(part: Floats) -> Floats:
        whole = point.copy()
        whole[told] = part
        return whole

    for _ in range(ROUNDS):
        options = {"maxiter": 150 * len(told), "adaptive": True}
        part = minimize(lambda part: loss(moved(part)), point[told], method="Nelder-Mead", options=options).x
        point = moved(part)
    return space.gpus_at(point)


def told_by_rows(loss: Callable[[Floats], float], point: Floats) -> list[int]:
    """The coordinates that change the loss: a constant of an algorithm that no row ran with changes nothing."""
    base = loss(point)
    steps = NUDGE * np.eye(len(point))
    return [i for i, step in enumerate(steps) if loss(point + step) != base or loss(point - step) != base]


def fit_all(
    gpus: Mapping[str, Gpu], rows: Mapping[str, Sequence[Batch]], only: str | None = None
) -> dict[str, Gpu]:
    """Products first: attention streams memory with their constants."""
    libraries = sorted({gpu.attention_library for gpu in gpus.values()})
    fitted = dict(gpus)
    for family in (PRODUCTS, attention_family(libraries), COLLECTIVES):
        if only not in (None, family.name):
            continue
        fitted = fit(family, fitted, rows[family.name])
        print(f"fitted: {family.name}")
    return fitted


def mean_errors(gpus: Mapping[str, Gpu], rows: Sequence[Batch]) -> dict[str, float]:
    """Mean absolute error of each batch."""
    return {name_of(batch): float(np.mean(np.abs(batch.errors(gpus[batch.gpu])))) for batch in rows}


def name_of(batch: Batch) -> str:
    """GPU, kind and type of a batch's rows."""
    first = batch.rows[0]
    what = getattr(first, "gemm_dtype", getattr(first, "op_name", ""))
    return f"{batch.gpu} {type(first).__name__.removesuffix('Row')} {what}"


def report(title: str, gpus: Mapping[str, Gpu], rows: Mapping[str, Sequence[Batch]]) -> None:
    print(title)
    for name, error in mean_errors(gpus, [batch for part in rows.values() for batch in part]).items():
        print(f"  {name:32} {error:7.2%}")


def as_derived(gpu: Gpu, fitted: Mapping[str, Gpu]) -> Gpu:
    """A GPU with the constants that it would have if `fitted` were all that have rows."""
    near = min(fitted.values(), key=lambda known: (known.name != NEIGHBOUR, known.name))
    values = {key: derived(key, gpu, near, fitted)[0] for key in Calibration.model_fields}
    update = {"calibration": Calibration.model_construct(**values), "common": near.common}
    return gpu.model_copy(update=update)


def batches_of(rows: Mapping[str, Sequence[Batch]], gpu: str, only: str | None) -> list[Batch]:
    """The batches of a GPU, of one family or of all."""
    return [
        batch
        for family, part in rows.items()
        for batch in part
        if batch.gpu == gpu and only in (None, family)
    ]


def whole(halves: Sequence[Batch]) -> list[Batch]:
    """Batches of one kind put together."""
    found: dict[str, Batch] = {}
    for batch in halves:
        name = name_of(batch)
        before = found[name].rows if name in found else ()
        found[name] = Batch(batch.gpu, (*before, *batch.rows), batch.seconds)
    return list(found.values())


def hold_out(
    gpus: Mapping[str, Gpu],
    rows: Mapping[str, Sequence[Batch]],
    held: Mapping[str, Sequence[Batch]],
    only: str | None = None,
) -> dict[str, dict[str, float]]:
    """Mean errors of all rows of each GPU, with constants that were fitted on `rows` of the others alone."""
    found = {}
    for name, gpu in gpus.items():
        other = {family: [batch for batch in part if batch.gpu != name] for family, part in rows.items()}
        fitted = fit_all({key: value for key, value in gpus.items() if key != name}, other, only)
        kept = [batch for half in (rows, held) for batch in batches_of(half, name, only)]
        found[name] = mean_errors({name: as_derived(gpu, fitted)}, whole(kept))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", choices=("products", "attention", "collectives"))
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--hold-out", action="store_true")
    arguments = parser.parse_args()
    rows, held = batches(arguments.data, False), batches(arguments.data, True)
    names = sorted({batch.gpu for part in rows.values() for batch in part})
    gpus = {name: micro.shipped_gpu(name) for name in names}
    if arguments.hold_out:
        if len(gpus) < 2:
            raise SystemExit(
                f"--hold-out needs rows of two GPUs or more, and there are those of {', '.join(names)}"
            )
        for name, errors in hold_out(gpus, rows, held, arguments.only).items():
            print(f"mean absolute error of the {name}, kept back")
            print(*(f"  {what:32} {error:7.2%}" for what, error in errors.items()), sep="\n")
        return
    fitted = fit_all(gpus, rows, arguments.only)
    report("mean absolute error, fitted rows", fitted, rows)
    report("mean absolute error, judged rows", fitted, held)
    if arguments.write:
        counts = {
            name: sum(len(b.rows) for part in rows.values() for b in part if b.gpu == name) for name in names
        }
        for path in write_files(fitted, counts):
            print(f"written: {path}")


if __name__ == "__main__":
    main()
