import numpy as np

from tests.compiler.graphs import model
from tests.compiler.passes.checks import check_pass
from wsc.compiler.passes.causal_mask import causal_mask


def test_attentions_of_equal_shape_share_one_mask() -> None:
    after = check_pass("causal_mask", causal_mask, model(
        "%q = input(index=0) : f32[2,3,5,4]",
        "%k = input(index=1) : f32[2,1,5,4]",
        "%t = input(index=2) : f32[2,1,7,4]",
        "%a = attention(scale=0.5, causal=True) %q %k %k : f32[2,3,5,4]",
        "%b = attention(scale=0.5, causal=True) %a %k %k : f32[2,3,5,4]",
        "%c = attention(scale=0.5, causal=True) %b %t %t : f32[2,3,5,4]",
        "%d = attention(scale=0.5) %c %k %k : f32[2,3,5,4]",
        "return %d",
    ))  # fmt: skip
    np.testing.assert_array_equal(after.weights["causal.1x1x5x5"][0, 0], np.tri(5, dtype=bool))
    np.testing.assert_array_equal(after.weights["causal.1x1x5x7"][0, 0], np.tri(5, 7, dtype=bool))


def test_is_combined_with_the_mask_there_is() -> None:
    check_pass("causal_mask_combined", causal_mask, model(
        "%q = input(index=0) : f32[2,3,5,4]",
        "%m = input(index=1) : f32[2,1,5,5]",
        "%keep = constant(key='keep') : bool[1,1,5,5]",
        "%a = attention(scale=0.5, causal=True) %q %q %q %m : f32[2,3,5,4]",
        "%b = attention(scale=0.5, causal=True) %a %q %q %keep : f32[2,3,5,4]",
        "return %b",
    ))  # fmt: skip


def test_a_name_that_is_taken_is_not_taken_again() -> None:
    after = causal_mask(model(
        "%causal.2x2 = input(index=0) : f32[2,4]",
        "%a = attention(scale=0.5, causal=True) %causal.2x2 %causal.2x2 %causal.2x2 : f32[2,4]",
        "return %a",
    ))  # fmt: skip
    assert after.graph["a"].inputs[3] == "causal.2x2.1"
