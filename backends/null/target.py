"""The null target: copy this folder to start a new one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from wsc.backends.null.machine import NullMachine
from wsc.backends.null.program import NullProgram, parse_program, print_program
from wsc.backends.null.simulate import simulate
from wsc.backends.target import Progress, Target
from wsc.compiler.errors import DoesNotFit, UnsupportedModel
from wsc.compiler.ir.graph import Graph
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.types import DType
from wsc.compiler.machine import Capacity, read_machine
from wsc.compiler.ops import Constant, Parameter
from wsc.compiler.ops.base import Array
from wsc.compiler.quantities import format_bytes
from wsc.simulation.floorplan import Floorplan, Region
from wsc.simulation.trace import Trace


@dataclass(frozen=True)
class NullPlan:
    """The order of the nodes is the graph's; memory holds every tensor at once."""

    graph: Graph
    machine: NullMachine
    memory_bytes: int


class NullTarget(Target):
    """Runs the graph node by node on one unit."""

    name = "null"

    def machines(self) -> Mapping[str, Path]:
        return {path.stem: path for path in sorted((Path(__file__).parent / "machines").glob("*.toml"))}

    def machine(self, path: Path) -> NullMachine:
        return read_machine(path, NullMachine)

    def legalize(self, model: Model, machine: NullMachine) -> Model:
        wide = [n for n in model.graph if n.type.dtype is DType.F64]
        if wide:
            places = "\n".join(f"  {n.op.kind} of {n.type} at {n.location}" for n in wide)
            raise UnsupportedModel(
                f"'{machine.name}' has no 64-bit floating point, use model.float():\n{places}"
            )
        return model

    def plan(self, model: Model, machine: NullMachine, progress: Progress | None = None) -> NullPlan:
        needed = sum(node.type.bytes for node in model.graph)
        have = machine.unit.memory_bytes
        if needed > have:
            raise DoesNotFit(
                f"'{model.graph.name}' needs {format_bytes(needed)} and the memory of '{machine.name}' has "
                f"{format_bytes(have)}: {needed - have:,} bytes too few. "
                "A smaller model, or a machine file with more memory, would fit."
            )
        return NullPlan(model.graph, machine, needed)

    def emit(self, plan: NullPlan) -> NullProgram:
        return NullProgram(plan.graph, plan.memory_bytes)

    def print(self, program: NullProgram) -> str:
        return print_program(program)

    def parse(self, text: str) -> NullProgram:
        return parse_program(text)

    def simulate(self, program: NullProgram, machine: NullMachine, progress: Progress | None = None) -> Trace:
        return simulate(program, machine)

    def execute(
        self,
        program: NullProgram,
        weights: Mapping[str, Array],
        inputs: Sequence[Array],
        progress: Progress | None = None,
    ) -> tuple[Array, ...]:
        return interpret(program.steps, inputs, weights)

    def lower_bound(self, program: NullProgram, machine: NullMachine) -> int:
        return max(1, ceil(program.steps.work().macs / machine.unit.macs_per_cycle))

    def capacity(self, program: NullProgram, machine: NullMachine) -> Capacity:
        unit = machine.unit
        return Capacity("unit", 1, 1, unit.memory_bytes, unit.macs_per_cycle * unit.clock_hz)

    def weight_keys(self, program: NullProgram) -> frozenset[str]:
        return frozenset(n.op.key for n in program.steps if isinstance(n.op, (Parameter, Constant)))

    def floorplan(self, program: NullProgram, machine: NullMachine, trace: Trace) -> Floorplan:
        return Floorplan(
            f"{program.steps.name} on {machine.name}", 1, 1, (Region("unit", 0, 0, 1, 1, "unit"),)
        )

    def facts(self, plan: NullPlan) -> tuple[tuple[str, str], ...]:
        return (
            (
                "memory",
                f"{format_bytes(plan.memory_bytes)} of {format_bytes(plan.machine.unit.memory_bytes)}",
            ),
        )


TARGET = NullTarget()
