"""What the wafer refuses, and what it makes explicit before kernels are cut."""

import numpy as np
import pytest

from tests.compiler.graphs import graph, model
from tests.wafer.compiling import (
    assert_near,
    check_golden,
    check_numbers,
    compile_for,
    machine,
    random_inputs,
)
from tests.wafer.models import MODELS, passed_through
from wsc.backends.wafer.kernels import VIEWS, resolve
from wsc.backends.wafer.legalize import legalize
from wsc.compiler.errors import UnsupportedModel
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.verify import verify
from wsc.compiler.ops import Constant, Elementwise, Parameter

WAFER = machine("wafer-8x8")


def check_legal(made: Model, legal: Model) -> None:
    """Weights are read directly, outputs computed, inputs as they were, and the meaning is the same."""
    verify(legal.graph)
    assert [(n.name, n.type) for n in legal.graph.inputs] == [(n.name, n.type) for n in made.graph.inputs]
    for node in legal.graph.nodes:
        source, views = resolve(legal.graph, node.name)
        assert not (views and legal.graph[source].is_weight)
    for name in legal.graph.outputs:
        assert not legal.graph[resolve(legal.graph, name)[0]].is_source
    inputs = random_inputs(made)
    expected = interpret(made.graph, inputs, made.weights)
    for a, b in zip(interpret(legal.graph, inputs, legal.weights), expected, strict=True):
        assert_near(a, b)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_models_mean_the_same_after_it(name: str) -> None:
    made = MODELS[name]()
    if name not in ("decoder_step", "integers"):
        check_legal(made, legalize(made, WAFER))


def test_it_is_idempotent() -> None:
    once = legalize(passed_through(), WAFER)
    assert legalize(once, WAFER).graph == once.graph


# --- refused


def test_every_node_of_64_bit_floats_is_listed() -> None:
    made = graph(
        '%x = input(index=0) : f64[3,4] at "wide.py":3 in ""',
        '%w = parameter(key=\'w\') : f64[5,4] at "wide.py":4 in "fc"',
        '%y = contract(equation=\'ak,nk->an\') %x %w : f64[3,5] at "wide.py":9 in "fc"',
        '%t = permute(order=(1,0)) %y : f64[5,3] at "wide.py":10 in ""',
        '%n = cast(dtype=\'f32\') %t : f32[5,3] at "wide.py":11 in ""',
        '%s = softmax(dim=1) %n : f32[5,3] at "wide.py":12 in ""',
        '%b = cast(dtype=\'f64\') %s : f64[5,3] at "wide.py":13 in ""',
        "return %b",
    )
    with pytest.raises(UnsupportedModel) as caught:
        legalize(Model(made, {}), WAFER)
    check_golden("legalize_f64.txt", f"{caught.value}\n")


def test_tensors_without_elements_are_listed() -> None:
    made = graph(
        '%x = input(index=0) : f32[0,4] at "none.py":3 in ""',
        '%y = elementwise(fn=\'relu\') %x : f32[0,4] at "none.py":4 in "act"',
        '%z = reduce(fn=\'sum\', dims=(0,)) %y : f32[4] at "none.py":5 in ""',
        "return %z",
    )
    with pytest.raises(UnsupportedModel) as caught:
        legalize(Model(made, {}), WAFER)
    check_golden("legalize_empty.txt", f"{caught.value}\n")


@pytest.mark.parametrize("dtype", ["f32", "f16", "bf16", "i64", "i32", "i16", "i8", "u8"])
def test_other_element_types_are_taken(dtype: str) -> None:
    made = model(
        f"%x = input(index=0) : {dtype}[5,6]",
        f"%w = parameter(key='w') : {dtype}[1,6]",
        f"%y = elementwise(fn='add', scalars=(None, None)) %x %w : {dtype}[5,6]",
        f"%z = elementwise(fn='max', scalars=(None, 1)) %y : {dtype}[5,6]",
        f"%t = reduce(fn='max', dims=(0,)) %z : {dtype}[6]",
        f"%s = reduce(fn='min', dims=(1,), keep=True) %z : {dtype}[5,1]",
        "return %z %t %s %x",
    )
    check_numbers(compile_for("wafer-4x4", made))


# --- outputs that nothing computes


def test_outputs_that_are_inputs_or_weights_are_copied() -> None:
    made = passed_through()
    legal = legalize(made, WAFER).graph
    copied = {name: legal[name] for name in legal.outputs}
    assert [legal[name].inputs[0] for name in legal.outputs if name != "y"] == [
        "x",
        "w",
        "xt",
        "wt",
        "row",
        "keep",
        "xt",
    ]
    assert legal.outputs[5] == "y"
    ops = {str(node.type): node.op for name, node in copied.items() if name != "y"}
    assert ops["f32[3,4]"] == Elementwise("copy")
    assert ops["bool[3,4]"] == Elementwise("or", (None, False))


