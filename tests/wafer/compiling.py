"""Compiles small models for the wafer, and runs the programs beside the reference interpreter."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from unittest import mock

import numpy as np

from tests.compiler import golden
from tests.compiler.arrays import draw
from wsc.backends.wafer import plan as plan_module
from wsc.backends.wafer.emit.program import emit
from wsc.backends.wafer.execute import execute
from wsc.backends.wafer.legalize import legalize
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.plan import Plan, make_plan
from wsc.backends.wafer.program import Program
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.model import Model
from wsc.compiler.machine import read_machine
from wsc.compiler.ops.base import Array
from wsc.compiler.passes.pipeline import run_pipeline
from wsc.placement.solver import SolveParams, solve

TOLERANCE = 1e-4  # largest error, relative to the largest number of the output
MACHINES = Path(plan_module.__file__).parent / "machines"


@dataclass(frozen=True)
class Compiled:
    """A model as it was given and as the wafer took it, with its plan and program."""

    given: Model
    model: Model
    plan: Plan
    program: Program


@cache
def machine(name: str) -> Wafer:
    return read_machine(MACHINES / f"{name}.toml", Wafer)


def sized(width: int, height: int, name: str = "wafer-8x8", **core: float) -> Wafer:
    """A machine with another number of cores, or other figures of a core."""
    found = machine(name)
    grid = found.grid.model_copy(update={"width_cores": width, "height_cores": height})
    return found.model_copy(update={"grid": grid, "core": found.core.model_copy(update=core)})


@contextmanager
def quick_placement() -> Iterator[None]:
    """Places by slicing alone: a longer search shortens wires, which no number of these tests depends on."""
    params = SolveParams(levels=2, starts=1, moves=500, rounds=1, polished=1, exact_effort=0, polish_effort=0)
    with mock.patch.object(plan_module, "solve", partial(solve, params=params)):
        yield


def compile_for(name: str | Wafer, given: Model, passes: bool = True) -> Compiled:
    """Through the passes, legalize, plan and emit."""
    wafer = machine(name) if isinstance(name, str) else name
    model = legalize(run_pipeline(given) if passes else given, wafer)
    with quick_placement():
        plan = make_plan(model.graph, wafer)
    return Compiled(given, model, plan, emit(plan))


def random_inputs(model: Model, seed: int = 1) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [draw(node.type, rng) for node in model.graph.inputs]


def check_numbers(found: Compiled, inputs: Sequence[Array] | None = None) -> None:
    """The program computes what the given model means."""
    inputs = random_inputs(found.given) if inputs is None else inputs
    expected = interpret(found.given.graph, inputs, found.given.weights)
    actual = execute(found.program, found.model.weights, inputs)
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected, strict=True):
        assert_near(a, b)


def assert_near(actual: Array, expected: Array) -> None:
    """Equal in type and shape, NaN and infinities in the same places, integers equal, floats within TOLERANCE."""
    assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape)
    if actual.dtype.kind in "iub":
        np.testing.assert_array_equal(actual, expected)
        return
    a, b = actual.astype(np.float64), expected.astype(np.float64)
    scale = np.abs(b[np.isfinite(b)]).max(initial=0.0)
    np.testing.assert_allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE * scale)


def check_golden(name: str, text: str) -> None:
    golden.check(f"../../wafer/golden/{name}", text)
