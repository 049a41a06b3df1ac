"""Precision: what is stored, what flows, and how far the numbers move."""

import numpy as np
import pytest

from tests.compiler.graphs import graph
from wsc.compiler.errors import UserError
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.types import DType
from wsc.compiler.ir.verify import verify
from wsc.compiler.passes.pipeline import run_pipeline
from wsc.compiler.passes.precision import Precision, quantised, sums_in, with_precision

RNG = np.random.default_rng(0)
MODEL = Model(
    graph(
        "%x = input(index=0) : f32[4,8]",
        "%w = parameter(key='fc.weight') : f32[6,8]",
        "%b = parameter(key='fc.bias') : f32[6]",
        "%v = parameter(key='head.weight') : f32[3,6]",
        "%n = norm(form='rms', dims=(1,), eps=1e-06) %x : f32[4,8]",
        '%y = contract(equation="ak,nk->an") %n %w : f32[4,6]',
        "%r = reshape(shape=(1,6)) %b : f32[1,6]",
        '%s = elementwise(fn="add", scalars=(None, None)) %y %r : f32[4,6]',
        '%z = contract(equation="ak,nk->an") %s %v : f32[4,3]',
        "return %z",
    ),
    {
        "fc.weight": RNG.standard_normal((6, 8)).astype(np.float32),
        "fc.bias": RNG.standard_normal(6).astype(np.float32),
        "head.weight": RNG.standard_normal((3, 6)).astype(np.float32),
    },
)
X = RNG.standard_normal((4, 8)).astype(np.float32)


def types(model: Model) -> dict[str, str]:
    return {node.name: node.type.dtype.value for node in model.graph.weights}


def error(model: Model) -> float:
    x = X.astype(model.graph.inputs[0].type.dtype.numpy)
    (ours,) = interpret(model.graph, (x,), model.weights)
    (theirs,) = interpret(MODEL.graph, (X,), MODEL.weights)
    return float(np.abs(ours.astype(np.float32) - theirs).max() / np.abs(theirs).max())


@pytest.mark.parametrize(
    ("name", "flow", "stored", "limit"),
    [
        ("fp16", "f16", "f16", 3e-3),
        ("bf16", "bf16", "bf16", 3e-2),
        ("int8", "f32", "i8", 3e-2),
        ("fp8", "f32", "f8", 1e-1),
    ],
)
def test_each_precision(name: str, flow: str, stored: str, limit: float) -> None:
    found = with_precision(MODEL, Precision.of(name))
    verify(found.graph)
    assert types(found)["w"] == types(found)["v"] == stored
    assert types(found)["b"] == flow
    assert found.graph[found.graph.outputs[0]].type.dtype.value == flow
    assert 0 < error(found) < limit


def test_weights_apart_from_activations_and_an_override() -> None:
    wish = Precision("bf16", "int8", (("*", "fp8"), ("head.*", "keep")))
    found = with_precision(MODEL, wish)
    verify(found.graph)
    assert types(found) == {"w": "f8", "fc.weight.scale": "bf16", "b": "bf16", "v": "bf16"}
    assert error(found) < 0.1


def test_an_operation_in_a_type_of_its_own() -> None:
    found = with_precision(MODEL, Precision("bf16", computed=(("[nz]", "fp32"), ("z", "keep"))))
    verify(found.graph)
    kinds = {node.name: node.type.dtype.value for node in found.graph}
    assert kinds["n"] == kinds["z.computed"] == "f32"
    assert kinds["y"] == kinds["s"] == kinds["y.cast0"] == kinds["z"] == "bf16"
    assert found.graph["y"].inputs[0] == "y.cast0"
    assert error(found) < 3e-2
    assert (
        with_precision(MODEL, Precision(computed=(("n", "bf16"),))).graph["y.cast0"].type.dtype is DType.F32
    )


@pytest.mark.parametrize(
    "precision", [Precision(overrides=(("fd.*", "fp8"),)), Precision(computed=(("ys", "bf16"),))]
)
def test_a_pattern_that_nothing_matches(precision: Precision) -> None:
    with pytest.raises(
        UserError, match=r"No (weight|node) has a name like '(fd.\*|ys)'; one is '(fc.bias|y)'"
    ):
        with_precision(MODEL, precision)


def test_what_sums_are_accumulated_in() -> None:
    assert {kind: sums_in(DType(kind)).value for kind in ("f8", "bf16", "f16", "f32", "f64", "i32")} == {
        "f8": "f32", "bf16": "f32", "f16": "f32", "f32": "f32", "f64": "f64", "i32": "i32"
    }  # fmt: skip


def test_nothing_asked_for_changes_nothing() -> None:
    assert with_precision(MODEL, Precision()) == MODEL
    assert with_precision(MODEL, Precision.of("fp32")) == MODEL


def test_without_bytes() -> None:
    found = with_precision(Model(MODEL.graph, {}), Precision.of("int8"))
    verify(found.graph)
    assert not found.weights


def test_scales_use_the_whole_range() -> None:
    array = np.array([[1.0, -2.0], [0.0, 0.0]], np.float32)
    places, scale = quantised(array, DType.I8)
    assert places.tolist() == [[64, -127], [0, 0]]
    np.testing.assert_allclose(scale, [[2 / 127], [1]])


@pytest.mark.parametrize(
    ("name", "message"),
    [("fp4", "no precision 'fp4': there are fp32"), ("int8", "ask for weights alone")],
)
def test_what_there_is_not(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Precision(activations=name)


def test_the_pipeline_leaves_stored_weights_as_they_are_stored() -> None:
    found = run_pipeline(with_precision(MODEL, Precision.of("int8")))
    assert {"w": "i8", "v": "i8"}.items() <= types(found).items()
    assert error(found) < 3e-2
