"""The program of a planned graph: one class of ranks a stage."""

from __future__ import annotations

from wsc.backends.gpu_cluster.emit.stage import StageWriter
from wsc.backends.gpu_cluster.plan.graph_plan import GraphPlan
from wsc.backends.gpu_cluster.program import Program, rank_mesh
from wsc.backends.gpu_cluster.verify import verify


def emit(plan: GraphPlan) -> Program:
    """The program; every replica serves inputs of its own, so one run of all ranks serves as many as there are."""
    mesh = rank_mesh({"replica": plan.mesh.replicas, "stage": plan.mesh.stages, "tensor": plan.mesh.tensor})
    classes = tuple(StageWriter(plan, stage).ranks() for stage in range(plan.mesh.stages))
    graph = plan.graph
    program = Program(
        name=graph.name,
        machine=plan.cluster.name,
        mesh=mesh,
        runs=plan.mesh.replicas,
        graphs=True,
        inputs=tuple((node.name, node.type) for node in graph.inputs),
        outputs=tuple((f"out{i}", graph[name].type) for i, name in enumerate(graph.outputs)),
        blocks=(),
        classes=classes,
    )
    verify(program)
    return program
