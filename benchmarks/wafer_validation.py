"""Simulated against measured cycles of wafer kernels; writes docs/validation.md and backends/wafer/validation.toml.

    python -m benchmarks.wafer_validation [--data DIR] [--output docs/validation.md]

DIR is a folder of CSV files with the names and columns of those in benchmarks/wafer_facts.py; without it, the few rows
typed in there serve. A file that the folder lacks is left out. Rows that their source flags are shown and not counted.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.wafer_facts import SOURCES
from benchmarks.wafer_sets import MACHINES, SETS, Case, MeasuredSet, cases, machine, simulated_cycles
from wsc.compiler.evidence import Evidence, evidence_text

PAGE = Path(__file__).resolve().parent.parent / "docs" / "validation.md"
EVIDENCE = MACHINES.parent / "validation.toml"
COVERS = {"SUMMA": "matrix products", "MeshGEMM": "matrix products", "Reduce": "reductions"}
FITTED = {
    "wse2": (
        ("core", "vector_startup_cycles", "SUMMA, the 5 rows with P = 32"),
        ("core", "f32_mac_cycles", "the same"),
        ("core", "root_move_cycles", "the same"),
    ),
    "wse3": (
        ("core", "task_startup_cycles", "MeshGEMM, communication alone, the 16 rows with P = 6"),
        ("core", "exchange_cycles_per_word", "the same"),
        ("core", "vector_startup_cycles", "MeshGEMM, compute doubled, the 16 rows with P = 6; rounded"),
        ("core", "f16_mac_cycles", "the same; rounded to 2 cycles for 8 elements"),
    ),
}
HEAD = """\
# Validation of the wafer's cycles

Written by `python -m benchmarks.wafer_validation`; the constants are fitted by `python -m benchmarks.wafer_fit`.

Each row is a kernel, or a model, that others measured. The same kernel is generated as a program
(`wsc.backends.wafer.algorithms`), a model is compiled layer after layer (`--schedule sequential`) on the same number of
cores, and both are simulated from the program and the machine file alone. Measured and simulated are cycles; the error
is simulated over measured, less one. Tokens a second are turned into cycles at the 1.1 GHz of their authors.
"""


@dataclass(frozen=True)
class Row:
    """One measured figure and what the simulator makes of it."""

    case: Case
    simulated: float

    @property
    def error(self) -> float:
        """Simulated over measured, less one."""
        return self.simulated / self.case.measured - 1


@dataclass(frozen=True)
class Result:
    """All rows of a set."""

    measured: MeasuredSet
    rows: tuple[Row, ...]

    def errors(self, fitted: bool | None = None) -> list[float]:
        """Absolute errors of the rows that count; of those fitted on, of the others, or of all."""
        counted = [row for row in self.rows if not row.case.flagged]
        return [abs(row.error) for row in counted if fitted is None or row.case.fitted == fitted]


def validate(folder: Path | None, sets: Sequence[MeasuredSet] = SETS) -> list[Result]:
    """Simulate every row of every set there is."""
    if folder is not None and not folder.is_dir():
        raise SystemExit(f"--data {folder}: there is no such folder")
    results = []
    for measured in sets:
        wafer = machine(measured.machine)
        rows = tuple(Row(case, simulated_cycles(case.program, wafer)) for case in cases(measured, folder))
        if rows:
            results.append(Result(measured, rows))
    if not results:
        raise SystemExit(
            f"--data {folder}: none of {', '.join(dict.fromkeys(s.file for s in sets))} is there"
        )
    return results


def page(results: Sequence[Result], cited: bool) -> str:
    """The text of docs/validation.md."""
    lines = [HEAD, "Rows typed in as cited facts.\n" if cited else "Rows read from a folder of data.\n"]
    lines += ["## Summary\n", *_summary(results), "\n## Constants\n", *_constants()]
    for result in results:
        lines += ["", f"## {result.measured.title}\n", f"Source: {SOURCES[result.measured.file]}.\n"]
        lines += _rows(result)
    return "\n".join(lines) + "\n"


def _summary(results: Sequence[Result]) -> Iterator[str]:
    yield "| set | rows | mean error | largest | of rows not fitted on: mean | largest |"
    yield "|---|---:|---:|---:|---:|---:|"
    for result in results:
        every, others = result.errors(), result.errors(fitted=False)
        figures = [_mean(every), max(every, default=0.0), _mean(others), max(others, default=0.0)]
        yield f"| {result.measured.title} | {len(every)} | {' | '.join(f'{f:.1%}' for f in figures)} |"


def _constants() -> Iterator[str]:
    yield "Everything else in a machine file is stated by its maker or by a publication, or assumed and said to be so."
    yield "Nothing is fitted to reductions.\n"
    yield "| machine | constant | value | fitted on |"
    yield "|---|---|---:|---|"
    for name, constants in FITTED.items():
        for part, key, rows in constants:
            yield f"| {name} | `{key}` | {getattr(getattr(machine(name), part), key):g} | {rows} |"
    yield f"\nSee `backends/wafer/{MACHINES.name}/` for all figures and their sources."


def _rows(result: Result) -> Iterator[str]:
    yield "| kernel | measured | simulated | error | |"
    yield "|---|---:|---:|---:|---|"
    for row in result.rows:
        note = "flagged by its source, not counted" if row.case.flagged else ""
        note = note or ("fitted on" if row.case.fitted else "")
        measured, simulated = f"{row.case.measured:,.0f}", f"{row.simulated:,.0f}"
        yield f"| {row.case.label} | {measured} | {simulated} | {row.error:+.1%} | {note} |"


def evidence(results: Sequence[Result]) -> list[Evidence]:
    """What backends/wafer/validation.toml says: rows of a set that no constant was fitted on, and their error."""
    found = []
    for result in results:
        errors, title = result.errors(fitted=False), result.measured.title
        if not errors:
            continue
        model = title.startswith("WaferLLM")
        phase = "decode" if "decode" in title else "prefill"
        covers = f"{phase} in layers by turns" if model else COVERS.get(title.split()[0].strip(","), title)
        simulator = "simulator" in SOURCES[result.measured.file].split(",")[0]
        found.append(
            Evidence(
                machine=result.measured.machine,
                figure="cycles",
                kind="model" if model else "kernel",
                covers=covers,
                against="vendor's simulator" if simulator else "CS-2",
                rows=len(errors),
                mean_error=_mean(errors),
                largest_error=max(errors),
                set=title,
            )
        )
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--output", type=Path, default=PAGE)
    arguments = parser.parse_args()
    results = validate(arguments.data)
    arguments.output.write_text(page(results, arguments.data is None), encoding="utf-8")
    if arguments.output == PAGE:
        command = "python -m benchmarks.wafer_validation"
        EVIDENCE.write_text(evidence_text(evidence(results), command), encoding="utf-8")
    for result in results:
        for row in result.rows:
            print(f"{row.case.label:40} {row.case.measured:14,.0f} {row.simulated:14,.0f} {row.error:+8.2%}")
        errors = result.errors()
        worst = max(errors, default=0.0)
        print(f"{result.measured.title}: {len(errors)} rows, mean {_mean(errors):.2%}, largest {worst:.2%}\n")
    print(f"written: {arguments.output}")


if __name__ == "__main__":
    main()
