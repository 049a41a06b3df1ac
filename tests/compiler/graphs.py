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


def transformer(layers: int, rotary: bool) -> Graph:
    """Layers as in GPT-2, cut short; or with a table that is computed once and read by every layer."""
    lines = [
        "%ids = input(index=0) : i64[1,4]",
        "%wte = parameter(key='wte') : f32[50,8]",
        "%angle = input(index=1) : f32[1,4,8]",
        "%table = elementwise(fn='cos', scalars=(None,)) %angle : f32[1,4,8]",
        "%h0 = gather(dim=0, batch=0) %wte %ids : f32[1,4,8]",
    ]
    for i in range(layers):
        turn = f"%k{i} %table" if rotary else f"%k{i} %k{i}"
        lines += [
            f"%w{i} = parameter(key='w{i}') : f32[8,8]",
            f"%n{i} = norm(form='layer', dims=(2,), eps=1e-05) %h{i} : f32[1,4,8]",
            f"%q{i} = contract(equation='bsk,kn->bsn') %n{i} %w{i} : f32[1,4,8]",
            f"%k{i} = contract(equation='bsk,kn->bsn') %n{i} %w{i} : f32[1,4,8]",
            f"%t{i} = elementwise(fn='mul', scalars=(None, None)) {turn} : f32[1,4,8]",
            f"%a{i} = attention(scale=0.3, causal=False) %q{i} %t{i} %n{i} : f32[1,4,8]",
            f"%h{i + 1} = elementwise(fn='add', scalars=(None, None)) %h{i} %a{i} : f32[1,4,8]",
        ]
    return graph(*lines, f"%out = softmax(dim=2) %h{layers} : f32[1,4,8]", "return %out")
