"""Compute in memory as a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from wsc.backends.cim.emit import emit
from wsc.backends.cim.execute import execute
from wsc.backends.cim.execute.analog import execute_batches
from wsc.backends.cim.facts import plan_facts
from wsc.backends.cim.fit import fits
from wsc.backends.cim.legalize import legalize
from wsc.backends.cim.machine import CimMachine
from wsc.backends.cim.plan import Plan, make_plan
from wsc.backends.cim.program import Program
from wsc.backends.cim.rewriting import rewritten
from wsc.backends.cim.simulate import simulate
from wsc.backends.cim.simulate.bound import lower_bound
from wsc.backends.cim.simulate.floorplan import floorplan
from wsc.backends.cim.simulate.timeline import timeline
from wsc.backends.cim.text import parse_program, print_program
from wsc.backends.cim.variants import capacity, variants
from wsc.backends.cim.verify import verify
from wsc.backends.physical import Asked, Batches, PhysicalRun, Weights
from wsc.backends.target import Progress, Target, Variant
from wsc.compiler.evidence import Evidence, read_evidence
from wsc.compiler.fit import Fit
from wsc.compiler.ir.model import Model
from wsc.compiler.machine import Capacity, read_machine
from wsc.compiler.ops.base import Array
from wsc.compiler.passes.quantize import precision_named
from wsc.simulation.floorplan import Floorplan
from wsc.simulation.timeline import Timeline
from wsc.simulation.trace import Trace


class CimTarget(Target):
    """Crossbars that keep the weights, run as a pipeline of stages."""

    name = "cim"

    def machines(self) -> Mapping[str, Path]:
        return {path.stem: path for path in sorted((Path(__file__).parent / "machines").glob("*.toml"))}

    def machine(self, path: Path) -> CimMachine:
        return read_machine(path, CimMachine)

    def integers(self, machine: CimMachine) -> str:
        return "int16" if machine.array.weight_bits > 8 else "int8"

    def products_of_activations(self, model: Model, machine: CimMachine, dtype: str) -> frozenset[str]:
        return rewritten(model, machine, precision_named(dtype).weight_bits)

    def legalize(self, model: Model, machine: CimMachine) -> Model:
        return legalize(model, machine)

    def plan(self, model: Model, machine: CimMachine, progress: Progress | None = None) -> Plan:
        return make_plan(model.graph, machine)

    def fits(self, model: Model, machine: CimMachine) -> tuple[Fit, ...]:
        return fits(model.graph, machine)

    def emit(self, plan: Plan) -> Program:
        program = emit(plan)
        verify(program)
        return program

    def print(self, program: Program) -> str:
        return print_program(program)

    def parse(self, text: str) -> Program:
        program = parse_program(text)
        verify(program)
        return program

    def simulate(self, program: Program, machine: CimMachine, progress: Progress | None = None) -> Trace:
        return simulate(program, machine, progress)

    def execute(
        self,
        program: Program,
        weights: Mapping[str, Array],
        inputs: Sequence[Array],
        progress: Progress | None = None,
    ) -> tuple[Array, ...]:
        return execute(program, weights, inputs, progress)

    def execute_physical(
        self, program: Program, machine: CimMachine, weights: Weights, batches: Batches, asked: Asked
    ) -> PhysicalRun:
        return execute_batches(program, machine, weights, batches, asked)

    def lower_bound(self, program: Program, machine: CimMachine) -> int:
        return lower_bound(program, machine)

    def capacity(self, program: Program, machine: CimMachine) -> Capacity:
        return capacity(program, machine)

    def variants(self, program: Program, machine: CimMachine) -> Sequence[Variant]:
        return variants(program, machine)

    def weight_keys(self, program: Program) -> frozenset[str]:
        made = (stage.product for stage in program.stages if stage.product)
        products = (product.weight for product in made if not product.rewritten)
        return frozenset(products) | {key for _, key, _ in program.weights}

    def timeline(self, program: Program, machine: CimMachine, inputs: int) -> Timeline:
        return timeline(program, machine, inputs)

    def floorplan(self, program: Program, machine: CimMachine, trace: Trace) -> Floorplan:
        return floorplan(program, machine, trace)

    def facts(self, plan: Plan) -> tuple[tuple[str, str], ...]:
        return plan_facts(plan)

    def validated(self, machine: CimMachine) -> tuple[Evidence, ...]:
        return read_evidence(Path(__file__).parent / "validation.toml", machine.name)


TARGET = CimTarget()
