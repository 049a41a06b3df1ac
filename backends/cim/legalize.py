"""What crossbars take: integers in products by weights, outputs that stages compute, no reader tied to another."""

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
    """The model with a copy for every output that nothing computes, and `_apart`; raises UnsupportedModel."""
    _refuse(model.graph, machine)
    graph = _apart(model.graph)
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


def _apart(graph: Graph) -> Graph:
    """What is made of weights only, a mask say, is made for each reader by itself.

    Made once for all, it would wait for the last of its readers to have room: a pipeline of many layers would hold no
    more inputs at a time than that reader keeps masks.
    """
    made = {n.name: n for n in graph if n.inputs and all(graph[name].is_weight for name in n.inputs)}
    taken = {node.name for node in graph}
    read: set[str] = set()
    nodes: list[Node] = []
    for node in graph:
        copies: dict[str, str] = {}
        for name in (name for name in dict.fromkeys(node.inputs) if name in made):
            if name in read:
                copies[name] = fresh_name(name, taken)
                taken.add(copies[name])
                nodes.append(replace(made[name], name=copies[name]))
            read.add(name)
        nodes.append(replace(node, inputs=tuple(copies.get(name, name) for name in node.inputs)))
    return replace(graph, nodes=tuple(nodes))


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
