"""Every sample: at a small size it computes what torch computes; at full size it does the work that torch counts."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.text import parse_graph, print_graph
from wsc.compiler.ir.verify import verify
from wsc.frontend.capture import Captured, capture
from wsc.frontend.model_file import ModelSource, load

SAMPLES = Path(__file__).parents[2] / "samples"
SMALL = {
    "mlp": {"width": "32", "batch": "4"},
    "gpt2": {"seq": "16", "layers": "2", "dim": "32", "heads": "2", "vocab": "64"},
    "resnet50": {"size": "32", "width": "4", "blocks": "1,2,1,1"},
    "llama": {"seq": "16", "dim": "64", "hidden": "96", "heads": "4", "kv_heads": "2", "vocab": "64"},
    "nanogpt": {},
    "recurrent": {"dim": "16", "layers": "1", "vocab": "16"},
}
WITH_STATE = {"llama3_8b", "llama3_70b"}  # phases, with caches: tests/wafer/test_sequential.py
VARIANTS = {
    "mlp": {"depth": "1"},
    "gpt2": {"logits": "all"},
    "resnet50": {"batch": "2"},
    "llama": {"logits": "all", "layers": "1", "batch": "2"},
    "nanogpt": {"batch": "2"},
    "recurrent": {"cell": "gru"},
}
FULL = {
    "mlp": ({}, 0.0),
    "gpt2": ({}, 22.4),
    "resnet50": ({}, 8.2),
    "llama": ({}, 1.6),
    "llama 8b": ({"shape": "8b"}, 1796.3),
}
FULL_CASES = [pytest.param(name, marks=pytest.mark.slow if "8b" in name else ()) for name in FULL]


def sample(name: str, options: dict[str, str]) -> ModelSource:
    return load(str(SAMPLES / f"{name.split()[0]}.py"), options)


def captured(source: ModelSource) -> Captured:
    return capture(source.module, source.example_inputs, source.name)


def test_every_sample_is_tested():
    assert {path.stem for path in SAMPLES.glob("*.py")} == set(SMALL) | WITH_STATE


@pytest.mark.parametrize("variant", [False, True], ids=["small", "variant"])
@pytest.mark.parametrize("name", SMALL)
def test_numbers(name, variant):
    model = captured(sample(name, {**SMALL[name], **(VARIANTS[name] if variant else {})}))
    graph = model.model.graph
    verify(graph)
    assert parse_graph(print_graph(graph)) == graph
    (our,) = interpret(graph, model.example_inputs, model.model.weights)
    (their,) = model.reference(model.example_inputs)
    assert np.abs(their).max() > 0.1
    np.testing.assert_allclose(our, their, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", FULL_CASES)
def test_work_is_what_torch_counts(name):
    """Exactly. On the meta device torch's counter sees attention as two batched products over all positions, causal or
    not, as our count does; in host memory attention is one kernel that the counter does not know and leaves out.
    """
    options, giga = FULL[name]
    with torch.device("meta"):
        source = sample(name, options)
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        source.module.eval()(*source.example_inputs)
    graph = captured(source).model.graph
    assert 2 * graph.work().macs == counter.get_total_flops()
    assert round(counter.get_total_flops() / 1e9, 1) == giga


def test_half_precision():
    source = sample("llama", SMALL["llama"])
    model = capture(source.module.bfloat16(), source.example_inputs, "llama")
    (our,) = interpret(model.model.graph, model.example_inputs, model.model.weights)
    (their,) = model.reference(model.example_inputs)
    assert our.dtype == their.dtype
    np.testing.assert_allclose(our.astype(np.float32), their.astype(np.float32), rtol=0.05, atol=0.05)


def test_the_last_position_alone_is_the_last_of_all():
    results = {}
    for logits in ("last", "all"):
        model = captured(sample("gpt2", {**SMALL["gpt2"], "logits": logits}))
        (results[logits],) = interpret(model.model.graph, model.example_inputs, model.model.weights)
    np.testing.assert_allclose(results["last"], results["all"][:, -1:], rtol=1e-4, atol=1e-6)


def test_the_shape_of_llama_3_8b():
    with torch.device("meta"):
        module = sample("llama", {"shape": "8b"}).module
    parameters = sum(parameter.numel() for parameter in module.parameters())
    assert parameters == 8_030_261_248
    assert {tensor.dtype for tensor in module.parameters()} == {torch.bfloat16}


def test_the_size_of_gpt2_and_resnet50():
    with torch.device("meta"):
        modules = [sample(name, {}).module for name in ("gpt2", "resnet50")]
    assert [sum(p.numel() for p in module.parameters()) for module in modules] == [124_439_808, 25_557_032]
