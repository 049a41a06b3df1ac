"""The way of the data, stage by stage: passes, legalize, plan, emit, simulate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from wsc.backends.registry import Selection
from wsc.backends.target import Progress
from wsc.compiler.ir.graph import Graph
from wsc.compiler.ir.model import Model
from wsc.compiler.passes.pipeline import run_pipeline
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


def compile_model(model: Model, selection: Selection, stage: Stage = silent) -> Compiled:
    """Compile a captured model for a machine and simulate the program; `stage` is told what begins."""
    target, machine = selection.target, selection.machine
    stage("simplifying the graph")
    legal = target.legalize(run_pipeline(model), machine)
    stage("sizing and placing kernels")
    plan = target.plan(legal, machine, within("sizing and placing kernels", stage))
    stage("emitting the program")
    program = target.emit(plan)
    stage("simulating")
    trace = target.simulate(program, machine, within("simulating", stage))
    return Compiled(selection, model.graph, legal, plan, program, trace)


def within(title: str, stage: Stage) -> Progress:
    """Progress within a stage, told as the stage."""
    return lambda what, done, total: stage(f"{title}: {what}, {done} of {total}")
