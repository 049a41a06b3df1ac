"""Small graphs for tests, written in the text form."""

from collections.abc import Sequence

import numpy as np

from tests.compiler.arrays import draw
from wsc.compiler.ir.graph import Graph
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.text import parse_graph
from wsc.compiler.ir.verify import verify
from wsc.compiler.ops.base import Array
from wsc.compiler.passes.rewrite import weight_key


def graph(*lines: str, name: str = "test") -> Graph:
    """A verified graph from its lines; the last names the outputs."""
    found = parse_graph("\n".join([f'graph "{name}" version 1', *lines]))
    verify(found)
    return found


def model(*lines: str, seed: int = 0, absent: Sequence[str] = ()) -> Model:
    """A graph and random positive weights, but for the keys in `absent`."""
    found = graph(*lines)
    rng = np.random.default_rng(seed)
    weights = {weight_key(node): np.abs(draw(node.type, rng)) for node in found.weights}
    return Model(found, {key: array for key, array in weights.items() if key not in absent})


def outputs(model: Model, seed: int = 1) -> tuple[Array, ...]:
    """What the model computes from random inputs."""
    rng = np.random.default_rng(seed)
    return interpret(model.graph, [draw(node.type, rng) for node in model.graph.inputs], model.weights)
