"""Tensors changed in place: inputs whose next value is an output."""

import numpy as np
import torch
from torch import nn

from wsc.compiler.ir.graph import State
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.text import parse_graph, print_graph
from wsc.compiler.passes.pipeline import run_pipeline
from wsc.frontend.capture import capture


class Counter(nn.Module):
    """Changes a buffer and an argument, and returns something else."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.ones(3))

    def forward(self, x, keys, position):
        self.seen.add_(x)
        keys.index_copy_(0, position, 2 * x[None])
        return keys.sum() + self.seen.sum()


def inputs():
    return torch.randn(3), torch.zeros(4, 3), torch.tensor([2])


def test_changes_are_outputs_paired_with_inputs(check):
    graph = check(Counter(), *inputs())
    assert [node.name for node in graph.inputs] == ["x", "keys", "position", "seen"]
    assert graph.state == (State(1, 1), State(3, 2))
    assert [str(graph[name].type) for name in graph.outputs] == ["f32[]", "f32[4,3]", "f32[3]"]


def test_state_survives_passes_and_text():
    model = capture(Counter(), inputs(), "m").model
    passed = run_pipeline(model)
    assert passed.graph.state == model.graph.state
    assert parse_graph(print_graph(passed.graph)) == passed.graph


def test_two_steps_carry_the_state_on():
    module = Counter()
    captured = capture(module, inputs(), "m")
    x, keys, _, seen = captured.example_inputs
    first = interpret(captured.model.graph, (x, keys, np.array([0]), seen), captured.model.weights)
    second = interpret(captured.model.graph, (x, first[1], np.array([1]), first[2]), captured.model.weights)
    theirs = torch.zeros(4, 3)
    module(torch.tensor(x), theirs, torch.tensor([0]))
    expected = module(torch.tensor(x), theirs, torch.tensor([1]))
    np.testing.assert_allclose(second[0], expected, rtol=1e-6)
    np.testing.assert_allclose(second[1], theirs, rtol=1e-6)


def test_the_reference_leaves_examples_and_module_as_they_were():
    module = Counter()
    captured = capture(module, inputs(), "m")
    captured.reference(captured.example_inputs)
    assert not captured.example_inputs[1].any()
    assert torch.equal(module.seen, torch.ones(3))


def test_an_unchanged_buffer_stays_a_weight(check):
    graph = check(nn.BatchNorm1d(3), torch.randn(2, 3))
    assert len(graph.inputs) == 1
    assert graph.state == ()
