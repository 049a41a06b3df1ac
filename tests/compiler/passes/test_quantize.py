"""Quantisation: integers in products by weights, near the floats they stand for."""

import numpy as np
import pytest

from tests.compiler import golden
from tests.compiler.graphs import model
from wsc.compiler.errors import UserError
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.text import print_graph
from wsc.compiler.ir.verify import verify
from wsc.compiler.passes.quantize import Precision, float_contractions, precision_named, quantize

RESIDUAL = (
    "%x = input(index=0) : f32[4,6]",
    "%w = parameter(key='w') : f32[6,6]",
    "%b = parameter(key='b') : f32[1,6]",
    "%p = contract(equation='ak,nk->an') %x %w : f32[4,6]",
    "%q = elementwise(fn='add', scalars=(None, None)) %p %b : f32[4,6]",
    "%r = elementwise(fn='add', scalars=(None, None)) %q %x : f32[4,6]",
    "%s = contract(equation='ak,bk->ab') %r %q : f32[4,4]",
    "return %s",
)


def made(*lines: str) -> tuple[Model, np.ndarray]:
    before = model(*lines)
    rng = np.random.default_rng(0)
    shape = before.graph.inputs[0].type.shape
    return before, rng.normal(size=shape).astype(np.float32)


def test_the_graph_is_as_agreed() -> None:
    before, x = made(*RESIDUAL)
    after = quantize(before, precision_named("int8"), [(x,)])
    verify(after.graph)
    scaled = print_graph(after.graph)
    golden.check("pass_quantize.txt", scaled)
    assert not float_contractions(after.graph)


@pytest.mark.parametrize(("dtype", "least_db"), [("int8", 30), ("int16", 75)])
def test_outputs_are_near(dtype: str, least_db: float) -> None:
    before, x = made(*RESIDUAL)
    after = quantize(before, precision_named(dtype), [(x,)])
    (wanted,), (found,) = (interpret(m.graph, (x,), m.weights) for m in (before, after))
    noise = np.square(found - wanted).sum()
    assert 10 * np.log10(np.square(wanted).sum() / noise) > least_db


def test_each_channel_has_its_own_scale() -> None:
    before, x = made(*RESIDUAL)
    weights = {
        **before.weights,
        "w": before.weights["w"] * np.array([[1e3], [1], [1], [1], [1], [1e-3]], np.float32),
    }
    after = quantize(Model(before.graph, weights), precision_named("int8"), [(x,)])
    (integers,) = (a for key, a in after.weights.items() if key.startswith("w.int8"))
    assert np.abs(integers).max(axis=1).tolist() == [127] * 6


def test_without_bytes_the_structure_is_the_same() -> None:
    before, x = made(*RESIDUAL)
    blind = quantize(Model(before.graph, {}), precision_named("int8"))
    whole = quantize(before, precision_named("int8"), [(x,)])
    assert [(n.name, n.type) for n in blind.graph] == [(n.name, n.type) for n in whole.graph]
    assert not blind.weights


def test_a_model_that_overflows_cannot_be_calibrated() -> None:
    before, x = made(*RESIDUAL)
    with pytest.raises(UserError, match="it cannot be calibrated"):
        quantize(before, precision_named("int8"), [(x * np.float32(np.inf),)])


def test_a_precision_that_there_is_not() -> None:
    with pytest.raises(UserError, match="There is no element type 'int7'"):
        precision_named("int7")
    with pytest.raises(UserError, match="quantised to 2 to 16 bits, not 1 and 8"):
        Precision(1, 8)
