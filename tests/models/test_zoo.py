"""The models that people run, at reduced width: numbers equal eager's, work equals torch's own count."""

from pathlib import Path

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.zoo import BY_NAME
from wsc.commands.run import relative_error
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.passes.pipeline import run_pipeline
from wsc.frontend.capture import Captured, capture

pytest.importorskip("transformers")
pytest.importorskip("diffusers")

EVERY_DAY = {"llama3-8b", "mixtral-8x7b", "mamba-130m", "gru", "nanogpt"}
TOLERANCE = 1e-4


def marked(name: str) -> object:
    return name if name in EVERY_DAY else pytest.param(name, marks=pytest.mark.slow)


@pytest.fixture(params=[marked(name) for name in BY_NAME])
def captured(request: pytest.FixtureRequest, tmp_path: Path) -> Captured:
    torch.manual_seed(0)
    source = BY_NAME[request.param].small(tmp_path)
    return capture(source.module, source.example_inputs, source.name)


def test_numbers_and_work_are_torchs(captured: Captured) -> None:
    model = run_pipeline(captured.model)
    assert captured.example_inputs is not None
    ours = interpret(model.graph, captured.example_inputs, model.weights)
    theirs = captured.reference(captured.example_inputs)
    assert len(ours) == len(theirs) > 0
    for a, b in zip(ours, theirs, strict=True):
        assert relative_error(a, b) <= TOLERANCE
    counted = flops(captured)
    assert captured.model.graph.work().macs == pytest.approx(counted / 2, rel=1e-3)


def flops(captured: Captured) -> int:
    """What torch counts, with attention as products and experts as products of each row with its matrix."""
    module = captured.module
    if config := getattr(module, "config", None):
        config._experts_implementation = "batched_mm"
    args, kwargs = captured.arguments.filled(captured.arguments.tensors)
    with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        module(*args, **kwargs)
    return int(counter.get_total_flops())
