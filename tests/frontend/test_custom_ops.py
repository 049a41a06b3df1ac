"""Operations of a user's own, known through a plugin package."""

from importlib import import_module
from importlib.metadata import EntryPoint

import numpy as np
import pytest
import torch

from wsc.compiler.errors import UnsupportedModel
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops import Custom
from wsc.compiler.ops import custom as custom_ops
from wsc.compiler.ops.custom import Rule, register
from wsc.frontend.capture import capture

PLUGIN = "tests.plugins.wsc_swish"


class Net(torch.nn.Module):
    def forward(self, x):
        return torch.ops.wsc_swish.swish(x, 1.5) + 1


def test_a_plugin_is_found_by_its_entry_point_and_its_op_compiles(monkeypatch, check):
    point = EntryPoint("swish", PLUGIN, custom_ops.GROUP)
    monkeypatch.setattr(custom_ops, "entry_points", lambda group: [point] if group == point.group else [])
    import_module(PLUGIN)
    graph = check(Net(), torch.randn(3, 4))
    (node,) = [node for node in graph if isinstance(node.op, Custom)]
    assert node.op == Custom("wsc_swish::swish", (("beta", 1.5),))
    assert graph.node_work(node).vector_ops == 14 * 12


def test_a_stack_of_operands_is_computed_one_by_one():
    import_module(PLUGIN)
    op, x = (
        Custom("wsc_swish::swish", (("beta", 2.0),)),
        np.linspace(-1, 1, 12, dtype=np.float32).reshape(2, 6),
    )
    np.testing.assert_allclose(op.lifted().reference([x]), op.reference([x]), rtol=1e-6)
    assert op.lifted().arithmetic([TensorType.parse("f32[2,6]")], TensorType.parse("f32[2,6]")) == (
        0,
        14 * 12,
    )


def test_an_operation_without_a_rule_is_named_with_its_place():
    @torch.library.custom_op("wsc_test::unknown", mutates_args=())
    def unknown(x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    unknown.register_fake(torch.empty_like)

    class Uses(torch.nn.Module):
        def forward(self, x):
            return unknown(x)

    with pytest.raises(UnsupportedModel, match=r"wsc_test\.unknown\.default at .*test_custom_ops\.py:\d+"):
        capture(Uses(), (torch.ones(2),), "m")


def test_two_rules_for_one_operation_are_refused():
    import_module(PLUGIN)
    with pytest.raises(ValueError, match="has two rules"):
        register("wsc_swish::swish", Rule(lambda x: x, lambda x: (0, 0), lambda x: x))


def test_a_graph_whose_plugin_is_missing_does_not_verify():
    with pytest.raises(ValueError, match="no installed package registers the operation 'a::b'"):
        Custom("a::b").infer([])


def test_the_op_reads_back_and_runs_from_text():
    import_module(PLUGIN)
    model = capture(Net(), (torch.ones(2),), "m").model
    (value,) = interpret(model.graph, (np.ones(2, np.float32),), model.weights)
    np.testing.assert_allclose(value, 1 + 1 / (1 + np.exp(-1.5)), rtol=1e-6)
