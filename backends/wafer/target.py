"""The wafer as a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from wsc.backends.target import CycleRun, Progress, ServingPlans, Target, Variant
from wsc.backends.wafer.emit.pipeline import emit_pipeline
from wsc.backends.wafer.execute import execute
from wsc.backends.wafer.fabric_use import FabricUse
from wsc.backends.wafer.facts import plan_facts
from wsc.backends.wafer.fit import fits
from wsc.backends.wafer.legalize import legalize
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.plan import Plan
from wsc.backends.wafer.program import Program
from wsc.backends.wafer.schedule import Asked, choose_plan, serving_plan
from wsc.backends.wafer.sequential.emit import emit_sequential
from wsc.backends.wafer.sequential.facts import sequential_facts
from wsc.backends.wafer.sequential.plan import SequentialPlan
from wsc.backends.wafer.serving.emit import emit_relayout
from wsc.backends.wafer.simulate import simulate
from wsc.backends.wafer.simulate.bound import lower_bound
from wsc.backends.wafer.simulate.capacity import capacity
from wsc.backends.wafer.simulate.floorplan import floorplan
from wsc.backends.wafer.simulate.timeline import timeline
from wsc.backends.wafer.text import parse_program, print_program
from wsc.backends.wafer.variants import variants
from wsc.backends.wafer.verify import verify
from wsc.compiler.errors import UserError
from wsc.compiler.evidence import Evidence, read_evidence
from wsc.compiler.fit import Fit
from wsc.compiler.ir.model import Model
from wsc.compiler.machine import Capacity, read_machine
from wsc.compiler.ops.base import Array
from wsc.simulation.floorplan import Floorplan
from wsc.simulation.timeline import Timeline
from wsc.simulation.trace import Trace


class WaferTarget(Target):
    """Wafer-scale engines: a pipeline of kernels, or layer after layer with weights resident or streamed in."""

    name = "wafer"

    def __init__(self, asked: Asked | None = None) -> None:
        self.asked = asked or Asked()
        self._made: tuple[Plan, tuple[Program, FabricUse | None]] | None = None  # of the latest pipeline

    def configured(self, options: Mapping[str, str]) -> Target:
        """Takes `schedule`, `grid` and `wafers`."""
        known = {key: value for key, value in options.items() if key in ("schedule", "grid", "wafers")}
        super().configured({key: value for key, value in options.items() if key not in known})
        return WaferTarget(Asked.of(known))

    def machines(self) -> Mapping[str, Path]:
        return {path.stem: path for path in sorted((Path(__file__).parent / "machines").glob("*.toml"))}

    def machine(self, path: Path) -> Wafer:
        return read_machine(path, Wafer)

    def legalize(self, model: Model, machine: Wafer) -> Model:
        return legalize(model, machine)

    def plan(self, model: Model, machine: Wafer, progress: Progress | None = None) -> Plan | SequentialPlan:
        return choose_plan(model, machine, self.asked, self._pipeline, progress)

    def serve(self, prefill: Model, decode: Model, machine: Wafer) -> ServingPlans:
        plan = serving_plan(prefill, decode, machine, self.asked)
        graph, program = emit_relayout(plan) or (None, None)
        if program is not None:
            verify(program)
        return ServingPlans(plan.prefill, plan.decode, program, graph)

    def fits(self, model: Model, machine: Wafer) -> tuple[Fit, ...]:
        return fits(model, machine, self.asked)

    def emit(self, plan: Plan | SequentialPlan) -> Program:
        if isinstance(plan, SequentialPlan):
            program = emit_sequential(plan)
            verify(program)
            return program
        return self._pipeline(plan)[0]

    def _pipeline(self, plan: Plan) -> tuple[Program, FabricUse | None]:
        """The program of a plan and what it takes of the fabric, made once."""
        if self._made is None or self._made[0] is not plan:
            self._made = plan, emit_pipeline(plan)
        return self._made[1]

    def print(self, program: Program) -> str:
        return print_program(program)

    def parse(self, text: str) -> Program:
        program = parse_program(text)
        verify(program)
        return program

    def simulate(self, program: Program, machine: Wafer, progress: Progress | None = None) -> Trace:
        return simulate(program, machine, progress)

    def simulate_cycles(
        self, program: Program, machine: Wafer, weights: Mapping[str, Array], inputs: Sequence[Array]
    ) -> CycleRun:
        from wsc.backends.wafer.simulate.cycle import simulate_cycles  # compiles, or loads what was compiled

        run = simulate_cycles(program, machine, weights, inputs)
        facts = (
            (
                "colours",
                f"{run.colors} of {machine.fabric.colors}, at most {run.positions} positions at a router",
            ),
            ("active core-cycles", f"{run.active_core_cycles:,}"),
        )
        return CycleRun(run.latency, run.outputs, facts)

    def execute(
        self,
        program: Program,
        weights: Mapping[str, Array],
        inputs: Sequence[Array],
        progress: Progress | None = None,
    ) -> tuple[Array, ...]:
        return execute(program, weights, inputs, progress)

    def lower_bound(self, program: Program, machine: Wafer) -> int:
        return lower_bound(program, machine)

    def capacity(self, program: Program, machine: Wafer) -> Capacity:
        return capacity(program, machine)

    def weight_keys(self, program: Program) -> frozenset[str]:
        held = (b for k in program.kernels for b in k.buffers if b.role in ("weight", "fetched"))
        return frozenset(name for buffer in held for name in buffer.names)

    def floorplan(self, program: Program, machine: Wafer, trace: Trace) -> Floorplan:
        return floorplan(program, machine, trace)

    def floorplan_of(self, program: Program, machine: Wafer, trace: Trace, wafer: int) -> Floorplan:
        if wafer >= program.wafers:
            raise UserError(f"--wafer {wafer}: the program's wafers are 0 to {program.wafers - 1}.")
        return floorplan(program, machine, trace, wafer)

    def facts(self, plan: Plan | SequentialPlan) -> tuple[tuple[str, str], ...]:
        if isinstance(plan, SequentialPlan):
            return sequential_facts(plan)
        use = self._pipeline(plan)[1]
        return plan_facts(plan) + (use.facts if use else ())

    def validated(self, machine: Wafer) -> tuple[Evidence, ...]:
        return read_evidence(Path(__file__).parent / "validation.toml", machine.name)

    def timeline(self, program: Program, machine: Wafer, inputs: int) -> Timeline | None:
        if program.kernels[0].in_order:
            return None
        return timeline(program, machine, inputs)

    def variants(self, program: Program, machine: Wafer) -> tuple[Variant, ...]:
        return variants(program, machine)


TARGET = WaferTarget()
