"""Parts of models are found by their shape, keep their numbers, and have work of their own."""

from collections import Counter

import numpy as np
import pytest
import torch

from tests.frontend.part_models import MODELS, Gated
from wsc.compiler.ir.graph import Graph
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.text import parse_graph, print_graph
from wsc.compiler.ops import Elementwise, Work
from wsc.compiler.parts.part import Part, part_work, parts_of
from wsc.compiler.parts.search import Search
from wsc.compiler.passes.mark_parts import mark_parts
from wsc.compiler.passes.pipeline import run_pipeline
from wsc.compiler.passes.rewrite import apply_op, rewrite
from wsc.frontend.capture import capture


@pytest.mark.parametrize("name", MODELS)
def test_parts_are_found_and_the_numbers_are_torchs(name: str) -> None:
    make, shape, expected = MODELS[name]
    module, x = make(), torch.randn(shape)
    captured = capture(module, (x,), "m")
    model = run_pipeline(captured.model)
    parts = parts_of(model.graph)
    assert Counter(part.kind for part in parts) == expected
    assert all(Search(model.graph).is_convex(set(part.nodes)) for part in parts)
    assert parse_graph(print_graph(model.graph)) == model.graph
    assert mark_parts(model) is model
    assert captured.example_inputs is not None
    ours = interpret(model.graph, captured.example_inputs, model.weights)
    for a, b in zip(ours, captured.reference(captured.example_inputs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def gated() -> tuple[Graph, Part]:
    graph = run_pipeline(capture(Gated(torch.nn.functional.silu), (torch.ones(4, 8),), "m").model).graph
    (part,) = parts_of(graph)
    return graph, part


def test_the_work_of_a_part_counts_what_crosses_its_edge() -> None:
    graph, part = gated()
    products = 3 * 4 * 8 * 12
    weights = 3 * 8 * 12 * 4
    (silu,) = [graph[name] for name in part.nodes if graph[name].op == Elementwise("silu")]
    between = graph.node_work(silu).vector_ops + 4 * 12
    assert part_work(graph, part) == Work(products, between, 4 * 8 * 4 + weights, 4 * 8 * 4, weights)


def test_what_takes_the_place_of_a_node_is_in_its_part() -> None:
    graph, part = gated()

    def doubled(node, built):
        if node.name != part.root:
            return [node]
        return [apply_op("first", node.op, [built[name] for name in node.inputs], node.location)]

    (rewritten,) = parts_of(rewrite(graph, doubled))
    assert rewritten.nodes == (*part.nodes[:-1], "first")


def test_a_value_read_outside_is_no_part_of_it() -> None:
    class Shown(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mlp = Gated(torch.nn.functional.silu)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.mlp(x), self.mlp.up(x)

    graph = run_pipeline(capture(Shown(), (torch.ones(4, 8),), "m").model).graph
    (part,) = parts_of(graph)
    shown = graph.outputs[1]
    assert shown not in part.nodes
    assert part.root == graph.outputs[0]


def test_a_part_of_no_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no part 'wheel'"):
        Part("wheel", "x", ("x",))
