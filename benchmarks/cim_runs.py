"""What the crossbar sets are held against: our figures of macros, programs and networks, computed once each."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import torch
from torch import Tensor, nn

from benchmarks.cim_networks import network
from benchmarks.cim_puma import program
from benchmarks.cim_sets import Row
from wsc.backends.cim.macro import condition
from wsc.backends.registry import select
from wsc.compiler.errors import DoesNotFit
from wsc.compiler.passes.pipeline import run_pipeline
from wsc.driver import quantized
from wsc.frontend.capture import capture
from wsc.simulation.trace import Trace

MOST_CHIPS = 256  # for models of others, on however many chips they need
MACROS = {"colonnade_jssc_2021": "colonnade", "jia_jssc_2020": "jia", "neurram_nature_2022": "neurram"}


def simulated(
    module: nn.Module, inputs: tuple[Tensor, ...], name: str, machine: str, chips: int = 0
) -> Trace:
    """Cycles of a network compiled for a machine, of `chips` chips if given; cycles do not depend on weights."""
    selection = select(machine)
    if chips:
        chip = selection.machine.chip.model_copy(update={"chips": chips})
        selection = replace(selection, machine=selection.machine.model_copy(update={"chip": chip}))
    model = quantized(run_pipeline(capture(module, inputs, name).model), selection)
    target = selection.target
    emitted = target.emit(target.plan(target.legalize(model, selection.machine), selection.machine))
    trace: Trace = target.simulate(emitted, selection.machine)
    return trace


def macro_error(row: Row) -> float | None:
    """Derived over measured, less one; None where no law covers the row."""
    name = MACROS.get(row["macro"])
    law = select(name).machine.macro if name else None
    metric = law.metrics().get(row["metric"]) if law else None
    if metric is None:
        return None
    try:
        return float(metric(condition(row["condition"])) / float(row["value"]) - 1)
    except KeyError:  # a supply or a number of bits that the machine file does not have
        return None


@cache
def puma_cycles(row: str) -> int | str:
    """Latency of a program on PUMA's machine, or why there is none."""
    made = program(row)
    if made is None:
        return "not written out here"
    try:
        return simulated(*made, "program", "puma", MOST_CHIPS).latency_cycles
    except DoesNotFit as error:
        return str(error)


@cache
def pimcomp_trace(model: str) -> Trace:
    """A network on PIMCOMP's machine."""
    with torch.device("meta"):  # cycles need no bytes of weights
        made = network(model)
    return simulated(*made, model, "pimcomp", MOST_CHIPS)


@cache
def neurosim_trace() -> Trace:
    """VGG-8 on NeuroSim's machine."""
    return simulated(*network("vgg8", 32), "vgg8", "neurosim-22nm")
