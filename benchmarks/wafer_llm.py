"""Programs of language models as WaferLLM measured them: one region of a wafer, layer after layer.

The regions they measured do not hold all layers of a model (their larger models are scaled from some of the layers, as
they say); so a program of two layers is made, and its repeat is run as often as the model has layers.
"""

from __future__ import annotations

import re
import runpy
from dataclasses import replace
from functools import cache
from pathlib import Path

from wsc.backends.wafer.legalize import legalize
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Instruction, Kernel, Program, Repeat
from wsc.backends.wafer.sequential.emit import emit_sequential
from wsc.backends.wafer.sequential.plan import Wanted, plan_sequential
from wsc.compiler.errors import DoesNotFit
from wsc.compiler.ir.model import Model
from wsc.compiler.passes.pipeline import run_pipeline
from wsc.frontend.capture import capture
from wsc.frontend.model_file import load

SAMPLE = Path(__file__).resolve().parent.parent / "samples" / "llama3_8b.py"
CLOCK_HZ = 1.1e9  # that the authors of WaferLLM convert cycles with
_LAYERS = 2
_MORE = 16  # times the memory, where a region does not hold two layers beside the vocabulary


def program(
    shape: str, phase: str, grid: tuple[int, int], context: int, layers: int, wafer: Wafer
) -> Program:
    """The program for one token, or for a prompt that fills the context, of a model with so many layers."""
    model = legalize(_model(shape, phase, context), wafer)
    try:
        plan = plan_sequential(model, wafer, Wanted(grid, 1))
    except DoesNotFit:
        core = wafer.core.model_copy(update={"sram_bytes": _MORE * wafer.core.sram_bytes})
        plan = plan_sequential(model, wafer.model_copy(update={"core": core}), Wanted(grid, 1))
    small = emit_sequential(plan)
    return replace(small, kernels=tuple(_repeated(kernel, layers) for kernel in small.kernels))


def shape_of(name: str) -> str:
    """The sample's shape of a model by its published name, e.g. "CodeLLaMA-34B"; raises ValueError with those known."""
    shapes: list[str] = list(runpy.run_path(str(SAMPLE))["SHAPES"])
    found = [shape for shape in shapes if _letters(name).startswith(_letters(shape))]
    if not found:
        raise ValueError(f"no shape of {SAMPLE.name} is '{name}': there are {', '.join(shapes)}")
    return max(found, key=len)


def _letters(name: str) -> str:
    """Letters and figures alone, so that "Qwen2-72B" and "QWen2 72B-Instruct" begin alike."""
    return "".join(re.findall("[a-z0-9]", name.lower()))


@cache
def _model(shape: str, phase: str, context: int) -> Model:
    options = {"shape": shape, "phase": phase, "context": str(context), "layers": str(_LAYERS)}
    source = load(str(SAMPLE), options)
    return run_pipeline(capture(source.module, source.example_inputs, source.name).model)


def _repeated(kernel: Kernel, layers: int) -> Kernel:
    return replace(kernel, body=tuple(_longer(instruction, layers) for instruction in kernel.body))


def _longer(instruction: Instruction, layers: int) -> Instruction:
    if not isinstance(instruction.op, Repeat):
        return instruction
    return replace(instruction, op=replace(instruction.op, steps=layers))
