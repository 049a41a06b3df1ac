"""Every sample through the wafer backend: right numbers, legal placement, cycles no better than the machine allows."""

import numpy as np
import pytest

from tests.samples.test_samples import SAMPLES, SMALL
from wsc.backends.registry import select
from wsc.backends.wafer.simulate.bound import latency_lower_bound, lower_bound
from wsc.driver import Compiled, compile_model
from wsc.frontend.capture import Captured, capture
from wsc.frontend.model_file import load

FULL = {
    "mlp": {},
    "gpt2": {},
    "resnet50": {},
    "llama": {},
}


def compiled(name: str, options: dict[str, str], target: str) -> tuple[Captured, Compiled]:
    source = load(str(SAMPLES / f"{name}.py"), options)
    captured = capture(source.module, source.example_inputs, source.name)
    return captured, compile_model(captured.model, select(target))


def assert_within_bounds(result: Compiled) -> None:
    trace, program, machine = result.trace, result.program, result.selection.machine
    assert trace.interval_cycles >= lower_bound(program, machine) > 0
    assert trace.latency_cycles >= latency_lower_bound(program, machine)
    assert trace.latency_cycles >= max(kernel.busy_cycles for kernel in trace.kernels)
    assert all(kernel.busy_cycles <= trace.interval_cycles for kernel in trace.kernels)
    assert all(kernel.bytes_per_unit <= machine.core.sram_bytes for kernel in trace.kernels)


@pytest.mark.parametrize("name", SMALL)
def test_small_samples_compute_what_torch_computes(name: str) -> None:
    captured, result = compiled(name, SMALL[name], "wafer-32x32")
    assert captured.example_inputs is not None
    found = result.selection.target.execute(result.program, result.model.weights, captured.example_inputs)
    for ours, theirs in zip(found, captured.reference(captured.example_inputs), strict=True):
        assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(theirs).max()
    assert_within_bounds(result)


@pytest.mark.slow
@pytest.mark.parametrize("name", FULL)
def test_full_samples_respect_the_machine_and_balance(name: str) -> None:
    _, result = compiled(name, FULL[name], "wse2")
    assert_within_bounds(result)


@pytest.mark.slow
def test_gpt2_stages_are_even_and_use_the_wafer() -> None:
    _, result = compiled("gpt2", {}, "wse2")
    stages = result.trace.kernels
    mean = sum(k.busy_cycles for k in stages) / len(stages)
    assert max(k.busy_cycles for k in stages) <= 1.15 * mean
    assert sum(k.units for k in stages) >= 0.6 * result.selection.machine.cores


@pytest.mark.slow
def test_llama_8b_is_compiled_from_the_meta_device() -> None:
    captured, result = compiled("llama", {"shape": "8b"}, "wse2")
    assert captured.example_inputs is None
    assert_within_bounds(result)


@pytest.mark.slow
def test_small_gpt2_on_the_whole_wafer_computes_what_torch_computes() -> None:
    options = {"seq": "128", "layers": "1", "dim": "192", "heads": "3", "vocab": "1000"}
    captured, result = compiled("gpt2", options, "wse2")
    assert captured.example_inputs is not None
    (found,) = result.selection.target.execute(result.program, result.model.weights, captured.example_inputs)
    (expected,) = captured.reference(captured.example_inputs)
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()
