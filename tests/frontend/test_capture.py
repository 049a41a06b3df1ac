"""What a capture keeps of the module: weights without copies, names, places, nesting, constants."""

import numpy as np
import pytest
import torch
from torch import fx, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from wsc.compiler.errors import InputMismatch, ModelError, UnsupportedModel
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.text import print_graph
from wsc.compiler.ops import Constant, Parameter
from wsc.frontend.capture import capture


def keys(graph):
    return [node.op.key for node in graph.weights]


def test_weights_share_memory():
    module = nn.Linear(4, 3)
    model = capture(module, (torch.randn(2, 4),), "m").model
    assert set(model.weights) == {"weight", "bias"}
    assert np.shares_memory(model.weights["weight"], module.weight.detach().numpy())


def test_weights_share_memory_in_bfloat16():
    module = nn.Linear(4, 3).bfloat16()
    weight = capture(module, (torch.randn(2, 4).bfloat16(),), "m").model.weights["weight"]
    assert str(weight.dtype) == "bfloat16"
    with torch.no_grad():
        module.weight[0, 0] = 7
    assert weight[0, 0] == 7


def test_tied_weights_have_one_key():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(5, 4)
            self.head = nn.Linear(4, 5, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, tokens):
            return self.head(self.embed(tokens))

    model = capture(Tied(), (torch.tensor([1, 2]),), "m").model
    assert keys(model.graph) == ["embed.weight"]
    assert set(model.weights) == {"embed.weight"}


class PutInOrder(nn.Module):
    """Scales its weight in its first call, as RWKV does for inference."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 3))
        self.ordered = False

    def forward(self, x):
        if not self.ordered:
            with torch.no_grad():
                self.weight.div_(2)
            self.ordered = True
        return x @ self.weight


def test_weights_put_in_order_by_the_first_call(check):
    module = PutInOrder()
    before = module.weight.detach().clone()
    check(module, torch.randn(2, 3))
    assert torch.equal(module.weight, before / 2)


class Counting(nn.Module):
    """Changes its weight in every call."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 3))

    def forward(self, x):
        with torch.no_grad():
            self.weight.add_(1)
        return x @ self.weight


def test_weights_changed_by_every_call_are_refused():
    with pytest.raises(UnsupportedModel, match="a change of 'weight' in place"):
        capture(Counting(), (torch.randn(2, 3),), "m")


class Tables(nn.Module):
    """Constants of many kinds."""

    def __init__(self):
        super().__init__()
        self.register_buffer("kept", torch.ones(3))
        self.register_buffer("passing", torch.ones(3), persistent=False)
        self.plain = torch.full((3,), 2.0)
        self.unused = nn.Linear(3, 3)

    def forward(self, x):
        x = x + self.kept + self.passing + self.plain
        x = x + torch.arange(3) * 2 + torch.tensor([0, 2, 4])
        return x + torch.zeros(1000, 1, 1).expand(1000, 64, 3)


def test_constants_are_computed_shared_and_stored_once(check):
    graph = check(Tables(), torch.randn(3))
    assert [key for key in keys(graph) if not key.startswith("constant.")] == ["kept", "passing"]
    constants = [node for node in graph if isinstance(node.op, Constant)]
    assert [str(node.type) for node in constants] == ["f32[3]", "f32[3]", "f32[1000,1,1]"]


def test_equal_constants_are_one_node(check):
    graph = check(lambda x: (x + torch.arange(3), x * torch.tensor([0, 1, 2])), torch.randn(3))
    assert [node.op.kind for node in graph].count("constant") == 1


class Nested(nn.Module):
    def forward(self, pair, scale, table, flag=False, missing=None):
        assert missing is None
        left, right = pair
        result = {"sum": left + right * scale, "rest": [None, table["a"] if flag else table["b"]]}
        return result, left


def test_nested_arguments_and_results(check):
    table = {"a": torch.randn(2), "b": torch.randn(2)}
    graph = check(Nested(), (torch.randn(3), torch.randn(3)), 2, table, True)
    assert [node.name for node in graph.inputs] == ["pair_0", "pair_1", "table_a", "table_b"]
    assert graph.outputs == ("add", "table_a", "pair_0")


