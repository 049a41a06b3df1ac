"""What every target must hold to, whatever its machine: a new one is found by the registry and tested here unasked."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest

from tests.conformance.models import MODELS, Captured, captured
from wsc.backends.registry import Selection, machine_names, select, targets
from wsc.commands.run import relative_error, tolerance
from wsc.compiler.errors import InputMismatch, UnsupportedModel, VerificationError
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.types import DType
from wsc.driver import quantized
from wsc.simulation.trace import Trace

TARGETS = sorted(targets())
SMALL = {
    "cim": "isaac",
    "gpu_cluster": "h100x8",
    "wafer": "wafer-8x8",
}  # the machine to test on, where a target's first is not small


@dataclass(frozen=True)
class Case:
    """A model compiled for a small machine of a target."""

    selection: Selection
    captured: Captured
    model: Model
    plan: Any
    program: Any
    trace: Trace

    @property
    def lower_bound(self) -> int:
        return self.selection.target.lower_bound(self.program, self.selection.machine)


@pytest.fixture(params=[f"{target}-{model}" for target in TARGETS for model in MODELS])
def case(request: pytest.FixtureRequest) -> Case:
    return compiled(*request.param.split("-", 1))


@cache
def compiled(target: str, model: str) -> Case:
    return compile_now(small(target), model_named(model))


def compile_now(selection: Selection, given: Captured) -> Case:
    target, machine = selection.target, selection.machine
    # A target that needs integers gets them as from the driver; from there on the numbers must be the same.
    found = Captured(quantized(given.model, selection, samples=[given.inputs]), given.inputs)
    model = target.legalize(found.model, machine)
    plan = target.plan(model, machine)
    program = target.emit(plan)
    return Case(selection, found, model, plan, program, target.simulate(program, machine))


@cache
def model_named(name: str) -> Captured:
    return captured(name)


@cache
def small(target: str) -> Selection:
    return select(SMALL.get(target) or next(m for m, t in machine_names().items() if t == target))


def test_it_computes_what_the_model_computes(case: Case) -> None:
    inputs = case.captured.inputs
    found = case.selection.target.execute(case.program, case.model.weights, inputs)
    expected = interpret(case.captured.model.graph, inputs, case.captured.model.weights)
    assert [(a.shape, a.dtype) for a in found] == [(a.shape, a.dtype) for a in expected]
    for a, b in zip(found, expected, strict=True):
        assert relative_error(a, b) <= tolerance(b)


def test_legal_models_mean_the_same(case: Case) -> None:
    inputs = case.captured.inputs
    found = interpret(case.model.graph, inputs, case.model.weights)
    expected = interpret(case.captured.model.graph, inputs, case.captured.model.weights)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_it_runs_twice_and_leaves_inputs_and_weights_alone(case: Case) -> None:
    inputs = [array.copy() for array in case.captured.inputs]
    weights = {key: array.copy() for key, array in case.model.weights.items()}
    runs = [case.selection.target.execute(case.program, weights, inputs) for _ in range(2)]
    for a, b in zip(*runs, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(inputs, case.captured.inputs, strict=True):
        np.testing.assert_array_equal(a, b)
    for key, array in weights.items():
        np.testing.assert_array_equal(array, case.model.weights[key])


def test_compiling_again_gives_the_same_bytes(case: Case) -> None:
    again = compile_now(case.selection, case.captured)
    target = case.selection.target
    assert target.print(again.program) == target.print(case.program)
    assert again.trace.to_json() == case.trace.to_json()
    assert target.facts(again.plan) == target.facts(case.plan)


def test_the_text_reads_back(case: Case) -> None:
    target = case.selection.target
    text = target.print(case.program)
    again = target.parse(text)
    assert again == case.program
    assert target.print(again) == text
    assert target.simulate(again, case.selection.machine) == case.trace


def test_broken_text_is_refused(case: Case) -> None:
    target = case.selection.target
    lines = target.print(case.program).splitlines(keepends=True)
    half = len(lines) // 2
    for text in ("", "".join(lines[1:]), "".join([*lines[:half], "nonsense\n", *lines[half:]])):
        with pytest.raises(VerificationError):
            target.parse(text)


def test_the_trace_reads_back(case: Case) -> None:
    assert Trace.from_json(case.trace.to_json()) == case.trace


def test_cycles_respect_the_bound(case: Case) -> None:
    assert 0 < case.lower_bound <= case.trace.interval_cycles


def test_what_was_compiled_is_said_to_fit(case: Case) -> None:
    target = case.selection.target
    found = target.fits(case.model, case.selection.machine)
    assert not found or any(fit.fits for fit in found)
    for need in (need for fit in found for need in fit.needs):
        assert need.units > 0
        assert all(size >= 0 for _, size in need.parts)


def test_every_joule_is_somewhere_on_the_floor_plan(case: Case) -> None:
    """All but the machine's edge, which lies beside the units."""
    parts = case.trace.energy
    plan = case.selection.target.floorplan(case.program, case.selection.machine, case.trace)
    maps = [field for field in plan.fields if field.title.startswith("Energy of an input")]
    assert len(maps) == (1 if parts else 0)
    for field in maps:
        inside = sum(part.joules for part in parts if part.component != "edge")
        assert field.known.sum() == pytest.approx(inside, rel=1e-9)


