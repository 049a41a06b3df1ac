"""Fits the constants of the wafer machines on the rows named in docs/validation.md, and prints them beside the files'.

    python -m benchmarks.wafer_fit [--data DIR]

Each constant is fitted through the simulator: the programs of the rows are simulated on machines with other figures
until the largest relative error is least (as the sum of its eighth powers, by Nelder and Mead's simplex).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from benchmarks.wafer_sets import SETS, Case, MeasuredSet, cases, machine, simulated_cycles
from wsc.backends.wafer.machine import Wafer

SUMMA, MOVEMENT, _, DOUBLED, *_ = SETS
POWER = 8


def with_figures(wafer: Wafer, names: Sequence[str], values: Sequence[float]) -> Wafer:
    """The machine with other figures of its core."""
    core = wafer.core.model_copy(update={n: abs(float(v)) for n, v in zip(names, values, strict=True)})
    return wafer.model_copy(update={"core": core})


def fit(names: Sequence[str], wafer: Wafer, errors: Callable[[Wafer], list[float]]) -> None:
    """Print the figures that make the errors least, beside those of the file."""
    start = [getattr(wafer.core, name) for name in names]

    def loss(values: Sequence[float]) -> float:
        return float(np.sum((100 * np.asarray(errors(with_figures(wafer, names, values)))) ** POWER))

    found = minimize(loss, start, method="Nelder-Mead", options={"maxiter": 600, "xatol": 1e-3})
    worst = max(map(abs, errors(with_figures(wafer, names, found.x))))
    for name, value, stated in zip(names, found.x, start, strict=True):
        print(f"{wafer.name:6} {name:26} fitted {abs(value):9.3f}   in the file {stated:9.3f}")
    print(
        f"       largest error {worst:.2%} fitted, {max(map(abs, errors(wafer))):.2%} with the file's figures"
    )


def relative(fitted: Sequence[Case], wafer: Wafer) -> list[float]:
    """Errors of the cases on a machine."""
    return [simulated_cycles(case.program, wafer) / case.measured - 1 for case in fitted]


def chosen(measured: MeasuredSet, folder: Path | None) -> list[Case]:
    """The cases that constants are fitted on."""
    return [case for case in cases(measured, folder) if case.fitted]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path)
    folder: Path | None = parser.parse_args().data
    summa, moved, doubled = (chosen(measured, folder) for measured in (SUMMA, MOVEMENT, DOUBLED))
    names = ("vector_startup_cycles", "f32_mac_cycles", "root_move_cycles")
    fit(names, machine("wse2"), lambda wafer: relative(summa, wafer))
    wse3 = machine("wse3")
    fit(
        ("task_startup_cycles", "exchange_cycles_per_word"),
        wse3,
        lambda wafer: relative(moved, wafer),
    )
    fit(("vector_startup_cycles", "f16_mac_cycles"), wse3, lambda wafer: relative(doubled, wafer))


if __name__ == "__main__":
    main()
