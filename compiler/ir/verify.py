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

_Types = tuple[TensorType, ...]


class Verified:
    """What was found right before: a node, unchanged and with operands of the same types, is not asked again.

    Passes leave most nodes as they are, and layers say the same: each op is asked once for what it infers from types.
    """

    def __init__(self) -> None:
        self._nodes: dict[
            int, tuple[Node, _Types]
        ] = {}  # by identity; each is held, so that its own stays its own
        self._inferred: dict[tuple[Op, _Types], TensorType] = {}

    def has(self, node: Node, types: _Types) -> bool:
        """Whether the node's name and type were found right with operands of these types."""
        found = self._nodes.get(id(node))
        return found is not None and found[1] == types

    def add(self, node: Node, types: _Types) -> None:
        """Remember a node that is right."""
        self._nodes[id(node)] = (node, types)

    def infer(self, op: Op, types: _Types) -> TensorType:
        """What an op infers from types; raises ValueError."""
        asked = (op, types)
        if asked not in self._inferred:
            self._inferred[asked] = op.infer(types)
        return self._inferred[asked]


def verify(graph: Graph, verified: Verified | None = None) -> None:
    """Raise VerificationError naming the first invariant that the graph breaks; `verified` is of graphs before it."""
    verified = verified or Verified()
    seen: dict[str, TensorType] = {}
    for node in graph.nodes:
        if node.name in seen or node.name.split() != [node.name]:
            raise VerificationError(f"graph '{graph.name}': bad or repeated name '{node.name}'")
        try:
            types = tuple([seen[name] for name in node.inputs])
        except KeyError:
            late = [name for name in node.inputs if name not in seen]
            raise VerificationError(
                f"node '{node.name}' reads {late} before they are computed, at {node.location}"
            ) from None
        if not verified.has(node, types):
            _verify_node(node, types, verified)
        seen[node.name] = node.type
    indices = [node.op.index for node in graph.inputs if isinstance(node.op, Input)]
    if indices != list(range(len(indices))):
        raise VerificationError(f"graph '{graph.name}': input indices are {indices}")
    if not graph.outputs or not all(name in seen for name in graph.outputs):
        raise VerificationError(f"graph '{graph.name}': outputs {graph.outputs} are not all nodes")
    _verify_state(graph)


def _verify_state(graph: Graph) -> None:
    inputs = dict(enumerate(graph.inputs))
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


def _verify_node(node: Node, types: _Types, verified: Verified) -> None:
    if node.is_source:
        if node.inputs:
            raise VerificationError(f"source '{node.name}' has inputs {node.inputs}")
    else:
        try:
            inferred = verified.infer(node.op, types)
        except ValueError as error:
            raise VerificationError(f"node '{node.name}' at {node.location}: {error}") from error
        if inferred != node.type:
            raise VerificationError(
                f"node '{node.name}' says {node.type}, its op infers {inferred}, at {node.location}"
            )
    verified.add(node, types)
