"""Published rows that the compute-in-memory target is held against: read from a folder, or the few retyped here.

Files are told apart by their columns, so that any folder with files of the same columns will do.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

Row = dict[str, str]

_KINDS = {
    "macros": {"macro", "metric", "condition", "value"},
    "pimcomp": {"model", "GA_HT_interval_ns", "GA_LL_latency_ns_runs"},
    "puma": {"program", "cycles_1ns"},
    "neurosim": {"variant", "interval_us", "dyn_uJ_per_img"},
}

# Retyped: PIMCOMP-NN and PUMA's compiler and simulator as run on their shipped machines; DNN+NeuroSim V1.4, default.
_RETYPED: dict[str, list[Row]] = {
    "macros": [],
    "pimcomp": [
        {"model": "alexnet", "GA_HT_interval_ns": "173227", "GA_LL_latency_ns_runs": "1348432"},
        {"model": "resnet18", "GA_HT_interval_ns": "319301", "GA_LL_latency_ns_runs": "1689073"},
        {"model": "squeezenet", "GA_HT_interval_ns": "segfault", "GA_LL_latency_ns_runs": "964681"},
    ],
    "puma": [
        {"program": "fc 128x128", "cycles_1ns": "1949"},
        {"program": "fc 1024x1024", "cycles_1ns": "3339"},
        {"program": "fc 2048x2048", "cycles_1ns": "7341"},
        {"program": "mlp_l4 1024-1024-2048-1024-10", "cycles_1ns": "12948"},
    ],
    "neurosim": [
        {
            "variant": "SRAM 22nm pipelined",
            "interval_us": "132.97",
            "dyn_uJ_per_img": "31.65",
            "leak_uJ_per_img": "0.298",
        }
    ],
}


@dataclass(frozen=True)
class Rows:
    """Rows by kind, and where they are from."""

    source: str
    macros: list[Row]
    pimcomp: list[Row]
    puma: list[Row]
    neurosim: list[Row]


def read_rows(folder: Path | None) -> Rows:
    """The rows of a folder, or those retyped here where there is none."""
    if folder is None or not folder.is_dir():
        return Rows("Rows retyped in benchmarks/cim_sets.py.", **_RETYPED)
    found: dict[str, list[Row]] = {kind: [] for kind in _KINDS}
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for kind, columns in _KINDS.items():
            if rows and columns <= set(rows[0]):
                found[kind] += rows
    return Rows("Rows read from a folder of data.", **found)


def least(text: str) -> float | None:
    """The least number of `1348432/1578551` or `173227-173644`; None where there is none."""
    numbers = [
        float(part) for part in text.replace("/", "-").split("-") if part.replace(".", "", 1).isdigit()
    ]
    return min(numbers, default=None)
