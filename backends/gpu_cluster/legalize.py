"""What the cluster takes of a captured model: everything but 64-bit floats and empty tensors."""

from __future__ import annotations

from wsc.backends.gpu_cluster.machine import Cluster
from wsc.compiler.errors import UnsupportedModel
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.types import DType


def legalize(model: Model, machine: Cluster) -> Model:
    """The model as it is; raises UnsupportedModel with every node that the target cannot take."""
    graph = model.graph
    wide = [n for n in graph.nodes if n.type.dtype is DType.F64 and not n.is_source]
    empty = [n for n in graph.nodes if n.type.elements == 0]
    if not wide and not empty:
        return model
    faults = [f"  {n.op.kind} of {n.type} at {n.location}" for n in [*wide, *empty]]
    raise UnsupportedModel(
        f"'{machine.name}' cannot run {len(faults)} nodes of '{graph.name}':\n" + "\n".join(faults) + "\n"
        "It has no figures for 64-bit floating point, and takes no empty tensors: use model.float(), or give inputs of "
        "another shape."
    )
