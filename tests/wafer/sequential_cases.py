"""Small Llamas for the tests of sequential plans: captured, legalized, with inputs."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.target import TARGET
from wsc.compiler.ir.model import Model
from wsc.compiler.ops.base import Array
from wsc.compiler.passes.pipeline import run_pipeline
from wsc.frontend.capture import capture
from wsc.frontend.model_file import load

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


@cache
def machine(name: str) -> Wafer:
    return TARGET.machine(TARGET.machines()[name])


@cache
def llama(phase: str, context: int = 16, seq: int = 0, batch: int = 1, layers: int = 3) -> Model:
    sizes = {"phase": phase, "context": context, "seq": seq, "batch": batch, "layers": layers}
    return captured("llama3_8b", shape="tiny", **{key: str(value) for key, value in sizes.items()})


def captured(sample: str, **options: str) -> Model:
    source = load(str(SAMPLES / f"{sample}.py"), options)
    model = run_pipeline(capture(source.module, source.example_inputs, sample.removesuffix("3_8b")).model)
    return TARGET.legalize(model, machine("wafer-4x4"))


def inputs_of(model: Model, position: int = 0, seed: int = 0) -> list[Array]:
    rng = np.random.default_rng(seed)
    given = {
        "tokens": lambda shape: rng.integers(0, 64, shape),
        "position": lambda shape: np.full(shape, position),
    }
    return [
        given[n.name](n.type.shape)
        if n.name in given
        else rng.standard_normal(n.type.shape).astype(np.float32)
        for n in model.graph.inputs
    ]
