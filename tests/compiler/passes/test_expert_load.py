"""A load of experts is put on their products, changes what they are expected to read, and no number."""

import numpy as np
import pytest

from tests.compiler.graphs import model
from wsc.compiler.errors import UserError
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ops import Grouped
from wsc.compiler.passes.expert_load import ExpertLoad, with_expert_load

MIXTURE = model(
    "%x = input(index=0) : f32[4,8]",
    "%g = input(index=1) : i64[4]",
    "%w0 = parameter(key='w0') : f32[4,8,6]",
    "%w1 = parameter(key='w1') : f32[4,6,8]",
    '%a = grouped(load=(), batch=0) %x %w0 %g : f32[4,6] at "m.py":3 in "layers.0.experts"',
    '%b = grouped(load=(), batch=0) %a %w1 %g : f32[4,8] at "m.py":4 in "layers.1.experts"',
    "return %b",
)


def loads(load: ExpertLoad) -> list[tuple[float, ...]]:
    return [n.op.load for n in with_expert_load(MIXTURE, load).graph if isinstance(n.op, Grouped)]


def test_the_last_pattern_that_matches_decides() -> None:
    shares = (3.0, 1.0, 0.0, 0.0)
    assert loads(ExpertLoad((("layers.*", shares), ("layers.1.*", ())))) == [shares, ()]
    assert loads(ExpertLoad((("layers.1.*", shares),))) == [(), shares]
    assert with_expert_load(MIXTURE, ExpertLoad()) is MIXTURE


def test_a_skewed_load_reads_fewer_matrices_and_computes_the_same() -> None:
    skewed = with_expert_load(MIXTURE, ExpertLoad((("*", (1.0, 0.0, 0.0, 0.0)),)))
    uniform, found = (m.graph.work() for m in (MIXTURE, skewed))
    expected = 4 * (1 - (3 / 4) ** 4)
    one = 2 * 8 * 6 * 4  # bytes of both matrices of an expert
    assert uniform.bytes_read - found.bytes_read == pytest.approx(one * (expected - 1), abs=2)
    assert uniform.macs == found.macs
    inputs = (np.ones((4, 8), np.float32), np.array([0, 1, 2, 3]))
    for a, b in zip(
        interpret(MIXTURE.graph, inputs, MIXTURE.weights),
        interpret(skewed.graph, inputs, skewed.weights),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


REFUSED = {
    "no such module": (("mlp.*", (1.0,)), "The load names 'mlp.*', and no module with experts is called so"),
    "too few": (("*", (1.0, 2.0)), "has 2 shares, and 'layers.0.experts' has 4 experts"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_does_not_fit_is_refused(why: str) -> None:
    pair, message = REFUSED[why]
    with pytest.raises(UserError) as caught:
        with_expert_load(MIXTURE, ExpertLoad((pair,)))
    assert message in str(caught.value)


def test_a_model_without_experts_takes_no_load() -> None:
    plain = model("%x = input(index=0) : f32[4]", "%y = elementwise(fn='exp') %x : f32[4]", "return %y")
    with pytest.raises(UserError, match="'test' has no experts"):
        with_expert_load(plain, ExpertLoad((("*", (1.0,)),)))
