"""`wsc run`."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from math import inf, isinf
from pathlib import Path

import numpy as np

from wsc.arrays import read_arrays, write_arrays
from wsc.build import Build, read_build
from wsc.commands.console import chosen_build, for_people, print_json, progress_bar
from wsc.compiler.errors import InputMismatch, InternalError, UserError
from wsc.compiler.ir.interpret import check_inputs, interpret
from wsc.compiler.ops import IntegerContract
from wsc.compiler.ops.base import Array

TOLERANCE = 1e-4  # of the largest output, for 32-bit floats
_NARROW_TOLERANCE = 5e-2  # 16-bit floats are rounded at every step, and in another order


def run_build(folder: Path | None, inputs: Path | None, output: Path | None, json: bool) -> None:
    """Execute a build, compare its outputs, print how far they are from PyTorch's; raises InternalError if too far."""
    path = chosen_build(folder)
    build = read_build(path)
    build.check_weights()
    arrays = chosen_inputs(build, inputs)
    with progress_bar("executing") as progress:
        outputs = build.execute(arrays, progress)
    if output is not None:
        write_outputs(output, outputs)
    expected, judge = _expected(build, arrays, given=inputs is not None)
    errors = [relative_error(a, b) for a, b in zip(outputs, expected, strict=True)]
    limits = [tolerance(a) for a in expected]
    equal = all(error <= limit for error, limit in zip(errors, limits, strict=True))
    if json:
        finite = [None if isinf(error) else error for error in errors]
        print_json(
            {"build": str(path), "judge": judge, "errors": finite, "tolerances": limits, "equal": equal}
        )
    else:
        shapes = ", ".join(f"{a.dtype}{list(a.shape)}" for a in outputs)
        _say(f"{build.name}: outputs {shapes} {'equal to' if equal else 'DIFFERENT from'} {judge}'s")
        _say(f"largest difference {max(errors):.2e} of the largest output (tolerance {max(limits):g})")
        if is_quantised(build) and inputs is None and build.expected is not None:
            lost = max(relative_error(a, b) for a, b in zip(outputs, build.expected, strict=True))
            _say(f"quantisation moves the outputs by {lost:.2e} of PyTorch's largest")
    if not equal:
        raise InternalError(f"The program of {path} computes something else than {judge}.")


def _say(text: str) -> None:
    for_people().print(text, soft_wrap=True, markup=False, highlight=False)


def chosen_inputs(build: Build, file: Path | None) -> Sequence[Array]:
    """The inputs of a file, or the example inputs; raises InputMismatch."""
    arrays = chosen_arrays(build, file)
    check_inputs(build.graph, arrays)
    return arrays


def chosen_arrays(build: Build, file: Path | None) -> Sequence[Array]:
    """The same, of whatever shape they are."""
    if file is not None:
        return _read(build, file)
    if build.inputs is not None:
        return build.inputs
    raise InputMismatch(
        f"'{build.name}' was compiled with example inputs on the meta device: give some with data, as --input FILE."
    )


def _read(build: Build, file: Path) -> tuple[Array, ...]:
    wanted = ", ".join(f"'{node.name}' {node.type}" for node in build.graph.inputs)
    try:
        given = read_arrays(file)
        missing = [node.name for node in build.graph.inputs if node.name not in given]
        arrays = tuple(given[node.name] for node in build.graph.inputs if not missing)
    except OSError as error:
        raise InputMismatch(f"Cannot read the inputs from {file}: {error.strerror or error}.") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputMismatch(f"{file} must be an .npz file, as numpy.savez writes, of {wanted}.") from error
    if missing:
        found = ", ".join(f"'{name}'" for name in given) or "nothing"
        raise InputMismatch(f"{file} must hold the inputs {wanted}; it holds {found}.")
    return arrays


def write_outputs(file: Path, outputs: Sequence[Array]) -> None:
    """Write outputs by number; raises UserError."""
    try:
        write_arrays(file, {f"out{i}": array for i, array in enumerate(outputs)})
    except OSError as error:
        raise UserError(f"Cannot write the outputs to {file}: {error.strerror or error}.") from error


def _expected(build: Build, arrays: Sequence[Array], given: bool) -> tuple[Sequence[Array], str]:
    """What is expected, and who says so."""
    if not given and build.expected is not None and not is_quantised(build):
        return build.expected, "PyTorch"
    return interpret(build.graph, arrays, build.weights), "the reference interpreter"


def is_quantised(build: Build) -> bool:
    """Whether products were turned to integers: then it is the quantised graph that the program must compute."""
    return any(isinstance(node.op, IntegerContract) for node in build.graph)


def relative_error(found: Array, expected: Array) -> float:
    """Largest difference over the largest expected magnitude; infinite where only one of them is not a number."""
    a, b = found.astype(np.float64), expected.astype(np.float64)
    if a.shape != b.shape:
        return inf
    finite = np.isfinite(b)
    if not np.isfinite(a[finite]).all() or not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return inf
    scale = float(np.abs(b[finite]).max(initial=0.0)) or 1.0
    return float(np.abs(a[finite] - b[finite]).max(initial=0.0)) / scale


def tolerance(expected: Array) -> float:
    """The relative error up to which an output is the expected one: none for whole numbers."""
    if expected.dtype.kind in "iub":
        return 0.0
    return _NARROW_TOLERANCE if expected.dtype.itemsize < 4 else TOLERANCE
