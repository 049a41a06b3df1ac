"""Programs compute what the graph means: every op, through the plan and cut in every way that a plan might choose."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compiler.arrays import draw
from tests.compiler.graphs import model
from tests.wafer.compiling import (
    assert_near,
    check_golden,
    check_numbers,
    compile_for,
    random_inputs,
    sized,
)
from tests.wafer.forcing import TAILS, build, chunkings, cuttings, force, only_kernel
from tests.wafer.models import MODELS, decoder_step, integers, mlp, weights_alone
from tests.wafer.random_models import random_models
from tests.wafer.samples import SAMPLES, Sample
from wsc.backends.wafer.execute import execute
from wsc.compiler.errors import InputMismatch
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.model import Model
from wsc.compiler.ops import op_kinds
from wsc.compiler.ops.base import Array

SOURCES = {"input", "parameter", "constant"}
EVERY_SAMPLE = pytest.mark.parametrize("kind", sorted(SAMPLES))
MACHINES = st.sampled_from(["wafer-4x4", "wafer-8x8", "wafer-16x16"])
TAIL = st.sampled_from(TAILS)
SEED = st.integers(0, 2**32 - 1)
FEW, MANY = 12, 100  # examples of an everyday run, and of a slow one


# --- one op through the plan


def test_every_op_that_computes_has_samples() -> None:
    assert set(op_kinds()) - SOURCES - {"custom"} <= set(SAMPLES)  # what a user's own op means, a plugin says


def check_planned(kind: str, data: st.DataObject, machine: str, tail: str) -> None:
    sample: Sample = data.draw(SAMPLES[kind])
    weights = data.draw(st.sets(st.integers(0, len(sample.types) - 1)))
    made, inputs = build(sample, weights, tail)
    check_numbers(compile_for(machine, made), inputs)


@EVERY_SAMPLE
@settings(max_examples=FEW)
@given(data=st.data(), machine=MACHINES, tail=TAIL)
def test_a_planned_op_computes_what_it_means(kind: str, data: st.DataObject, machine: str, tail: str) -> None:
    check_planned(kind, data, machine, tail)


@pytest.mark.slow
@EVERY_SAMPLE
@settings(max_examples=MANY)
@given(data=st.data(), machine=MACHINES, tail=TAIL)
def test_many_planned_ops_compute_what_they_mean(
    kind: str, data: st.DataObject, machine: str, tail: str
) -> None:
    check_planned(kind, data, machine, tail)


# --- one op cut along every axis that may be cut, and every two, whole and chunk by chunk


def check_forced(kind: str, data: st.DataObject, tail: str, seed: int) -> None:
    sample: Sample = data.draw(SAMPLES[kind])
    weights = data.draw(st.sets(st.integers(0, len(sample.types) - 1)))
    made, inputs = build(sample, weights, tail, seed)
    expected = interpret(made.graph, inputs, made.weights)
    legal, kernel = only_kernel(made)
    rng = np.random.default_rng(seed)
    for chunking in chunkings(kernel):
        for cutting in cuttings(kernel, rng, chunking):
            actual = execute(force(legal, kernel, cutting), legal.weights, inputs)
            assert_near(actual[0], expected[0])


@EVERY_SAMPLE
@settings(max_examples=FEW)
@given(data=st.data(), tail=TAIL, seed=SEED)
def test_an_op_computes_what_it_means_however_it_is_cut(
    kind: str, data: st.DataObject, tail: str, seed: int
) -> None:
    check_forced(kind, data, tail, seed)


@pytest.mark.slow
@EVERY_SAMPLE
@settings(max_examples=MANY)
@given(data=st.data(), tail=TAIL, seed=SEED)
def test_many_ops_compute_what_they_mean_however_they_are_cut(
    kind: str, data: st.DataObject, tail: str, seed: int
) -> None:
    check_forced(kind, data, tail, seed)


# --- whole models

INTEGERS = {  # inputs that index something
    "decoder_step": {"token": 23, "place": 5},
    "integers": {"i": 7},
}


def inputs_of(name: str, made: Model) -> list[Array]:
    rng = np.random.default_rng(5)
    return [draw(node.type, rng, INTEGERS.get(name, {}).get(node.name, 5)) for node in made.graph.inputs]


@pytest.mark.parametrize("machine", ["wafer-4x4", "wafer-16x16"])
@pytest.mark.parametrize("name", sorted(MODELS))
def test_models_compute_what_they_mean(name: str, machine: str) -> None:
    made = MODELS[name]()
    check_numbers(compile_for(machine, made), inputs_of(name, made))


@settings(max_examples=FEW)
@given(random_models(), MACHINES.filter(lambda name: name != "wafer-4x4"))
def test_random_models_compute_what_they_mean(made: tuple[Model, list[Array]], machine: str) -> None:
    check_numbers(compile_for(machine, made[0]), made[1])


@pytest.mark.slow
@settings(max_examples=2 * MANY)
@given(random_models(), MACHINES.filter(lambda name: name != "wafer-4x4"))
def test_many_random_models_compute_what_they_mean(made: tuple[Model, list[Array]], machine: str) -> None:
    check_numbers(compile_for(machine, made[0]), made[1])


def test_a_kernel_on_a_fabric_of_one_core() -> None:
    tiny = model(
        "%x = input(index=0) : f32[6,7]",
        "%w = parameter(key='w') : f32[3,7]",
        "%y = contract(equation='ak,nk->an') %x %w : f32[6,3]",
        "return %y",
    )
    found = compile_for(sized(1, 1), tiny)
    assert found.program.kernels[0].mesh.axes == ()
    check_numbers(found)


@pytest.mark.parametrize(("width", "height"), [(2, 1), (1, 2), (7, 1), (3, 5)])
def test_fabrics_of_other_shapes(width: int, height: int) -> None:
    check_numbers(compile_for(sized(width, height), mlp(rows=9)))


def test_a_kernel_that_nothing_streams_into() -> None:
    found = compile_for("wafer-8x8", weights_alone(), passes=False)
    assert [len(p.kernel.streams) for p in found.plan.kernels] == [0, 1]
    check_numbers(found)


def test_a_model_runs_again_on_other_inputs() -> None:
    made = mlp(rows=64)
    found = compile_for("wafer-8x8", made)
    for seed in range(3):
        check_numbers(found, random_inputs(made, seed))


@pytest.mark.parametrize("dtype", ["f16", "bf16"])
def test_half_precision_is_close_to_half_precision(dtype: str) -> None:
    """The machine rounds between steps where the op's own reference doesn't: close, not equal."""
    made = model(
        f"%x = input(index=0) : {dtype}[6,16]",
        f"%w = parameter(key='w') : {dtype}[12,16]",
        f"%n = norm(form='layer', dims=(1,), eps=1e-05) %x : {dtype}[6,16]",
        f"%y = contract(equation='ak,nk->an') %n %w : {dtype}[6,12]",
        "%m = input(index=1) : bool[6,6]",
        f"%a = attention(scale=0.5) %y %y %y %m : {dtype}[6,12]",
        f"%s = softmax(dim=1) %a : {dtype}[6,12]",
        "return %a %s",
    )
    inputs = random_inputs(made)
    inputs[1][2] = False  # a query that keeps no key
    expected = interpret(made.graph, inputs, made.weights)
    found = compile_for("wafer-8x8", made)
    for a, b in zip(execute(found.program, found.model.weights, inputs), expected, strict=True):
        assert a.dtype == b.dtype
        limit = 0.02 if dtype == "f16" else 0.1
        np.testing.assert_allclose(
            a.astype(float), b.astype(float), atol=limit * np.abs(b.astype(float)).max()
        )


# --- what is asked of the caller


def test_what_does_not_fit_the_program_is_refused() -> None:
    program = compile_for("wafer-8x8", decoder_step()).program
    good = inputs_of("decoder_step", decoder_step())
    weights = decoder_step().weights
    messages = []
    for inputs, held in (
        (good[:3], weights),
        ([good[0], good[1], good[2][:1], good[3]], weights),
        ([good[0].astype(np.int32), *good[1:]], weights),
        (good, {"table": weights["table"]}),
    ):
        with pytest.raises(InputMismatch) as caught:
            execute(program, held, inputs)
        messages.append(f"{caught.value}\n")
    check_golden("execute_errors.txt", "".join(messages))


def test_progress_is_told_of_every_kernel() -> None:
    found = compile_for("wafer-8x8", integers())
    told: list[tuple[str, int, int]] = []
    inputs = inputs_of("integers", found.given)
    execute(found.program, found.model.weights, inputs, lambda *news: told.append(news))
    assert sorted(name for name, _, _ in told) == sorted(k.name for k in found.program.kernels)
    assert [(done, most) for _, done, most in told] == [(i, len(told)) for i in range(len(told))]
