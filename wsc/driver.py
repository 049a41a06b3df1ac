"""The way of the data, stage by stage: passes, legalize, plan, emit, simulate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from wsc.backends.registry import Selection
from wsc.backends.target import Progress
from wsc.compiler.ir.graph import Graph
from wsc.compiler.ir.model import Model
from wsc.compiler.ops.base import Array
from wsc.compiler.passes.dead_code import dead_code
from wsc.compiler.passes.pipeline import DEFAULT, Step, run_pipeline
from wsc.compiler.passes.quantize import precision_named, quantize
from wsc.compiler.passes.spell_attention import product_names, spell_attention
from wsc.compiler.passes.stored_integers import stored_integers
from wsc.simulation.trace import Trace

Stage = Callable[[str], None]


def silent(stage: str) -> None:
    """Says nothing of the stage that begins."""


@dataclass(frozen=True)
class Compiled:
    """All that compiling a model gave. `graph` is as captured, `model` as the target took it."""

    selection: Selection
    graph: Graph
    model: Model = field(repr=False)
    plan: Any = field(repr=False)
    program: Any = field(repr=False)
    trace: Trace = field(repr=False)


AS_IT_IS = "float"


def compile_model(
    model: Model,
    selection: Selection,
    stage: Stage = silent,
    *,
    dtype: str = "",
    samples: Sequence[Sequence[Array]] = (),
    passes: Sequence[Step] = DEFAULT,
) -> Compiled:
    """Compile a captured model for a machine and simulate the program; `stage` is told what begins.

    Products by weights are quantised to `dtype`, "float" leaves them; by default it is what the machine needs. Ranges
    are calibrated on `samples`, sets of inputs. Raises UserError for a dtype that there is not.
    """
    legal = legal_model(model, selection, stage, dtype=dtype, samples=samples, passes=passes)
    stage("sizing and placing kernels")
    progress = within("sizing and placing kernels", stage)
    plan = selection.target.plan(legal, selection.machine, progress)
    return carried_out(model, legal, plan, selection, stage)


def legal_model(
    model: Model,
    selection: Selection,
    stage: Stage = silent,
    *,
    dtype: str = "",
    samples: Sequence[Sequence[Array]] = (),
    passes: Sequence[Step] = DEFAULT,
) -> Model:
    """The model through the passes and as the target takes it."""
    target, machine = selection.target, selection.machine
    stage("simplifying the graph")
    if target.integers(machine):
        model = stored_integers(model)  # before the passes compute the weights that integers stand for
    simple = quantized(run_pipeline(model, passes), selection, stage, dtype=dtype, samples=samples)
    return target.legalize(simple, machine)


def carried_out(
    model: Model, legal: Model, plan: Any, selection: Selection, stage: Stage = silent
) -> Compiled:
    """A plan's program, simulated."""
    target, machine = selection.target, selection.machine
    stage("emitting the program")
    program = target.emit(plan)
    stage("simulating")
    trace = target.simulate(program, machine, within("simulating", stage))
    return Compiled(selection, model.graph, legal, plan, program, trace)


def quantized(
    model: Model,
    selection: Selection,
    stage: Stage = silent,
    *,
    dtype: str = "",
    samples: Sequence[Sequence[Array]] = (),
) -> Model:
    """The model with products by weights in integers, where that is asked for or the machine needs it."""
    wanted = dtype or selection.target.integers(selection.machine)
    if wanted in ("", AS_IT_IS):
        return model
    precision = precision_named(wanted)
    stage(f"quantising to {wanted}")
    chosen = selection.target.products_of_activations(model, selection.machine, wanted)
    products = {name for attention in chosen for name in product_names(attention)}
    spelled = spell_attention(model, chosen)
    # Dead: the weights that integers stand for.
    return dead_code(quantize(spelled, precision, samples, activations=products))


def within(title: str, stage: Stage) -> Progress:
    """Progress within a stage, told as the stage."""
    return lambda what, done, total: stage(f"{title}: {what}, {done} of {total}")
