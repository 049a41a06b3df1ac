"""What crossbars take: integers in every product by a weight; and outputs that some stage computes."""

from __future__ import annotations

from dataclasses import replace

from wsc.backends.cim.machine import CimMachine
from wsc.backends.cim.matrix import roles
from wsc.compiler.errors import UnsupportedModel
from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.types import DType
from wsc.compiler.ir.verify import verify
from wsc.compiler.ops import Elementwise, IntegerContract
from wsc.compiler.passes.quantize import float_contractions
from wsc.compiler.passes.rewrite import fresh_name


def legalize(model: Model, machine: CimMachine) -> Model:
    """The model with a copy for every output that nothing computes; raises UnsupportedModel."""
    graph = model.graph
    _refuse(graph, machine)
    nodes, outputs = list(graph.nodes), []
    taken = {node.name for node in nodes}
    for number, name in enumerate(graph.outputs):
        if graph[name].is_source:
            type = graph[name].type
            op = Elementwise("or", (None, False)) if type.dtype is DType.BOOL else Elementwise("copy")
            name = fresh_name(f"copy_{number}_{name}", taken)
            taken.add(name)
            nodes.append(
                Node(name, op, (graph.outputs[number],), type, graph[graph.outputs[number]].location)
            )
        outputs.append(name)
    result = replace(graph, nodes=tuple(nodes), outputs=tuple(outputs))
    verify(result)
    return Model(result, model.weights)


def _refuse(graph: Graph, machine: CimMachine) -> None:
    """List every node that the machine cannot compute."""
    wide = [n for n in graph if n.type.dtype is DType.F64 and not n.is_source]
    empty = [n for n in graph if n.type.elements == 0]
    strange = [n for n in graph if isinstance(n.op, IntegerContract) and not _fits(graph, n, machine)]
    faults = [f"  {n.op.kind} of {n.type} at {n.location}" for n in [*wide, *empty, *strange]]
    if faults:
        raise UnsupportedModel(
            f"{machine.name} cannot run {len(faults)} nodes of '{graph.name}':\n" + "\n".join(faults) + "\n"
            "Digital lanes have no 64-bit floating point and no empty tensors, and crossbars hold one operand of a "
            "product: use model.float(), or give inputs of another shape."
        )
    floats = float_contractions(graph)
    if floats:
        places = "\n".join(f"  {n.op.kind} of {n.type} at {n.location}" for n in floats)
        raise UnsupportedModel(
            f"The crossbars of {machine.name} multiply integers, and {len(floats)} products of '{graph.name}' by "
            f"weights are in floating point:\n{places}\n"
            "Quantise them: `wsc compile MODEL --target "
            f"{machine.name} --dtype int8` (or int16), calibrated on the example inputs."
        )


def _fits(graph: Graph, node: Node, machine: CimMachine) -> bool:
    assert isinstance(node.op, IntegerContract)
    try:
        roles(node.op)
    except ValueError:
        return False
    if graph[node.inputs[0]].is_weight:
        return False
    return graph[node.inputs[1]].is_weight or machine.write.at_run_time
