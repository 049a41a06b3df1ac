"""`wsc run --analog`: a program through the physics of its machine's cells, held against exact arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from wsc.backends.physical import Asked, PhysicalRun
from wsc.build import Build, read_build
from wsc.commands.console import chosen_build, for_people, print_json, stages
from wsc.commands.run import chosen_arrays, relative_error, write_outputs
from wsc.compiler.errors import InputMismatch, UserError
from wsc.compiler.ir.interpret import check_inputs
from wsc.compiler.ops.base import Array

EXAMPLES = "examples"


@dataclass(frozen=True)
class Files:
    """Where the inputs, the labels and the samples for calibration are from (EXAMPLES: the build's own), and go to."""

    inputs: Path | None = None
    output: Path | None = None
    labels: Path | None = None
    calibrate: str | None = None


def run_analog(folder: Path | None, asked: Asked, files: Files, json: bool) -> None:
    """Execute a build with the physics of its machine, and print how far that is from exact integers."""
    path = chosen_build(folder)
    build = read_build(path)
    build.check_weights()
    batches = _batches(build, chosen_arrays(build, files.inputs))
    labels = _labels(files.labels)
    with stages() as stage:
        if files.calibrate is not None:
            given = None if files.calibrate == EXAMPLES else Path(files.calibrate)
            asked = replace(asked, samples=_batches(build, chosen_arrays(build, given)))
        stage("executing with the physics of the cells")
        target, machine = build.selection.target, build.selection.machine
        run = target.execute_physical(build.program, machine, build.weights, batches, asked)
        stage("executing exactly")
        exact = [build.execute(inputs) for inputs in batches]
    if files.output is not None:
        write_outputs(files.output, _joined(run.outputs))
    told = _told(run, exact, labels)
    if json:
        options = {"seed": asked.seed, "adc_bits": asked.adc_bits or None, "seconds": asked.seconds}
        print_json({"build": str(path), **options, "calibrated": bool(asked.samples), **told})
    else:
        _print(build, run, told)


def _batches(build: Build, arrays: Sequence[Array]) -> list[tuple[Array, ...]]:
    """The inputs cut into batches of the size that the program is for; raises InputMismatch."""
    wanted = [node.type.shape for node in build.graph.inputs]
    counts = {
        len(array) // shape[0]
        for array, shape in zip(arrays, wanted, strict=True)
        if shape and array.ndim and len(array) % shape[0] == 0
    }
    count = counts.pop() if len(counts) == 1 else 1
    if count < 2:
        check_inputs(build.graph, arrays)
        return [tuple(arrays)]
    batches = [
        tuple(a[i * s[0] : (i + 1) * s[0]] for a, s in zip(arrays, wanted, strict=True)) for i in range(count)
    ]
    check_inputs(build.graph, batches[0])
    return batches


def _labels(file: Path | None) -> Array | None:
    if file is None:
        return None
    try:
        labels = np.load(file, allow_pickle=False)
        labels = labels if isinstance(labels, np.ndarray) else labels["labels"]
    except OSError as error:
        raise InputMismatch(f"Cannot read the labels from {file}: {error.strerror or error}.") from error
    except (ValueError, EOFError, KeyError) as error:
        raise InputMismatch(
            f"{file} must be an .npy file of labels, or an .npz file with 'labels'."
        ) from error
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise InputMismatch(
            f"{file} must hold one whole number for each input; it holds {labels.dtype}{list(labels.shape)}."
        )
    return np.asarray(labels)


def _joined(outputs: Sequence[Sequence[Array]]) -> list[Array]:
    """Outputs of all batches, one after another where they have a leading dimension."""
    return [np.concatenate(each) if each[0].ndim else np.stack(each) for each in zip(*outputs, strict=True)]


def _told(run: PhysicalRun, exact: Sequence[Sequence[Array]], labels: Array | None) -> dict[str, Any]:
    found, wanted = _joined(run.outputs), _joined(exact)
    layers = [
        {
            "name": layer.name,
            "sqnr_db": _finite(layer.sqnr_db),
            "clipped": layer.clipped,
            "conversions": layer.conversions,
        }
        for layer in run.layers
    ]
    outputs = [
        {"sqnr_db": _finite(_sqnr(a, b)), "largest_error": _finite(relative_error(a, b))}
        for a, b in zip(found, wanted, strict=True)
    ]
    told: dict[str, Any] = {"layers": layers, "outputs": outputs}
    if labels is not None:
        told["labelled"] = len(labels)
        told["accuracy"] = {"analog": _accuracy(found[0], labels), "exact": _accuracy(wanted[0], labels)}
    return told


def _finite(value: float) -> float | None:
    return float(value) if isfinite(value) else None


def _sqnr(found: Array, wanted: Array) -> float:
    """Signal over noise in dB; infinite where there is no noise."""
    signal = wanted.astype(np.float64)
    noise = float(np.square(found.astype(np.float64) - signal).sum())
    power = float(np.square(signal).sum())
    return 10 * np.log10(power / noise) if noise and power else (np.inf if not noise else -np.inf)


def _accuracy(scores: Array, labels: Array) -> float:
    """The share of labels that the largest score of each row of the first output is at."""
    rows = scores.reshape(-1, scores.shape[-1]) if scores.ndim else scores.reshape(1, 1)
    if len(rows) != len(labels):
        raise UserError(
            f"There are {len(labels)} labels and {len(rows)} rows of scores: the first output is "
            f"{scores.dtype}{list(scores.shape)}."
        )
    return float((rows.argmax(axis=1) == labels).mean())


def _print(build: Build, run: PhysicalRun, told: dict[str, Any]) -> None:
    table = Table("product", "SQNR", "clipped", "conversions", box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for layer in run.layers:
        table.add_row(layer.name, f"{layer.sqnr_db:.1f} dB", f"{layer.clipped:.2%}", f"{layer.conversions:,}")
    for_people().print(table)
    for number, output in enumerate(told["outputs"]):
        sqnr, largest = output["sqnr_db"], output["largest_error"]
        said = (
            "equal to exact integers" if largest == 0 else f"SQNR {sqnr or 0:.1f} dB against exact integers"
        )
        _say(f"{build.name}: output {number} {said}, largest difference {largest or 0:.2e} of the largest")
    if "accuracy" in told:
        analog, exact = told["accuracy"]["analog"], told["accuracy"]["exact"]
        _say(f"accuracy on {told['labelled']} labelled inputs: {analog:.1%}, with exact integers {exact:.1%}")


def _say(text: str) -> None:
    for_people().print(text, soft_wrap=True, markup=False, highlight=False)
