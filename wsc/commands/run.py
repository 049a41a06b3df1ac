"""`wsc run`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wsc.arrays import read_arrays, write_arrays
from wsc.build import Build, read_build
from wsc.commands.console import chosen_build, print_json, progress_bar
from wsc.compiler.errors import InputMismatch, InternalError
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ops.base import Array

TOLERANCE = 1e-4  # of the largest output, for 32-bit floats
_NARROW_TOLERANCE = 5e-2  # 16-bit floats are rounded at every step, and in another order


def run_build(folder: Path | None, inputs: Path | None, output: Path | None, json: bool) -> None:
    """Execute a build, compare its outputs, print how far they are from PyTorch's; raises InternalError if too far."""
    path = chosen_build(folder)
    build = read_build(path)
    arrays, expected, judge = _question(build, inputs)
    with progress_bar("executing") as progress:
        outputs = build.execute(arrays, progress)
    if output is not None:
        write_arrays(output, {f"out{i}": a for i, a in enumerate(outputs)})
    errors = [relative_error(a, b) for a, b in zip(outputs, expected, strict=True)]
    limit = max(_limit(a) for a in expected)
    good = max(errors) <= limit
    if json:
        print_json({"build": str(path), "judge": judge, "errors": errors, "tolerance": limit, "equal": good})
    else:
        shapes = ", ".join(f"{a.dtype}{list(a.shape)}" for a in outputs)
        verdict = "equal to" if good else "DIFFERENT from"
        print(f"{build.name}: outputs {shapes} {verdict} {judge}'s")  # noqa: T201
        print(f"largest difference {max(errors):.2e} of the largest output (tolerance {limit:.0e})")  # noqa: T201
    if not good:
        raise InternalError(f"the program of {path} computes something else than {judge}")


def _question(build: Build, file: Path | None) -> tuple[Sequence[Array], Sequence[Array], str]:
    """Inputs, what is expected for them, and who says so."""
    if file is not None:
        arrays = _read_inputs(build, file)
        return arrays, interpret(build.graph, arrays, build.weights), "the reference interpreter"
    if build.inputs is None or build.expected is None:
        raise InputMismatch(
            f"'{build.name}' was compiled from the meta device, without weights: it was simulated, but cannot be run"
        )
    return build.inputs, build.expected, "PyTorch"


def _read_inputs(build: Build, file: Path) -> tuple[Array, ...]:
    try:
        given = read_arrays(file)
        return tuple(given[node.name] for node in build.graph.inputs)
    except (OSError, ValueError, KeyError) as error:
        names = ", ".join(f"{n.name} {n.type}" for n in build.graph.inputs)
        raise InputMismatch(f"{file} must be an .npz file with the inputs {names}: {error}") from error


def relative_error(found: Array, expected: Array) -> float:
    """Largest difference over the largest expected magnitude; infinite where something is not a number."""
    a, b = found.astype(np.float64), expected.astype(np.float64)
    if not np.array_equal(np.isfinite(a), np.isfinite(b)):
        return float("inf")
    finite = np.isfinite(b)
    scale = float(np.abs(b[finite]).max(initial=0.0)) or 1.0
    return float(np.abs(a[finite] - b[finite]).max(initial=0.0)) / scale


def _limit(array: Array) -> float:
    return _NARROW_TOLERANCE if array.dtype.itemsize < 4 and array.dtype.kind not in "iub" else TOLERANCE
