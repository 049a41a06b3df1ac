"""Mixtures, scans, rotary embeddings and gated MLPs of whole models stay found, and every target computes them."""

from collections import Counter
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch

from benchmarks.zoo import BY_NAME
from wsc.api import build_of
from wsc.backends.registry import select
from wsc.commands.run import relative_error
from wsc.compiler.ops import Grouped
from wsc.compiler.parts.part import part_work, parts_of
from wsc.compiler.passes.pipeline import run_pipeline
from wsc.frontend.capture import Captured, capture

pytest.importorskip("transformers")

MIXTURE = {f"mixture.{stage}": 1 for stage in ("router", "dispatch", "experts", "combine")}
MODELS = {
    "llama3-8b": {"rotary": 2, "gated_mlp": 1},
    "mixtral-8x7b": {"rotary": 2, **MIXTURE},
    "mamba-130m": {"selective_scan": 1},
    "mamba2-130m": {"selective_scan": 1},
}
MACHINES = {"wafer-16x16": 1e-4, "h100x8": 1e-4, "isaac": 1e-3}  # isaac's weights are in 16 bits


@cache
def one_layer(name: str) -> Captured:
    torch.manual_seed(0)
    entry = BY_NAME[name]
    entry = type(entry)(
        name, entry.source, entry.config, {}, {**entry.reduced, "num_hidden_layers": 1}, {"seq": "8"}
    )
    with TemporaryDirectory() as folder:
        source = entry.small(Path(folder))
    return capture(source.module, source.example_inputs, name)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", MODELS)
def test_every_target_computes_what_is_kept_whole(name: str, machine: str) -> None:
    captured = one_layer(name)
    build = build_of(captured, select(machine))
    assert Counter(part.kind for part in parts_of(build.graph)) == MODELS[name]
    assert captured.example_inputs is not None
    found = build.execute(captured.example_inputs)
    for a, b in zip(found, captured.reference(captured.example_inputs), strict=True):
        assert relative_error(a, b) <= MACHINES[machine]


def test_the_parts_of_a_mixture_have_work_of_their_own() -> None:
    graph = run_pipeline(one_layer("mixtral-8x7b").model).graph
    works = {part.kind: part_work(graph, part) for part in parts_of(graph)}
    experts = [node for node in graph if isinstance(node.op, Grouped)]
    assert works["mixture.experts"].macs == sum(graph.node_work(node).macs for node in experts)
    assert works["mixture.router"].macs == 8 * 32 * 4  # tokens, width, experts
    assert works["mixture.dispatch"].macs == works["mixture.combine"].macs == 0
    assert all(work.bytes_written for work in works.values())
