"""Joint graphs: gradients equal autograd's, and a step of AdamW equals torch's."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.zoo import SAMPLES
from wsc.commands.run import relative_error
from wsc.compiler.errors import ModelError
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.verify import verify
from wsc.compiler.passes.pipeline import run_pipeline
from wsc.compiler.training import AdamW, accumulate, adamw, initial_state
from wsc.frontend.hf import load_hf
from wsc.frontend.model_file import load
from wsc.frontend.training import Trained, WithLoss, capture_training

GPT2 = {"seq": "8", "layers": "2", "dim": "32", "heads": "2", "vocab": "50", "logits": "all"}
LLAMA = {"seq": "8", "layers": "2", "dim": "32", "heads": "4", "kv_heads": "2", "hidden": "48", "vocab": "50"}
SAMPLE_OPTIONS = {
    "mlp": {},
    "gpt2": GPT2,
    "llama": {**LLAMA, "logits": "all"},
    "nanogpt": {},
    "recurrent": {"seq": "4"},
}


def cross_entropy(scores: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(scores.flatten(0, -2), target.flatten())


def trained(name: str, **options: str) -> Trained:
    torch.manual_seed(0)
    source = load(str(SAMPLES / f"{name}.py"), {**SAMPLE_OPTIONS[name], **options})
    shape = source.module(*source.example_inputs).shape
    target = torch.randint(shape[-1], shape[:-1])
    return capture_training(WithLoss(source.module, cross_entropy), (source.example_inputs, target), name)


@pytest.mark.parametrize("name", SAMPLE_OPTIONS)
def test_gradients_are_autograds(name: str) -> None:
    found = trained(name)
    check(found)
    backward = [node for node in found.model.graph if node.name.startswith("backward.")]
    assert len(backward) > 10
    assert found.model.graph.work().macs > 0


def check(found: Trained, tolerance: float = 1e-4) -> None:
    verify(found.model.graph)
    model = run_pipeline(found.model)
    assert found.example_inputs is not None
    ours = interpret(model.graph, found.example_inputs, model.weights)
    theirs = found.reference(found.example_inputs)
    assert len(ours) == len(theirs) == 1 + len(found.parameters)
    for a, b in zip(ours, theirs, strict=True):
        assert relative_error(a, b) <= tolerance


OWN_LOSS = {
    "llama": {"hidden_size": 16, "intermediate_size": 24, "num_key_value_heads": 1, "vocab_size": 20},
    "vit": {"hidden_size": 16, "intermediate_size": 24, "image_size": 16, "patch_size": 8},
    "UNet2DModel": {
        "sample_size": 8,
        "block_out_channels": [8, 8],
        "down_block_types": ["DownBlock2D"] * 2,
        "up_block_types": ["UpBlock2D"] * 2,
        "norm_num_groups": 4,
        "layers_per_block": 1,
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", OWN_LOSS)
def test_gradients_of_a_librarys_own_loss(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    pytest.importorskip("diffusers")
    heads = {"llama": ["LlamaForCausalLM"], "vit": ["ViTForImageClassification"]}
    known = {"model_type": kind, "architectures": heads[kind]} if kind in heads else {"_class_name": kind}
    sizes = {"num_hidden_layers": 1, "num_attention_heads": 2} if kind in heads else {}
    (tmp_path / "config.json").write_text(json.dumps({**known, **sizes, **OWN_LOSS[kind]}))
    source = load_hf(f"hf:{tmp_path}", {"weights": "random", **({"seq": "6"} if kind == "llama" else {})})
    found = capture_training(*source.trainable(), source.name)
    model = run_pipeline(found.model)
    assert found.example_inputs is not None
    ours = interpret(model.graph, found.example_inputs, model.weights)
    theirs = found.reference(found.example_inputs)
    largest = max(
        np.abs(gradient).max() for gradient in theirs[1:]
    )  # that of a key's bias is zero but for rounding
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * largest)


def test_a_step_of_adamw_is_torchs() -> None:
    found = trained("mlp")
    rule = AdamW(lr=0.01, weight_decay=0.1, eps=1e-4)  # a small one divides noise by noise
    step = adamw(found.model, found.parameters, rule)
    verify(step.graph)
    assert len(step.graph.state) == 1 + 3 * len(found.parameters)
    assert found.example_inputs is not None
    state = initial_state(step, found.model)
    module = found.module
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.01, weight_decay=0.1, eps=1e-4)
    args, _ = found.arguments.filled([torch.tensor(a) for a in found.example_inputs])
    for _ in range(3):
        outputs = interpret(step.graph, (*found.example_inputs, *state), step.weights)
        state = next_state(step.graph, outputs)
        loss = module(*args)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert relative_error(outputs[0], loss.detach().numpy()) < 1e-4
    values = {node.name: array for node, array in zip(step.graph.inputs[2:], state, strict=True)}
    for key, parameter in module.named_parameters():
        assert relative_error(values[key], parameter.detach().numpy()) < 1e-4


def next_state(graph, outputs):
    following = {state.input: outputs[state.output] for state in graph.state}
    return tuple(following[index] for index in sorted(following))


def test_gradients_of_two_inputs_accumulate_before_a_step() -> None:
    found = trained("mlp")
    assert found.example_inputs is not None
    inputs = found.example_inputs
    summed = accumulate(found.model, found.parameters)
    zeros = [np.zeros(node.type.shape, np.float32) for node in summed.graph.inputs[2:]]
    once = interpret(summed.graph, (*inputs, *zeros), summed.weights)
    twice = interpret(summed.graph, (*inputs, *once[1:]), summed.weights)
    gradients = interpret(found.model.graph, inputs, found.model.weights)[1:]
    for total, gradient in zip(twice[1:], gradients, strict=True):
        np.testing.assert_allclose(total, 2 * gradient, rtol=1e-5, atol=1e-7)
    step = adamw(found.model, found.parameters, AdamW(), accumulated=True)
    verify(step.graph)
    assert len(step.graph.state) == 1 + 4 * len(found.parameters)


def test_the_memory_of_the_optimiser_is_counted() -> None:
    found = trained("mlp")
    step = adamw(found.model, found.parameters, AdamW())
    parameters = sum(p.numel() * 4 for p in found.module.parameters())
    held = sum(step.graph.inputs[state.input].type.bytes for state in step.graph.state)
    assert held == 3 * parameters + 4


def test_on_the_meta_device() -> None:
    with torch.device("meta"):
        module = WithLoss(nn.Linear(8, 4), cross_entropy)
        inputs = (torch.ones(2, 8),), torch.zeros(2, dtype=torch.int64)
    found = capture_training(module, inputs, "m")
    verify(found.model.graph)
    assert found.example_inputs is None
    assert found.parameters == ("module.weight", "module.bias")


class Result(nn.Module):
    def __init__(self, result: Callable[[torch.Tensor], object]) -> None:
        super().__init__()
        self.fc, self.result = nn.Linear(4, 4), result

    def forward(self, x: torch.Tensor) -> object:
        return self.result(self.fc(x))


@pytest.mark.parametrize("result", [lambda y: y, lambda y: (y.sum(), y.mean()), lambda y: y.argmax()])
def test_what_is_no_loss_is_refused(result) -> None:
    with pytest.raises(ModelError, match="returns its loss, one number; this one returns"):
        capture_training(Result(result), (torch.ones(2, 4),), "m")
