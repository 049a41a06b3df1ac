"""Holds the compute-in-memory target against published chips and against two compilers.

    python -m benchmarks.cim_validation [--data DIR] [--output FILE] [--no-accuracy]

Writes docs/validation_cim.md and, with it, backends/cim/validation.toml.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from benchmarks.cim_evidence import evidence
from benchmarks.cim_networks import known
from benchmarks.cim_runs import macro_error, neurosim_trace, pimcomp_trace, puma_cycles
from benchmarks.cim_sets import Row, Rows, least, read_rows
from wsc.backends.cim.figures import compared
from wsc.backends.registry import machine_names, select
from wsc.compiler.evidence import evidence_text

ROOT = Path(__file__).resolve().parent.parent
ANCHORS = ROOT.parent / "shared" / "anchors" / "cim"
PAGE = ROOT / "docs" / "validation_cim.md"

EVIDENCE = ROOT / "backends" / "cim" / "validation.toml"


CONSTANTS = """The constants of the laws are in the machine files, each with the row or publication it is from.
Taken from rows of the set itself: Colonnade's two energies of a column (rows 1 bit x 1 bit and 1 bit x 15 bits at
0.7 V) and its factors of energy by supply (rows 1 bit x 1 bit); Jia's energies and areas at 0.85 V; NeuRRAM's energies
(rows of 2 and 8 bits, Fig. 12b). No constant belongs to one row only, and throughput takes none from the set but Jia's
cycles a product."""


def page(rows: Rows, accuracy: bool) -> Iterator[str]:
    """The lines of the page."""
    yield from (
        "# Validation of compute in memory",
        "",
        "Written by `python -m benchmarks.cim_validation`. Machines are in `backends/cim/machines/`, every figure with",
        f"its source. {rows.source}",
        "",
    )
    yield from peaks()
    yield from macros(rows.macros)
    yield from puma(rows.puma)
    yield from pimcomp(rows.pimcomp)
    yield from neurosim(rows.neurosim)
    if accuracy:
        from benchmarks.cim_accuracy import accuracy_lines

        yield from accuracy_lines()


def peaks() -> Iterator[str]:
    yield from (
        "## Derived peaks against published tables",
        "",
        "| machine | figure | published | derived | error | |",
    )
    yield "|---|---|---:|---:|---:|---|"
    for name, target in machine_names().items():
        if target != "cim":
            continue
        for c in compared(select(name).machine):
            note = "" if c.published.comparable else "counts operations otherwise"
            figures = f"{c.published.value:g} | {c.derived:.4g} | {c.error:+.1%}"
            yield f"| {name} | {c.published.figure} | {figures} | {note} |"
    yield ""


def macros(rows: list[Row]) -> Iterator[str]:
    if not rows:
        return
    yield from ("## Silicon macros", "", CONSTANTS, "", "| macro | metric | rows | mean error | largest |")
    yield "|---|---|---:|---:|---:|"
    errors: dict[tuple[str, str], list[float]] = defaultdict(list)
    missing: dict[str, int] = defaultdict(int)
    far: list[str] = []
    for row in rows:
        error = macro_error(row)
        if error is None:
            missing[f"{row['macro']} {row['metric']}"] += 1
            continue
        errors[row["macro"], row["metric"]].append(error)
        if abs(error) > 0.08:
            far.append(
                f"| {row['macro']} | {row['metric']} | {row['condition']} | {row['value']} | {error:+.1%} |"
            )
    for (macro, metric), found in errors.items():
        mean, most = sum(map(abs, found)) / len(found), max(map(abs, found))
        yield f"| {macro} | {metric} | {len(found)} | {mean:.1%} | {most:.1%} |"
    every = [abs(error) for found in errors.values() for error in found]
    if every:
        yield f"| all | | {len(every)} | {sum(every) / len(every):.1%} | {max(every):.1%} |"
    yield ""
    if far:
        yield from (
            "Rows more than 8 % off:",
            "",
            "| macro | metric | condition | measured | error |",
            "|---|---|---|---:|---:|",
        )
        yield from (*far, "")
    if missing:
        told = ", ".join(f"{name} ({count})" for name, count in missing.items())
        yield from (f"Without a machine file or a law, and not counted: {told}.", "")


def puma(rows: list[Row]) -> Iterator[str]:
    if not rows:
        return
    yield "## PUMA's compiler, on its machine"
    yield from ("", "Cycles at 1 GHz, of one input, on as many nodes as the weights need.", "")
    yield from ("| program | PUMA | wsc | ratio |", "|---|---:|---:|---:|")
    for row in rows:
        cycles = puma_cycles(row["program"])
        theirs = least(row["cycles_1ns"])
        if isinstance(cycles, str) or theirs is None:
            yield f"| {row['program']} | {row['cycles_1ns']} | {cycles} | |"
            continue
        yield f"| {row['program']} | {theirs:,.0f} | {cycles:,} | {cycles / theirs:.2f} |"
    yield ""


def pimcomp(rows: list[Row]) -> Iterator[str]:
    if not rows:
        return
    yield from (
        "## PIMCOMP's compiler, on its machine",
        "",
        "One program for both; theirs is the best of its genetic mode, one",
    )
    yield from (
        "program for each. Nanoseconds.",
        "",
        "| model | interval: PIMCOMP | wsc | ratio | latency: PIMCOMP | wsc | ratio |",
    )
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for row in rows:
        if not known(row["model"]):
            told = (
                row["model"],
                row["GA_HT_interval_ns"],
                "not written out here",
                "",
                row["GA_LL_latency_ns_runs"],
                "",
                "",
            )
            yield f"| {' | '.join(told)} |"
            continue
        trace = pimcomp_trace(row["model"])
        cells = []
        for theirs, ours in (
            (row["GA_HT_interval_ns"], trace.interval_cycles),
            (row["GA_LL_latency_ns_runs"], trace.latency_cycles),
        ):
            best = least(theirs)
            cells += [f"{best:,.0f}" if best else theirs, f"{ours:,}", f"{ours / best:.2f}" if best else ""]
        yield f"| {row['model']} | {' | '.join(cells)} |"
    yield ""


def neurosim(rows: list[Row]) -> Iterator[str]:
    for row in rows:
        if not row["variant"].startswith("SRAM 22nm"):
            continue
        trace = neurosim_trace()
        interval = trace.interval_cycles / trace.clock_hz * 1e6
        energy, theirs = (
            trace.energy_joules * 1e6,
            float(row["dyn_uJ_per_img"]) + float(row["leak_uJ_per_img"]),
        )
        told = float(row["interval_us"])
        yield from ("## NeuroSim's VGG-8, 22 nm SRAM", "")
        yield "Energies of the machine file are assumed from general tables, not fitted; who chose them knew the total."
        yield from ("", "| figure | NeuroSim | wsc | error |", "|---|---:|---:|---:|")
        yield f"| interval, µs an image | {told:.2f} | {interval:.2f} | {interval / told - 1:+.1%} |"
        yield f"| energy, µJ an image | {theirs:.2f} | {energy:.2f} | {energy / theirs - 1:+.1%} |"
        for part in trace.energy:
            yield f"| of it {part.component} | {_their(row, part.component)} | {part.joules * 1e6:.2f} | |"
        yield ""


def _their(row: Row, component: str) -> str:
    return row.get({"ADC": "adc_uJ", "shift and add": "accum_uJ"}.get(component, ""), "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ANCHORS)
    parser.add_argument("--output", type=Path, default=PAGE)
    parser.add_argument(
        "--no-accuracy", action="store_true", help="leave out the labelled set, which needs scikit-learn"
    )
    arguments = parser.parse_args()
    rows = read_rows(arguments.data)
    text = "\n".join(page(rows, not arguments.no_accuracy)).rstrip("\n") + "\n"
    arguments.output.write_text(text, encoding="utf-8")
    if arguments.output == PAGE:
        command = "python -m benchmarks.cim_validation"
        EVIDENCE.write_text(evidence_text(evidence(rows), command), encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
