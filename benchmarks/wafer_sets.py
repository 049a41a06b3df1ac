"""Sets of measured kernels: their rows, from a folder or as cited, each with the program that is held against it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import wsc.backends.wafer
from benchmarks.wafer_facts import ROWS
from benchmarks.wafer_llm import CLOCK_HZ, shape_of
from benchmarks.wafer_llm import program as llm_program
from wsc.backends.wafer.algorithms import Product, matmul_program, reduce_program
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Program
from wsc.backends.wafer.simulate import simulate
from wsc.compiler.errors import WscError
from wsc.compiler.ir.types import DType
from wsc.compiler.machine import read_machine

MACHINES = Path(wsc.backends.wafer.__file__).parent / "machines"
SUMMA, MESHGEMM, REDUCE, WAFERLLM = (
    "summa_f32_cs2_hardware.csv",
    "meshgemm_fp16_wse3_simfabric.csv",
    "reduce_1d_wse2_simfabric.csv",
    "waferllm_osdi25_tables.csv",
)
Record = dict[str, str]


@dataclass(frozen=True)
class Case:
    """One measured figure: what it is of, the program that makes it, whether constants were fitted on it.

    `flagged` by those who measured it; such a row is shown and not counted.
    """

    label: str
    program: Program
    measured: float
    fitted: bool = False
    flagged: bool = False

    def __post_init__(self) -> None:
        if not self.measured > 0:
            raise ValueError(f"{self.measured} cycles were measured")


@dataclass(frozen=True)
class MeasuredSet:
    """A set by name, the file that holds it, the machine it was measured on, and how to read a row."""

    title: str
    file: str
    machine: str
    case: Callable[[Record, Wafer], Case | None]  # None for a row of something else


@cache
def machine(name: str) -> Wafer:
    """A machine shipped with the target."""
    return read_machine(MACHINES / f"{name}.toml", Wafer)


def simulated_cycles(program: Program, wafer: Wafer) -> float:
    """Cycles of a model's program, or of a kernel's last instruction: skewing tiles before it was not measured."""
    trace = simulate(program, wafer)
    if program.kernels[0].in_order:
        return trace.latency_cycles
    return trace.kernels[0].steps[-1].latency_cycles


def records(folder: Path | None, file: str) -> list[Record]:
    """Rows of a set: from a folder, where it has the file, or those cited; lines that begin with # are comments."""
    if folder is None:
        lines: Sequence[str] = ROWS[file].splitlines()
    elif (folder / file).is_file():
        lines = (folder / file).read_text(encoding="utf-8").splitlines()
    else:
        return []
    return list(csv.DictReader(line for line in lines if line.strip() and not line.startswith("#")))


def cases(measured: MeasuredSet, folder: Path | None) -> Iterator[Case]:
    """The cases of a set; raises SystemExit naming the file, the row and what is wrong with it."""
    for number, record in enumerate(records(folder, measured.file), 1):
        try:
            case = measured.case(record, machine(measured.machine))
        except KeyError as error:
            raise SystemExit(f"{measured.file} has no column {error}") from error
        except (ValueError, TypeError, WscError) as error:
            raise SystemExit(f"{measured.file}, row {number}: {error}") from error
        if case is not None:
            yield case


def _summa(row: Record, wafer: Wafer) -> Case:
    parts, tile = int(row["P"]), int(row["tile_n"])
    size = Product(parts * tile, parts * tile, parts * tile, parts, DType.F32)
    program = matmul_program("summa", size, wafer)
    flagged = bool((row.get("flag") or "").strip())
    return Case(f"P = {parts}, n = {tile}", program, float(row["cycles"]), parts == 32, flagged)


def _meshgemm(column: str, repeats: int) -> Callable[[Record, Wafer], Case]:
    """The measured kernel's vectors run along M; its columns say how often it computed."""

    def case(row: Record, wafer: Wafer) -> Case:
        m, k, n, parts = (int(row[name]) for name in ("M", "K", "N", "P"))
        size = Product(m, k, n, parts, DType.F16, repeats, "m")
        program = matmul_program("meshgemm", size, wafer)
        label = f"P = {parts}, tiles {-(-m // parts)} x {-(-k // parts)} x {-(-n // parts)}"
        return Case(label, program, float(row[column]), parts == 6 and repeats != 1)

    return case


def _reduce(row: Record, wafer: Wafer) -> Case:
    parts, words, step = int(row["P"]), int(row["B_wavelets"]), int(row["step"])
    group = step if row["algorithm"] == "two-phase" else None
    program = reduce_program(row["algorithm"], words, parts, wafer, group)
    label = f"{row['algorithm']}, P = {parts}, B = {words}" + (f", S = {group}" if group else "")
    return Case(label, program, float(row["measured_cycles"]))


def _llm(phase: str) -> Callable[[Record, Wafer], Case | None]:
    """A row of WaferLLM's tables: tokens a second of one request; rows of other systems are left out."""

    def case(row: Record, wafer: Wafer) -> Case | None:
        if row["phase"] != phase or row["system"] != "WaferLLM":
            return None
        width, height = (int(n) for n in row["grid"].split("x"))
        context, layers = int(row.get("ctx_in") or 4096), int(row["layers"])
        made = llm_program(shape_of(row["model"]), phase, (width, height), context, layers, wafer)
        tokens = context if phase == "prefill" else 1
        measured = tokens * CLOCK_HZ / float(row["tokens_per_s"])
        return Case(f"{row['model']}, {row['grid']}, context {context}", made, measured)

    return case


SETS = (
    MeasuredSet("SUMMA, fp32, CS-2 hardware", SUMMA, "wse2", _summa),
    MeasuredSet(
        "MeshGEMM, fp16, WSE-3, communication alone", MESHGEMM, "wse3", _meshgemm("cycles_comm_only_L0", 0)
    ),
    MeasuredSet("MeshGEMM, fp16, WSE-3, full kernel", MESHGEMM, "wse3", _meshgemm("cycles_full_L1", 1)),
    MeasuredSet(
        "MeshGEMM, fp16, WSE-3, compute doubled", MESHGEMM, "wse3", _meshgemm("cycles_2xcompute_L2", 2)
    ),
    MeasuredSet("Reduce along a line, WSE-2", REDUCE, "wse2", _reduce),
    MeasuredSet("WaferLLM, decode of one token, WSE-2", WAFERLLM, "wse2", _llm("decode")),
    MeasuredSet("WaferLLM, prefill of a prompt, WSE-2", WAFERLLM, "wse2", _llm("prefill")),
)
