"""Equal layers are captured once, and the graph is the one that capturing every layer gives."""

import pytest
import torch
from torch import nn

from wsc.compiler.ir.text import print_graph
from wsc.frontend import export
from wsc.frontend.capture import capture
from wsc.frontend.repeats import Repeats


class Layer(nn.Module):
    """Knows its number and its size; what it does with the number is up to `rule`."""

    def __init__(self, number, width=4, rule="none"):
        super().__init__()
        self.number, self.rule = number, rule
        self.fc = nn.Linear(width, width)
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, x, scale, mask=None, *, flag=False):
        if self.rule == "number" and self.number == 2:
            x = x * 2
        if self.rule == "in place":
            x += 1
        if self.rule == "state":
            self.seen.add_(1)
        x = x + torch.tanh(self.fc(x)) * scale["by"] + torch.arange(4)
        return (x.relu() if flag else x), mask


class Stack(nn.Module):
    def __init__(self, layers, flags=(), between=()):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.flags, self.between = flags, between

    def forward(self, x):
        scale = {"by": x.mean()}
        mask = torch.ones_like(x)
        for number, layer in enumerate(self.layers):
            x, mask = layer(x, scale, mask, flag=number in self.flags)
            if number in self.between:
                x = x.sin()
        return x * mask


def captured_both_ways(module, monkeypatch):
    """The graph, that of every layer captured, and how many layers were not."""
    saved = []

    class Spied(Repeats):
        @staticmethod
        def of(module):
            found = Repeats.of(module)
            saved.append(found)
            return found

    class Off(Repeats):
        @staticmethod
        def of(module):
            return Repeats({}, {}, {})

    x = torch.randn(2, 4)
    graphs = []
    for kind in (Spied, Off):
        monkeypatch.setattr(export, "Repeats", kind)
        graphs.append(print_graph(capture(module, (x,), "m").model.graph))
    return *graphs, len(saved[0].paths)


STACKS = {
    "equal layers": (lambda: Stack([Layer(n) for n in range(5)]), 4),
    "with other constants": (lambda: Stack([Layer(n) for n in range(6)], flags=(3, 4)), 4),
    "with something in between": (lambda: Stack([Layer(n) for n in range(4)], between=(1,)), 3),
    "too few": (lambda: Stack([Layer(n) for n in range(2)]), 0),
    "another configuration": (lambda: Stack([Layer(n, rule=str(n)) for n in range(4)]), 0),
}


@pytest.mark.parametrize("name", STACKS)
def test_the_graph_is_that_of_every_layer_captured(name, monkeypatch):
    make, repeated = STACKS[name]
    once, whole, paths = captured_both_ways(make(), monkeypatch)
    assert once == whole
    assert paths == repeated


@pytest.mark.parametrize("rule", ["number", "in place", "state"])
def test_layers_that_only_seem_equal_are_all_captured(rule, monkeypatch, check):
    stack = Stack([Layer(n, rule=rule) for n in range(4)])
    once, whole, _ = captured_both_ways(stack, monkeypatch)
    assert once == whole
    if rule != "state":
        check(stack, torch.randn(2, 4))


def test_layers_of_two_shapes_are_two_groups():
    layers = [Layer(n, width) for n, width in enumerate([4, 4, 4, 8, 8, 8, 4])]
    groups = Repeats.of(nn.Sequential(nn.ModuleList(layers))).groups
    assert groups == {f"0.{n}": "0.0" if n in (0, 1, 2, 6) else "0.3" for n in range(7)}


def test_tied_weights_and_hooks_set_layers_apart():
    layers = [Layer(n) for n in range(4)]
    layers[3].register_forward_hook(lambda *_: None)
    assert "layers.3" not in Repeats.of(Stack(layers)).groups


def test_modules_are_as_before(monkeypatch):
    stack = Stack([Layer(n) for n in range(4)])
    captured_both_ways(stack, monkeypatch)
    assert [layer.number for layer in stack.layers] == [0, 1, 2, 3]
    assert not any("forward" in vars(layer) for layer in stack.layers)


@pytest.mark.parametrize("name", ["LlamaForCausalLM", "GPT2LMHeadModel", "ViTModel"])
def test_models_of_transformers(name, monkeypatch):
    transformers = pytest.importorskip("transformers")
    sizes = {"num_hidden_layers": 4, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 24}
    if name == "GPT2LMHeadModel":
        sizes = {"n_layer": 4, "n_embd": 16, "n_head": 2}
    config = getattr(transformers, name).config_class(**sizes, use_cache=False)
    config.vocab_size = 20
    module = getattr(transformers, name)(config)
    pixels = {"pixel_values": torch.randn(1, 3, 224, 224)}
    inputs = pixels if name == "ViTModel" else {"input_ids": torch.ones(1, 6, dtype=torch.int64)}
    once = capture(module, inputs, "m").model.graph
    monkeypatch.setattr(export, "Repeats", type("Off", (), {"of": lambda _: Repeats({}, {}, {})}))
    assert print_graph(once) == print_graph(capture(module, inputs, "m").model.graph)
