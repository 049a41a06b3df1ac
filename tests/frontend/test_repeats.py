"""Equal layers are captured once, and the graph is the one that capturing every layer gives."""

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.zoo import BY_NAME, Entry
from wsc.compiler.ir.text import print_graph
from wsc.frontend import export
from wsc.frontend.capture import capture
from wsc.frontend.model_file import ModelSource
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


class Memory:
    """Of one layer, as a cache has it: changed in place, made anew, or plain."""

    def __init__(self):
        self.seen, self.total, self.calls, self.last = torch.zeros(2, 4), {0: torch.zeros(4)}, 0, None


class Cache:
    def __init__(self, layers):
        self.layers = [Memory() for _ in range(layers)]


class Remembering(nn.Module):
    """Writes into its part of a cache; what else it does there is up to `rule`."""

    def __init__(self, number, rule="none"):
        super().__init__()
        self.number, self.rule = number, rule
        self.fc = nn.Linear(4, 4)

    def forward(self, x, cache):
        memory = cache.layers[self.number]
        memory.seen.add_(x)
        memory.total = {0: memory.total[0] + x.sum(0)}
        memory.last, memory.calls = x * 3, memory.calls + 1
        if self.rule == "first" and self.number:
            x = x + cache.layers[0].seen
        if self.rule == "all":
            x = x + sum(memory.calls for memory in cache.layers)
        return self.fc(x) * memory.calls + memory.seen


class Remember(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        for number in range(len(layers)):
            self.register_buffer(f"seen_{number}", torch.randn(2, 4))

    def forward(self, x):
        cache = Cache(len(self.layers))
        for number, memory in enumerate(cache.layers):
            memory.seen = getattr(self, f"seen_{number}")
        for layer in self.layers:
            x = layer(x, cache)
        return x, *(part for m in cache.layers for part in (m.total[0], m.last, m.seen * m.calls))


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


def captured_both_ways(module, monkeypatch, inputs=None):
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

    inputs = inputs or (torch.randn(2, 4),)
    graphs = []
    for kind in (Spied, Off):
        monkeypatch.setattr(export, "Repeats", kind)
        graphs.append(print_graph(capture(module, inputs, "m").model.graph))
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


@pytest.mark.parametrize(("rule", "repeated"), [("none", 3), ("first", 0), ("all", 0)])
def test_layers_with_a_cache(rule, repeated, monkeypatch, check):
    stack = Remember([Remembering(n, rule) for n in range(4)])
    once, whole, paths = captured_both_ways(stack, monkeypatch)
    assert once == whole
    assert "state" in once
    assert paths == repeated
    check(stack, torch.randn(2, 4))


class Changing(nn.Module):
    """Changes what it is called with in place, and returns what `rule` says of it."""

    def __init__(self, rule):
        super().__init__()
        self.rule = rule
        self.fc = nn.Linear(4, 4)

    def forward(self, x, kept):
        kept.mul_(2)
        if self.rule == "changed twice":
            kept[:1].add_(x[:1])
        made = self.fc(x) + kept
        returned = {"itself": kept, "a view": kept[1:], "a view of all": kept.view_as(kept)}
        return made, returned.get(self.rule, x)


class Changes(nn.Module):
    """Calls layers with tensors of its own, and changes what they return in place."""

    def __init__(self, rule, layers=4):
        super().__init__()
        self.rule = rule
        self.layers = nn.ModuleList(Changing(rule) for _ in range(layers))

    def forward(self, x, caches):
        whole = torch.stack(caches) if self.rule == "views of one" else caches
        for layer, kept in zip(self.layers, whole, strict=True):
            x, other = layer(x, x if self.rule == "twice the same" else kept)
            other.add_(1)
        return x, *(kept * 3 for kept in whole)


@pytest.mark.parametrize(
    ("rule", "repeated"),
    [
        *(("none", 3), ("changed twice", 3), ("itself", 3), ("views of one", 0)),
        *(("a view", 0), ("a view of all", 0), ("twice the same", 3)),
    ],
)
def test_arguments_changed_in_place(rule, repeated, monkeypatch, check):
    inputs = torch.randn(2, 4), [torch.randn(2, 4) for _ in range(4)]
    once, whole, paths = captured_both_ways(Changes(rule), monkeypatch, inputs)
    assert once == whole
    assert paths == repeated
    check(Changes(rule), *inputs)


def test_memory_that_two_layers_share_sets_them_apart(monkeypatch):
    class Shared(Remember):
        def forward(self, x):
            cache = Cache(len(self.layers))
            for memory in cache.layers:
                memory.seen = self.seen_0
            for layer in self.layers:
                x = layer(x, cache)
            return x

    once, whole, _ = captured_both_ways(Shared([Remembering(n) for n in range(4)]), monkeypatch)
    assert once == whole


def test_objects_and_partial_functions_with_equal_attributes_are_equal():
    class Rule:
        def __init__(self, factor, inner=None):
            self.factor, self.inner, self.itself = (
                factor,
                inner or [partial(torch.add, 1, alpha=factor)],
                self,
            )

    def groups(*rules):
        layers = [Layer(n) for n in range(len(rules))]
        for layer, rule in zip(layers, rules, strict=True):
            layer.act = rule
        return len(set(Repeats.of(Stack(layers)).groups.values()))

    assert groups(Rule(2), Rule(2), Rule(2)) == 1
    assert groups(Rule(2), Rule(3), Rule(2)) == 0
    assert groups(*(Rule(2, [partial(torch.add, alpha=a)]) for a in (1, 1, 2))) == 0
    assert groups(*(Rule(2, [torch.ones(1)]) for _ in range(3))) == 0


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


# A model, its phase, and how many of its layers repeat one of another kind that was captured.
PHASES = [
    ("llama3-8b", "decode", 2),
    pytest.param("llama3-8b", "prefill", 2, marks=pytest.mark.slow),
    pytest.param("gemma3", "decode", 4, marks=pytest.mark.slow),
    pytest.param("mamba2-130m", "decode", 2, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("name", "phase", "repeated"), PHASES)
def test_a_cache_changes_nothing(name, phase, repeated, monkeypatch, tmp_path):
    source = of_few_layers(BY_NAME[name], phase, tmp_path)
    once, whole, paths = captured_both_ways(source.module, monkeypatch, source.example_inputs)
    assert once == whole
    assert paths == repeated


def of_few_layers(entry: Entry, phase: str, folder: Path) -> ModelSource:
    """Three layers, or three of each kind."""
    sizes = {"num_hidden_layers": 3}
    if "gemma" in entry.name:
        sizes = {"num_hidden_layers": 6, "layer_types": ["sliding_attention", "full_attention"] * 3}
    options = {"phase": phase, "seq": "8", "context": "8"}
    made = Entry(entry.name, entry.source, entry.config, {}, {**entry.reduced, **sizes}, options)
    return made.small(folder)
