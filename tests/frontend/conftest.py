"""What the tests of the frontend share: capture a function, check the graph in every way, compare with torch."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from wsc.compiler.ir.graph import Graph, Location
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.text import parse_graph, print_graph
from wsc.compiler.ir.verify import verify
from wsc.frontend.capture import Captured, capture

Check = Callable[..., Graph]


class Function(nn.Module):
    """A function of tensors as a module."""

    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *tensors: torch.Tensor) -> object:
        return self.function(*tensors)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def check() -> Check:
    """check(function or module, *inputs) -> graph: captured, verified, printed and read back, run, compared."""

    def check(model: Callable[..., object], *inputs: object, rtol: float = 1e-4, atol: float = 1e-5) -> Graph:
        module = model if isinstance(model, nn.Module) else Function(model)
        captured = capture(module, inputs, "test")
        compare(captured, rtol, atol)
        return captured.model.graph

    return check


@pytest.fixture(scope="session")
def check_each(check: Check) -> Callable[..., None]:
    """check_each(functions, *inputs): all in one capture, which is fast; if that fails, one by one to say which."""

    def check_each(functions: dict[str, Callable[..., object]], *inputs: object) -> None:
        try:
            check(lambda *tensors: [function(*tensors) for function in functions.values()], *inputs)
        except Exception as error:
            for name, function in functions.items():
                try:
                    check(function, *inputs)
                except Exception as one:
                    raise AssertionError(f"{name} fails") from one
            raise AssertionError("each passes alone") from error

    return check_each


@pytest.fixture(scope="session")
def text() -> Callable[[Graph], str]:
    """The text of a graph without the places in this repository's files."""

    def text(graph: Graph) -> str:
        nodes = tuple(replace(node, location=Location()) for node in graph.nodes)
        return print_graph(replace(graph, nodes=nodes))

    return text


def compare(captured: Captured, rtol: float, atol: float) -> None:
    graph = captured.model.graph
    verify(graph)
    assert parse_graph(print_graph(graph)) == graph
    assert not captured.model.missing_weights()
    assert captured.example_inputs is not None
    ours = interpret(graph, captured.example_inputs, captured.model.weights)
    theirs = captured.reference(captured.example_inputs)
    assert len(ours) == len(theirs)
    for our, their in zip(ours, theirs, strict=True):
        assert (our.shape, our.dtype) == (their.shape, their.dtype)
        np.testing.assert_allclose(our.astype(np.float64), their.astype(np.float64), rtol, atol)
