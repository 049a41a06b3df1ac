"""The models that people run, at reduced width: numbers equal eager's, work equals torch's own count."""

from pathlib import Path

import pytest
import torch

from benchmarks.flops import counted_macs
from benchmarks.zoo import BY_NAME
from tests.models.kept import told
from wsc.commands.run import relative_error
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.passes.pipeline import run_pipeline
from wsc.frontend.capture import capture

pytest.importorskip("transformers")
pytest.importorskip("diffusers")

# What each keeps whole at reduced width.
KEPT = {
    "gpt2": "3 attention, 7 norm; 3 causal",
    "bert": "3 attention, 7 norm; 3 open",
    "llama3-8b": "3 attention, 3 gated_mlp, 7 norm, 6 rotary; 3 causal, 3 grouped queries",
    "llama3-70b": "5 attention, 5 gated_mlp, 11 norm, 10 rotary; 5 causal, 5 grouped queries",
    "qwen2-7b": "3 attention, 3 gated_mlp, 7 norm, 6 rotary; 3 causal, 3 grouped queries",
    "qwen3-8b": "3 attention, 3 gated_mlp, 13 norm, 6 rotary; 3 causal, 3 grouped queries",
    "gemma3": "6 attention, 6 gated_mlp, 37 norm, 12 rotary; 1 causal, 6 grouped queries, 5 sliding",
    "mixtral-8x7b": "3 attention, 6 grouped, 3 mixture, 7 norm, 6 rotary, 3 softmax, 12 topk; "
    "3 causal, 3 grouped queries",
    "t5-small": "12 attention, 22 norm; 8 mask, 4 open",
    "vit-base": "3 attention, 1 convolution, 7 norm; 3 open",
    "convnext-tiny": "17 convolution, 18 norm",
    "resnet-50": "41 convolution",
    "whisper-small": "9 attention, 2 convolution, 17 norm; 3 causal",
    "mamba-130m": "3 convolution, 4 norm, 3 recurrence, 3 selective_scan",
    "mamba2-130m": "3 convolution, 7 norm, 3 selective_scan",
    "sd15-unet": "12 attention, 47 convolution, 6 gated_mlp, 49 norm",
    "dit-xl-2": "3 attention, 1 convolution, 7 norm",
    "lstm": "12 lstm_cell",
    "gru": "12 gru_cell",
    "nanogpt": "2 attention, 5 norm; 2 causal",
}
EVERY_DAY = {"llama3-8b", "mixtral-8x7b", "mamba-130m", "gru", "nanogpt"}
TOLERANCE = 1e-4


def marked(name: str) -> object:
    return name if name in EVERY_DAY else pytest.param(name, marks=pytest.mark.slow)


@pytest.mark.parametrize("name", [marked(name) for name in BY_NAME])
def test_numbers_work_and_what_is_kept_whole(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    source = BY_NAME[name].small(tmp_path)
    captured = capture(source.module, source.example_inputs, source.name)
    model = run_pipeline(captured.model)
    assert told(model) == KEPT[name]
    assert captured.example_inputs is not None
    ours = interpret(model.graph, captured.example_inputs, model.weights)
    theirs = captured.reference(captured.example_inputs)
    assert len(ours) == len(theirs) > 0
    for a, b in zip(ours, theirs, strict=True):
        assert relative_error(a, b) <= TOLERANCE
    counted = counted_macs(captured)
    assert captured.model.graph.work().macs == pytest.approx(counted, rel=1e-3)