def test_a_value_that_a_kernel_computes_is_not_copied() -> None:
    made = model(
        "%x = input(index=0) : f32[3,4]",
        "%y = elementwise(fn='relu') %x : f32[3,4]",
        "%t = permute(order=(1,0)) %y : f32[4,3]",
        "return %t %y %t",
    )
    legal = legalize(made, WAFER)
    assert legal.graph == made.graph
    check_numbers(compile_for("wafer-4x4", made))


# --- weights


def test_views_of_weights_become_weights() -> None:
    made = model(
        "%x = input(index=0) : f32[3,4]",
        "%w = parameter(key='fc.w') : f32[4,6]",
        "%wt = permute(order=(1,0)) %w : f32[6,4]",
        "%half = slice(dim=0, start=1, stop=6, step=2) %wt : f32[3,4]",
        "%wide = reshape(shape=(2,2,6)) %w : f32[2,2,6]",
        "%y = contract(equation='ak,nk->an') %x %wt : f32[3,6]",
        "%z = elementwise(fn='add', scalars=(None, None)) %x %half : f32[3,4]",
        "return %y %z",
    )
    legal = legalize(made, WAFER)
    check_legal(made, legal)
    assert {n.name: n.op for n in legal.graph.weights} == {
        "wt": Parameter("fc.w.wt"),
        "half": Parameter("fc.w.half"),
    }
    np.testing.assert_array_equal(legal.weights["fc.w.half"], made.weights["fc.w"].T[1:6:2])
    assert not any(isinstance(n.op, VIEWS) for n in legal.graph.nodes)


def test_a_weight_that_is_read_as_it_is_stays_beside_its_view() -> None:
    made = model(
        "%x = input(index=0) : f32[4,4]",
        "%w = constant(key='w') : f32[4,4]",
        "%wt = permute(order=(1,0)) %w : f32[4,4]",
        "%y = contract(equation='ak,nk->an') %x %w : f32[4,4]",
        "%z = contract(equation='ak,nk->an') %y %wt : f32[4,4]",
        "return %z",
    )
    legal = legalize(made, WAFER)
    check_legal(made, legal)
    assert {n.name: n.op for n in legal.graph.weights} == {"w": Constant("w"), "wt": Parameter("w.wt")}


def test_names_that_are_taken_are_left_alone() -> None:
    made = model(
        "%x = input(index=0) : f32[3,4]",
        "%copy_1_x = elementwise(fn='neg') %x : f32[3,4]",
        "%w = parameter(key='fc.w') : f32[3,4]",
        "%other = parameter(key='fc.w.wt') : f32[4,3]",
        "%wt = permute(order=(1,0)) %w : f32[4,3]",
        "%y = elementwise(fn='sub', scalars=(None, None)) %other %wt : f32[4,3]",
        "return %copy_1_x %x %y",
    )
    legal = legalize(made, WAFER)
    check_legal(made, legal)
    assert [n.name for n in legal.graph.nodes][-1] == "copy_1_x.1"
    assert legal.graph["wt"].op == Parameter("fc.w.wt.1")


def test_weights_without_bytes_stay_without() -> None:
    """A model on the meta device is compiled as the model with bytes is."""
    made = MODELS["attention_block"]()
    views = model(
        "%x = input(index=0) : f32[3,4]",
        "%w = parameter(key='w') : f32[4,6]",
        "%wt = permute(order=(1,0)) %w : f32[6,4]",
        "%y = contract(equation='ak,nk->an') %x %wt : f32[3,6]",
        "return %y %wt",
    )
    legal = legalize(Model(views.graph, {}), WAFER)
    assert legal.graph == legalize(views, WAFER).graph
    assert legal.weights == {}
    assert legal.missing_weights() == ("w.wt",)
    bare = compile_for(WAFER, Model(made.graph, {}))
    assert bare.program == compile_for(WAFER, made).program


def test_weights_that_nothing_reads_are_left_out() -> None:
    made = model(
        "%x = input(index=0) : f32[3]",
        "%unread = input(index=1) : f32[2]",
        "%w = parameter(key='w') : f32[3]",
        "%y = elementwise(fn='relu') %x : f32[3]",
        "return %y",
    )
    legal = legalize(made, WAFER)
    assert [n.name for n in legal.graph.nodes] == ["x", "unread", "y"]
    check_numbers(compile_for("wafer-4x4", made))
