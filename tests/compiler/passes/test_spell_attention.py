"""Attention in products and a softmax: the same numbers, and left whole where they would differ."""

import numpy as np
import pytest

from tests.compiler.graphs import model
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.verify import verify
from wsc.compiler.ops import Attention, Contract
from wsc.compiler.passes.spell_attention import can_spell, product_names, products, spell_attention

SHAPES = {
    "plain": ("2,3,5,4", "2,3,7,4", "2,3,7,6"),
    "grouped queries": ("2,3,5,4", "2,1,7,4", "2,1,7,6"),
    "one head": ("5,4", "7,4", "7,6"),
}
MASKS = {
    "none": "",
    "bool": "bool",
    "float": "f32",
}


def made(shapes: tuple[str, str, str], mask: str = "", row_of: float = 1.0) -> Model:
    q, k, v = shapes
    lead, rank = q.rsplit(",", 2)[0] if q.count(",") > 1 else "", q.count(",") + 1
    result = f"{lead},5,6".lstrip(",")
    lines = [
        f"%q = input(index=0) : f32[{q}]",
        f"%k = input(index=1) : f32[{k}]",
        f"%v = input(index=2) : f32[{v}]",
    ]
    ones = ",".join(["1"] * (rank - 2) + ["5", "7"])
    if mask:
        lines.append(f"%m = constant(key='m') : {mask}[{ones}]")
    operands = "%q %k %v" + (" %m" if mask else "")
    lines += [f"%y = attention(scale=0.5, causal=False) {operands} : f32[{result}]", "return %y"]
    found = model(*lines)
    values = np.tri(5, 7, 2, dtype=np.bool_)
    values[0] &= row_of > 0
    shape = tuple(map(int, ones.split(",")))
    given = values if mask == "bool" else np.where(values, np.float32(0.25), np.float32(-np.inf))
    weights = {"m": np.asarray(given, np.bool_ if mask == "bool" else np.float32).reshape(shape)}
    return Model(found.graph, weights if mask else {})


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("shapes", SHAPES)
def test_numbers_stay(shapes: str, mask: str) -> None:
    before = made(SHAPES[shapes], MASKS[mask])
    after = spell_attention(before, {"y"})
    verify(after.graph)
    assert not any(isinstance(node.op, Attention) for node in after.graph)
    assert set(product_names("y")) <= {node.name for node in after.graph if isinstance(node.op, Contract)}
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=node.type.shape).astype(np.float32) for node in before.graph.inputs]
    (wanted,), (found,) = (interpret(m.graph, inputs, m.weights) for m in (before, after))
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_the_products_are_those_of_the_attention() -> None:
    before = made(SHAPES["grouped queries"])
    first, second = products(before.graph, before.graph["y"])
    after = spell_attention(before, {"y"}).graph
    assert (after["y.scores"].op, after["y.mixed"].op) == (first, second)


@pytest.mark.parametrize("mask", ["bool", "float"])
def test_a_query_that_may_keep_no_key_stays(mask: str) -> None:
    before = made(SHAPES["plain"], MASKS[mask], row_of=0.0)
    assert not can_spell(before, before.graph["y"])
    assert spell_attention(before, {"y"}).graph == before.graph


def test_others_stay() -> None:
    before = made(SHAPES["plain"])
    assert spell_attention(before, {"z"}).graph == before.graph
