"""The invariants of a graph, in prose, and their check.

1. Names are unique and hold no whitespace.
2. Every input of a node is an earlier node: the order is topological and the graph has no cycle.
3. A source (input, parameter, constant) has no inputs; input indices are 0, 1, 2, ... without a gap.
4. Every other node's type is what its op infers from its inputs' types.
5. Outputs are nodes of the graph, and there is at least one.
6. State joins an output to an input of the same type; no input and no output is in two states.
"""

from __future__ import annotations

from wsc.compiler.errors import VerificationError
from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops import Input, Op

# What an op infers from types: asked once for all the nodes of a graph that say the same, as those of its layers do.
_Known = dict[tuple[Op, tuple[TensorType, ...]], TensorType]


def verify(graph: Graph) -> None:
    """Raise VerificationError naming the first invariant that the graph breaks."""
    seen: set[str] = set()
    known: _Known = {}
    for node in graph.nodes:
        if node.name in seen or node.name.split() != [node.name]:
            raise VerificationError(f"graph '{graph.name}': bad or repeated name '{node.name}'")
        _verify_node(graph, node, seen, known)
        seen.add(node.name)
    indices = sorted(n.op.index for n in graph.nodes if isinstance(n.op, Input))
    if indices != list(range(len(indices))):
        raise VerificationError(f"graph '{graph.name}': input indices are {indices}")
    if not graph.outputs or not seen.issuperset(graph.outputs):
        raise VerificationError(f"graph '{graph.name}': outputs {graph.outputs} are not all nodes")
    _verify_state(graph)


def _verify_state(graph: Graph) -> None:
    inputs = {node.op.index: node for node in graph.nodes if isinstance(node.op, Input)}
    for state in graph.state:
        if state.input not in inputs or not 0 <= state.output < len(graph.outputs):
            raise VerificationError(f"graph '{graph.name}': {state} names no input, or no output")
        before, after = inputs[state.input], graph[graph.outputs[state.output]]
        if before.type != after.type:
            raise VerificationError(
                f"graph '{graph.name}': the state '{before.name}' is {before.type}, its next value {after.type}"
            )
    for numbers in ([s.input for s in graph.state], [s.output for s in graph.state]):
        if len(set(numbers)) < len(numbers):
            raise VerificationError(
                f"graph '{graph.name}': an input or output is in two states: {graph.state}"
            )


def _verify_node(graph: Graph, node: Node, seen: set[str], known: _Known) -> None:
    if late := [name for name in node.inputs if name not in seen]:
        raise VerificationError(
            f"node '{node.name}' reads {late} before they are computed, at {node.location}"
        )
    if node.is_source:
        if node.inputs:
            raise VerificationError(f"source '{node.name}' has inputs {node.inputs}")
        return
    asked = (node.op, graph.operand_types(node))
    try:
        inferred = known[asked] if asked in known else known.setdefault(asked, node.op.infer(asked[1]))
    except ValueError as error:
        raise VerificationError(f"node '{node.name}' at {node.location}: {error}") from error
    if inferred != node.type:
        raise VerificationError(
            f"node '{node.name}' says {node.type}, its op infers {inferred}, at {node.location}"
        )
