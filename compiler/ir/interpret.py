"""The reference interpreter: what a graph means, in numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from wsc.compiler.errors import InputMismatch
from wsc.compiler.ir.graph import Graph
from wsc.compiler.ops import Input
from wsc.compiler.ops.base import Array


def interpret(graph: Graph, inputs: Sequence[Array], weights: Mapping[str, Array]) -> tuple[Array, ...]:
    """Outputs of the graph; `inputs` by argument number, `weights` by key. Raises InputMismatch."""
    check_inputs(graph, inputs)
    last_use = {name: i for i, node in enumerate(graph.nodes) for name in node.inputs}
    values: dict[str, Array] = {}
    for i, node in enumerate(graph.nodes):
        if isinstance(node.op, Input):
            values[node.name] = inputs[node.op.index]
        elif node.is_weight:
            values[node.name] = weights[node.op.key]  # type: ignore[attr-defined]
        else:
            values[node.name] = node.op.reference([values[name] for name in node.inputs])
        for name in set(node.inputs):
            if last_use[name] == i and name not in graph.outputs:
                del values[name]
    return tuple(values[name] for name in graph.outputs)


def check_inputs(graph: Graph, inputs: Sequence[Array]) -> None:
    """Raise InputMismatch unless the arrays have the types of the graph's inputs."""
    wanted = [node.type for node in graph.inputs]
    if len(inputs) != len(wanted):
        raise InputMismatch(f"'{graph.name}' takes {len(wanted)} inputs, not {len(inputs)}")
    for number, (array, expected) in enumerate(zip(inputs, wanted, strict=True)):
        if array.shape != expected.shape or array.dtype != expected.dtype.numpy:
            found = f"{np.dtype(array.dtype)}{list(array.shape)}"
            raise InputMismatch(f"input {number} of '{graph.name}' must be {expected}, {found} was given")