def test_a_pipeline_is_never_slower_than_one_input_at_a_time(case: Case) -> None:
    assert case.trace.interval_cycles <= case.trace.latency_cycles


def test_every_cycle_of_a_kernel_is_told(case: Case) -> None:
    for kernel in case.trace.kernels:
        told = kernel.compute_cycles + kernel.movement_cycles + kernel.idle_cycles
        assert told == pytest.approx(case.trace.interval_cycles)
        assert min(kernel.compute_cycles, kernel.movement_cycles, kernel.idle_cycles) >= 0


def test_no_work_is_lost(case: Case) -> None:
    assert sum(kernel.macs for kernel in case.trace.kernels) >= case.captured.model.graph.work().macs
    assert case.trace.bounded_by


def test_names_are_told_apart(case: Case) -> None:
    names = [kernel.name for kernel in case.trace.kernels]
    assert len(set(names)) == len(names)


def test_weights_come_from_the_model(case: Case) -> None:
    assert case.selection.target.weight_keys(case.program) <= set(case.model.weights)


def test_the_placement_is_on_the_machine(case: Case) -> None:
    plan = case.selection.target.floorplan(case.program, case.selection.machine, case.trace)
    assert plan.regions
    for region in plan.regions:
        assert region.x + region.width <= plan.width
        assert region.y + region.height <= plan.height
    assert case.captured.model.graph.name in plan.title


def test_the_program_stays_within_the_capacity(case: Case) -> None:
    offered = case.selection.target.capacity(case.program, case.selection.machine)
    assert offered.unit
    assert min(offered.units, offered.chips, offered.memory_bytes) > 0
    assert sum(kernel.bytes_per_unit * kernel.units for kernel in case.trace.kernels) <= offered.memory_bytes
    macs = case.captured.model.graph.work().macs
    assert macs / (case.trace.interval_cycles / case.trace.clock_hz) <= offered.peak_macs_per_second


@pytest.mark.parametrize("target", TARGETS)
def test_its_variants_run_and_are_told_apart(target: str) -> None:
    found = compiled(target, "mlp")
    own, machine = found.selection.target, found.selection.machine
    variants = own.variants(found.program, machine)
    assert len({variant.change for variant in variants}) == len(variants)
    for variant in variants:
        assert (variant.program, variant.machine) != (found.program, machine)
        assert own.simulate(variant.program, variant.machine).interval_cycles > 0


def test_facts_are_told_in_words(case: Case) -> None:
    facts = case.selection.target.facts(case.plan)
    assert facts
    assert len(dict(facts)) == len(facts)
    assert all(name and value for name, value in facts)


def test_wrong_inputs_are_refused(case: Case) -> None:
    target, weights, inputs = case.selection.target, case.model.weights, case.captured.inputs
    for wrong in (
        (),
        (*inputs, inputs[0]),
        (inputs[0][None], *inputs[1:]),
        (inputs[0].astype(bool), *inputs[1:]),
    ):
        with pytest.raises(InputMismatch):
            target.execute(case.program, weights, wrong)


@pytest.mark.parametrize("target", TARGETS)
def test_it_takes_all_floats_or_says_which_nodes_it_cannot(target: str) -> None:
    """Doubles stand for what a machine may lack; what is refused is refused node by node."""
    found = captured("mlp", double=True)
    refused = refusal(small(target), found)
    for node in found.model.graph:
        wide = node.type.dtype is DType.F64 and not node.is_source
        assert not (wide and refused) or f"{node.op.kind} of {node.type} at {node.location}" in refused


def refusal(selection: Selection, found: Captured) -> str:
    try:
        compile_now(selection, found)
    except UnsupportedModel as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", machine_names())
def test_every_machine_that_is_shipped_is_valid(name: str) -> None:
    selection = select(name)
    assert selection.machine.name == name
    assert selection.text.startswith("#")  # `wsc targets` shows the comment at its top