def test_keyword_arguments_in_any_order():
    table = {"b": torch.randn(2), "a": torch.randn(2)}
    example = {"flag": True, "table": table, "scale": 3.0, "pair": (torch.randn(3), torch.zeros(3))}
    captured = capture(Nested(), example, "m")
    ours = interpret(captured.model.graph, captured.example_inputs, captured.model.weights)
    for our, their in zip(ours, captured.reference(captured.example_inputs), strict=True):
        np.testing.assert_allclose(our, their)


def test_results_that_are_not_computed(check):
    linear = nn.Linear(2, 2)

    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = linear

        def forward(self, x):
            return x, self.linear.weight, torch.arange(3), x, 5

    graph = check(Plain(), torch.randn(2))
    assert graph.outputs == ("x", "linear.weight", "constant.arange", "x")


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4, bias=False)

    def forward(self, x):
        return torch.relu(self.fc(x))


class Stack(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([Block(), Block()])

    def forward(self, x):
        for block in [*self.blocks, self.blocks[0]]:
            x = block(x)
        return x


def test_names_and_places():
    graph = capture(Stack(), (torch.randn(1, 4),), "m").model.graph
    computed = [node for node in graph if not node.is_source]
    assert [node.name for node in computed] == [
        "blocks.0.fc.linear",
        "blocks.0.relu",
        "blocks.1.fc.linear",
        "blocks.1.relu",
        "blocks.0.fc.linear_1",
        "blocks.0.relu_1",
    ]
    line = Block.forward.__code__.co_firstlineno + 1
    assert str(computed[0].location) == f"tests/frontend/test_capture.py:{line} (in blocks.0.fc)"
    assert str(computed[3].location) == f"tests/frontend/test_capture.py:{line} (in blocks.1)"


def test_the_same_text_every_time():
    texts = {print_graph(capture(Stack(), (torch.randn(1, 4),), "m").model.graph) for _ in range(2)}
    assert len(texts) == 1


def test_a_traced_graph_module(check):
    traced = fx.symbolic_trace(Stack())
    graph = check(traced, torch.randn(1, 4))
    assert keys(graph) == ["blocks.0.fc.weight", "blocks.1.fc.weight"]


def test_meta_device():
    with torch.device("meta"):
        module = Stack()
    captured = capture(module, (torch.randn(1, 4),), "m")
    assert captured.example_inputs is None
    assert not captured.model.weights
    assert captured.model.missing_weights() == ("blocks.0.fc.weight", "blocks.1.fc.weight")
    with pytest.raises(ModelError, match="weights on the meta device"):
        captured.reference([np.zeros((1, 4), np.float32)])


def test_meta_device_gives_the_same_graph():
    with torch.device("meta"):
        meta = capture(Stack(), (torch.randn(1, 4),), "m")
    assert meta.model.graph == capture(Stack(), (torch.randn(1, 4),), "m").model.graph


def test_fake_tensors():
    with FakeTensorMode():
        module, x = Stack(), torch.randn(1, 4)
    captured = capture(module, (x,), "m")
    assert captured.example_inputs is None
    assert not captured.model.weights


def test_training_mode_is_left():
    module = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(4)).train()
    graph = capture(module, (torch.randn(3, 4),), "m").model.graph
    assert not module.training
    assert [node.op.fn for node in graph if node.type.rank == 2 and node.op.kind == "elementwise"] == [
        "mul",
        "add",
    ]


def test_modes_inside_of_forward(check):
    def forward(x, w):
        with torch.no_grad():
            y = x @ w
        with torch.autocast("cpu", dtype=torch.bfloat16):
            z = x @ w
        return y, z

    check(forward, torch.ones(3, 4), torch.ones(4, 2))


def test_reference_checks_its_inputs():
    captured = capture(nn.Linear(4, 3), (torch.randn(2, 4),), "m")
    with pytest.raises(InputMismatch, match=r"input 0 of 'm' must be f32\[2,4\], float32\[2, 5\] was given"):
        captured.reference([np.zeros((2, 5), np.float32)])


def test_reference_leaves_its_inputs_alone():
    class Greedy(nn.Module):
        def forward(self, x):
            return x.clone().add_(1)

    captured = capture(Greedy(), (torch.zeros(2),), "m")
    given = np.zeros(2, np.float32)
    given.flags.writeable = False
    assert captured.reference([given])[0].tolist() == [1, 1]
    assert given.tolist() == [0, 0]


def test_parameters_of_every_read_are_one_node(check):
    graph = check(Stack(), torch.randn(1, 4))
    assert [node.op.kind for node in graph].count(Parameter.kind) == 2
