import numpy as np
import pytest

from tests.compiler.graphs import model
from tests.compiler.passes.checks import check_pass
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.text import print_op
from wsc.compiler.passes.hoist_weights import hoist_weights

MIXED = (
    "%x = input(index=0) : f32[2,3]",
    "%w = parameter(key='w') : f32[4,3]",
    "%s = parameter(key='s') : f32[4,1]",
    "%c = constant(key='c') : f32[1,4]",
    "%d = constant(key='d') : f32[1,4]",
    "%ws = elementwise(fn='mul', scalars=(None, None)) %w %s : f32[4,3]",
    "%wt = permute(order=(1,0)) %ws : f32[3,4]",
    "%cd = elementwise(fn='add', scalars=(None, None)) %c %d : f32[1,4]",
    "%y = contract(equation='ak,kn->an') %x %wt : f32[2,4]",
    "%z = elementwise(fn='add', scalars=(None, None)) %y %cd : f32[2,4]",
    "return %z %ws",
)


def test_each_largest_expression_becomes_one_source() -> None:
    after = check_pass("hoist_weights", hoist_weights, model(*MIXED))
    assert set(after.weights) == {"folded.ws", "folded.wt", "folded.cd"}


def test_a_view_shares_the_memory_of_its_weight() -> None:
    before = model(
        "%x = input(index=0) : f32[2,3]",
        "%w = parameter(key='w') : f32[4,3]",
        "%wt = permute(order=(1,0)) %w : f32[3,4]",
        "%v = parameter(key='v') : f32[12]",
        "%vs = slice(dim=0, start=2, stop=6) %v : f32[4]",
        "%vr = reshape(shape=(1,4)) %vs : f32[1,4]",
        "%y = contract(equation='ak,kn->an') %x %wt : f32[2,4]",
        "%z = elementwise(fn='add', scalars=(None, None)) %y %vr : f32[2,4]",
        "return %z",
    )
    after = hoist_weights(before)
    assert np.shares_memory(after.weights["folded.wt"], before.weights["w"])
    assert np.shares_memory(after.weights["folded.vr"], before.weights["v"])


def test_a_partly_absent_expression_is_absent_and_the_others_are_not() -> None:
    after = hoist_weights(model(*MIXED, absent=("s",)))
    assert set(after.weights) == {"folded.cd"}
    assert after.missing_weights() == ("folded.ws", "folded.wt")


def test_what_only_repeats_a_weight_stays() -> None:
    after = check_pass("hoist_weights_expand", hoist_weights, model(
        "%x = input(index=0) : f32[6,4]",
        "%w = parameter(key='w') : f32[4]",
        "%e = elementwise(fn='exp', scalars=(None,)) %w : f32[4]",
        "%r = reshape(shape=(1,4)) %e : f32[1,4]",
        "%wide = expand(shape=(6,4)) %r : f32[6,4]",
        "%half = elementwise(fn='mul', scalars=(None, 0.5)) %wide : f32[6,4]",
        "%flat = reshape(shape=(24,)) %half : f32[24]",
        "%sum = reduce(fn='sum', dims=(0,)) %half : f32[4]",
        "%y = concat(dim=0) %x %wide : f32[12,4]",
        "return %y %flat %sum",
    ))  # fmt: skip
    assert {key: array.size for key, array in after.weights.items()} == {"folded.r": 4, "folded.sum": 4}


def test_a_key_that_is_taken_is_not_taken_again() -> None:
    before = model(
        "%x = input(index=0) : f32[3]",
        "%w = parameter(key='folded.n') : f32[3]",
        "%n = elementwise(fn='neg', scalars=(None,)) %w : f32[3]",
        "%y = elementwise(fn='add', scalars=(None, None)) %x %n : f32[3]",
        "%z = elementwise(fn='add', scalars=(None, None)) %y %w : f32[3]",
        "return %z",
    )
    after = hoist_weights(before)
    assert print_op(after.graph["n"].op) == "parameter(key='folded.n.1')"
    np.testing.assert_array_equal(after.weights["folded.n.1"], -before.weights["folded.n"])
    assert after.weights["folded.n"] is before.weights["folded.n"]


def test_a_model_with_nothing_to_fold_is_returned() -> None:
    before = model("%x = input(index=0) : f32[3]", "%w = parameter(key='w') : f32[3]", "return %x %w")
    assert hoist_weights(before) is before


@pytest.mark.parametrize("bytes_known", [True, False])
def test_an_output_over_weights_alone_becomes_a_source(bytes_known: bool) -> None:
    before = model(
        "%w = parameter(key='w') : f32[2,3]",
        "%t = permute(order=(1,0)) %w : f32[3,2]",
        "return %t",
    )
    after = hoist_weights(before if bytes_known else Model(before.graph, {}))
    assert [node.name for node in after.graph] == ["t"]
    assert set(after.weights) == ({"folded.t"} if bytes_known else set())
