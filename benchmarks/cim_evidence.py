"""What backends/cim/validation.toml says: published rows of each machine, and how far wsc is from them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Literal

from benchmarks.cim_networks import known
from benchmarks.cim_runs import (
    MACROS,
    macro_error,
    neurosim_trace,
    pimcomp_trace,
    puma_cycles,
)
from benchmarks.cim_sets import Row, Rows, least
from wsc.backends.cim.figures import compared
from wsc.backends.registry import machine_names, select
from wsc.compiler.evidence import Evidence, Figure, of_errors

PEAKS: dict[str, Figure] = {
    "tops": "cycles",
    "product_ns": "cycles",
    "watts": "energy",
    "tile_watts": "energy",
    "tops_per_watt": "energy",
}
Kind = Literal["model", "kernel", "publication"]


def evidence(rows: Rows) -> list[Evidence]:
    """Evidence of every machine, from the rows of the page."""
    return [*_compilers(rows), *_neurosim(rows.neurosim), *_macros(rows.macros), *_peaks()]


def _compilers(rows: Rows) -> Iterator[Evidence]:
    puma = [
        cycles / theirs - 1
        for r in rows.puma
        if (theirs := least(r["cycles_1ns"])) and isinstance(cycles := puma_cycles(r["program"]), int)
    ]
    yield from of_errors(
        puma,
        _made(
            "puma", "cycles", "model", "perceptrons", "its authors' compiler and simulator", "PUMA's compiler"
        ),
    )
    told = []
    for row in rows.pimcomp:
        if known(row["model"]):
            trace = pimcomp_trace(row["model"])
            pairs = (
                (row["GA_HT_interval_ns"], trace.interval_cycles),
                (row["GA_LL_latency_ns_runs"], trace.latency_cycles),
            )
            told += [ours / best - 1 for theirs, ours in pairs if (best := least(theirs))]
    against = "its authors' compiler, which maps otherwise"
    yield from of_errors(told, _made("pimcomp", "cycles", "model", "networks", against, "PIMCOMP's compiler"))


def _neurosim(rows: list[Row]) -> Iterator[Evidence]:
    for row in rows:
        if row["variant"].startswith("SRAM 22nm"):
            trace = neurosim_trace()
            interval = trace.interval_cycles / trace.clock_hz * 1e6 / float(row["interval_us"]) - 1
            theirs = float(row["dyn_uJ_per_img"]) + float(row["leak_uJ_per_img"])
            errors: dict[Figure, float] = {
                "cycles": interval,
                "energy": trace.energy_joules * 1e6 / theirs - 1,
            }
            for figure, error in errors.items():
                make = _made("neurosim-22nm", figure, "model", "VGG-8", "NeuroSim", "NeuroSim's VGG-8")
                yield from of_errors([error], make)


def _macros(rows: list[Row]) -> Iterator[Evidence]:
    errors: dict[tuple[str, Figure], list[float]] = defaultdict(list)
    for row in rows:
        error = macro_error(row)
        if error is not None and "mm2" not in row["metric"] and "area" not in row["metric"]:
            energy = "energy" in row["metric"] or "per_w" in row["metric"]
            errors[row["macro"], "energy" if energy else "cycles"].append(error)
    for (macro, figure), found in errors.items():
        covers = "energy of its arrays" if figure == "energy" else "throughput of its arrays"
        yield from of_errors(
            found, _made(MACROS[macro], figure, "kernel", covers, "silicon", "Silicon macros")
        )


def _peaks() -> Iterator[Evidence]:
    for name, target in machine_names().items():
        errors: dict[Figure, list[float]] = defaultdict(list)
        for found in compared(select(name).machine) if target == "cim" else ():
            if found.published.comparable and found.published.figure in PEAKS:
                errors[PEAKS[found.published.figure]].append(found.error)
        for figure, several in errors.items():
            covers = "published peaks"
            make = _made(name, figure, "publication", covers, "its publication", "Derived peaks")
            yield from of_errors(several, make)


def _made(
    machine: str, figure: Figure, kind: Kind, covers: str, against: str, title: str
) -> Callable[[int, float, float], Evidence]:
    return lambda rows, mean, largest: Evidence(
        machine=machine,
        figure=figure,
        kind=kind,
        covers=covers,
        against=against,
        rows=rows,
        mean_error=mean,
        largest_error=largest,
        set=title,
    )
