"""The cluster of GPUs as a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from wsc.backends.gpu_cluster.clusters import cluster_named, cluster_text, read_cluster, shipped
from wsc.backends.gpu_cluster.emit.program import emit
from wsc.backends.gpu_cluster.emit.torch_graph import write_torch_graph
from wsc.backends.gpu_cluster.execute import execute
from wsc.backends.gpu_cluster.facts import plan_facts
from wsc.backends.gpu_cluster.fit import fits
from wsc.backends.gpu_cluster.legalize import legalize
from wsc.backends.gpu_cluster.machine import Cluster
from wsc.backends.gpu_cluster.plan.graph_plan import GraphPlan, make_plan
from wsc.backends.gpu_cluster.program import Program
from wsc.backends.gpu_cluster.simulate.bound import lower_bound
from wsc.backends.gpu_cluster.simulate.capacity import capacity
from wsc.backends.gpu_cluster.simulate.floorplan import floorplan
from wsc.backends.gpu_cluster.simulate.report import simulate
from wsc.backends.gpu_cluster.simulate.timeline import timeline
from wsc.backends.gpu_cluster.text import parse_program, print_program
from wsc.backends.gpu_cluster.verify import verify
from wsc.backends.target import Progress, Target
from wsc.compiler.errors import MachineError
from wsc.compiler.evidence import Evidence, read_evidence
from wsc.compiler.fit import Fit
from wsc.compiler.ir.model import Model
from wsc.compiler.machine import Capacity
from wsc.compiler.ops.base import Array
from wsc.simulation.floorplan import Floorplan
from wsc.simulation.timeline import Timeline
from wsc.simulation.trace import Trace


class GpuClusterTarget(Target):
    """GPUs in NVLink domains, joined by a tree of switches; kernels and collectives of one rank, for all alike."""

    name = "gpu_cluster"

    def machines(self) -> Mapping[str, Path]:
        return shipped()

    def machine(self, path: Path) -> Cluster:
        return read_cluster(path)

    def named(self, name: str) -> tuple[Cluster, str] | None:
        try:
            return cluster_named(name), cluster_text(name)
        except MachineError:
            return None

    def legalize(self, model: Model, machine: Cluster) -> Model:
        return legalize(model, machine)

    def plan(self, model: Model, machine: Cluster, progress: Progress | None = None) -> GraphPlan:
        return make_plan(model.graph, machine)

    def fits(self, model: Model, machine: Cluster) -> tuple[Fit, ...]:
        return fits(model.graph, machine)

    def emit(self, plan: GraphPlan) -> Program:
        return emit(plan)

    def print(self, program: Program) -> str:
        return print_program(program)

    def parse(self, text: str) -> Program:
        program = parse_program(text)
        verify(program)
        return program

    def simulate(self, program: Program, machine: Cluster, progress: Progress | None = None) -> Trace:
        return simulate(program, machine)

    def execute(
        self,
        program: Program,
        weights: Mapping[str, Array],
        inputs: Sequence[Array],
        progress: Progress | None = None,
    ) -> tuple[Array, ...]:
        return execute(program, weights, inputs, progress)

    def timeline(self, program: Program, machine: Cluster, inputs: int) -> Timeline:
        return timeline(program, machine, inputs)

    def lower_bound(self, program: Program, machine: Cluster) -> int:
        return lower_bound(program, machine)

    def capacity(self, program: Program, machine: Cluster) -> Capacity:
        return capacity(program, machine)

    def weight_keys(self, program: Program) -> frozenset[str]:
        return frozenset(b.key for ranks in program.classes for b in ranks.buffers if b.role == "weight")

    def floorplan(self, program: Program, machine: Cluster, trace: Trace) -> Floorplan:
        return floorplan(program, machine, trace)

    def facts(self, plan: GraphPlan) -> tuple[tuple[str, str], ...]:
        return plan_facts(plan)

    def validated(self, machine: Cluster) -> tuple[Evidence, ...]:
        return read_evidence(Path(__file__).parent / "validation.toml", machine.gpu.name)

    def write_torch(self, program: Program, folder: Path) -> tuple[Path, ...]:
        """Write PyTorch code that runs the program; returns its files. Raises UserError for ops without code."""
        return write_torch_graph(program, folder)


TARGET = GpuClusterTarget()
