"""Which of three ways to run a model: pipeline, sequential, streaming; asked for, or by memory and modelled time."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from wsc.backends.target import Progress
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.plan import Plan, make_plan
from wsc.backends.wafer.sequential.plan import SequentialPlan, Wanted, plan_sequential
from wsc.backends.wafer.serving.plan import ServingPlan, plan_serving
from wsc.compiler.errors import DoesNotFit, UnsupportedModel, UserError
from wsc.compiler.ir.model import Model

SCHEDULES = ("pipeline", "sequential", "streaming")


@dataclass(frozen=True)
class Asked:
    """What the user asked for: a schedule by name ("" for the best), and columns x rows or wafers to run on."""

    schedule: str = ""
    wanted: Wanted = field(default_factory=Wanted)

    @staticmethod
    def of(options: Mapping[str, str]) -> Asked:
        """From the options `schedule`, `grid` and `wafers`; raises UserError for what cannot be."""
        schedule, grid = options.get("schedule", ""), options.get("grid", "")
        if schedule and schedule not in SCHEDULES:
            raise UserError(f"--schedule {schedule}: there are {', '.join(SCHEDULES)}.")
        match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", grid)
        if grid and match is None:
            raise UserError(f"--grid takes COLUMNSxROWS, as in --grid 660x660; '{grid}' was given.")
        wafers = int(options["wafers"]) if "wafers" in options else None
        size = (int(match[1]), int(match[2])) if match else None
        if schedule == "pipeline" and (size or wafers):
            raise UserError("--grid and --wafers are for --schedule sequential or streaming.")
        if schedule == "streaming" and (wafers or 1) > 1:
            raise UserError("--schedule streaming runs on one wafer: leave --wafers out.")
        return Asked(schedule, Wanted(size, wafers))


def choose_plan(
    model: Model,
    machine: Wafer,
    asked: Asked,
    proven: Callable[[Plan], object],
    progress: Progress | None = None,
) -> Plan | SequentialPlan:
    """The plan asked for, or the best; raises DoesNotFit, UserError or UnsupportedModel.

    `proven` raises DoesNotFit for a pipeline whose program takes more colours than there are.
    """
    _check_grid(machine, asked)
    if asked.schedule == "pipeline":
        return _pipeline(model, machine, proven, progress)
    if asked.schedule:
        plan = plan_sequential(model, machine, asked.wanted, asked.schedule == "streaming")
        return replace(plan, why="asked for")
    if asked.wanted != Wanted():
        return replace(plan_sequential(model, machine, asked.wanted), why="a region or wafers were asked for")
    if model.graph.state:
        return _resident_or_streamed(model, machine, "pipeline: has no place for state")
    try:
        return _pipeline(model, machine, proven, progress)
    except DoesNotFit as error:
        try:
            return _resident_or_streamed(model, machine, "pipeline: does not fit")
        except (DoesNotFit, UnsupportedModel):
            raise error from None


def _pipeline(
    model: Model, machine: Wafer, proven: Callable[[Plan], object], progress: Progress | None
) -> Plan:
    return make_plan(model.graph, machine, progress, proven)


def serving_plan(prefill: Model, decode: Model, machine: Wafer, asked: Asked) -> ServingPlan:
    """Both phases of a model, layer after layer with resident weights; raises DoesNotFit, UserError."""
    _check_grid(machine, asked)
    if asked.schedule not in ("", "sequential"):
        raise UserError(
            f"--schedule {asked.schedule}: --phase serve keeps weights on the wafer, as sequential does."
        )
    if not decode.graph.state or not prefill.graph.state:
        raise UserError(f"--phase serve is for models that keep state; '{decode.graph.name}' keeps none.")
    plan = plan_serving(prefill, decode, machine, asked.wanted)
    why = "on the same cores as the other phase"
    return replace(plan, prefill=replace(plan.prefill, why=why), decode=replace(plan.decode, why=why))


def _resident_or_streamed(model: Model, machine: Wafer, others: str) -> SequentialPlan:
    """Weights in SRAM, or over the edge, whichever is expected to take less time."""
    found: list[SequentialPlan] = []
    refused: list[DoesNotFit] = []
    for fetch in (False, True):
        try:
            found.append(plan_sequential(model, machine, Wanted(), fetch))
        except DoesNotFit as error:
            refused.append(error)
    if not found:
        raise refused[0]
    best = min(found, key=lambda plan: plan.cycles)
    told = [f"{plan.schedule}: {plan.cycles:,.0f} cycles expected" for plan in found if plan is not best]
    told += [f"{'streaming' if best.schedule == 'sequential' else 'sequential'}: does not fit"] * len(refused)
    return replace(best, why="; ".join([f"{best.cycles:,.0f} cycles expected", *told, others]))


def _check_grid(machine: Wafer, asked: Asked) -> None:
    grid, fabric = asked.wanted.grid, machine.grid
    if grid and (grid[0] > fabric.width_cores or grid[1] > fabric.height_cores):
        raise DoesNotFit(
            f"--grid {grid[0]}x{grid[1]} is larger than {machine.name}: it has {fabric.width_cores} x"
            f" {fabric.height_cores} cores."
        )
