import pytest

from tests.compiler.graphs import model
from tests.compiler.passes.checks import assert_same_outputs, check_pass
from wsc.compiler.ir.model import Model
from wsc.compiler.passes.fold_batch_norm import fold_batch_norm
from wsc.compiler.passes.hoist_weights import hoist_weights

CONV = (
    "%x = input(index=0) : f32[1,3,6,6]",
    "%w = parameter(key='w') : f32[4,3,3,3]",
    "%c = contract(equation='nchw,ocrs->nohw', windows=(('h','r',1,1,1,1),('w','s',1,1,1,1))) %x %w : f32[1,4,6,6]"
    ' at "net.py":3 in "conv"',
)
LINEAR = (
    "%x = input(index=0) : f32[2,3]",
    "%w = parameter(key='w') : f32[4,3]",
    "%f = parameter(key='f') : f32[1,4]",
    "%y = contract(equation='ak,nk->an') %x %w : f32[2,4]",
)


def count(model: Model, kind: str) -> int:
    return sum(node.op.kind == kind and not node.is_source for node in hoist_weights(model).graph)


def test_batch_norm_after_a_convolution() -> None:
    after = check_pass("fold_batch_norm", fold_batch_norm, model(
        *CONV,
        "%mean = parameter(key='mean') : f32[1,4,1,1]",
        "%factor = parameter(key='factor') : f32[1,4,1,1]",
        "%shift = parameter(key='shift') : f32[1,4,1,1]",
        "%d = elementwise(fn='sub', scalars=(None, None)) %c %mean : f32[1,4,6,6]",
        "%m = elementwise(fn='mul', scalars=(None, None)) %d %factor : f32[1,4,6,6] at \"net.py\":4 in \"bn\"",
        "%a = elementwise(fn='add', scalars=(None, None)) %shift %m : f32[1,4,6,6]",
        "return %a",
    ))  # fmt: skip
    assert count(after, "elementwise") == 2


def test_factors_one_after_another_all_fold() -> None:
    after = check_pass("fold_batch_norm_chain", fold_batch_norm, model(
        *LINEAR,
        "%g = parameter(key='g') : f32[1,4]",
        "%m = elementwise(fn='mul', scalars=(None, None)) %f %y : f32[2,4]",
        "%a = elementwise(fn='add', scalars=(None, None)) %m %f : f32[2,4]",
        "%d = elementwise(fn='div', scalars=(None, None)) %a %g : f32[2,4]",
        "return %d",
    ))  # fmt: skip
    assert count(after, "elementwise") == 1


def test_a_factor_over_two_dimensions_is_turned_into_the_weights_layout() -> None:
    check_pass("fold_batch_norm_turned", fold_batch_norm, model(
        "%x = input(index=0) : f32[2,3]",
        "%w = parameter(key='w') : f32[5,4,3]",
        "%f = parameter(key='f') : f32[1,4,5]",
        "%y = contract(equation='ak,mnk->anm') %x %w : f32[2,4,5]",
        "%m = elementwise(fn='mul', scalars=(None, None)) %y %f : f32[2,4,5]",
        "return %m",
    ))  # fmt: skip


def test_a_weight_on_the_left_folds_too() -> None:
    after = check_pass("fold_batch_norm_left", fold_batch_norm, model(
        "%x = input(index=0) : f32[2,3]",
        "%w = parameter(key='w') : f32[4,3]",
        "%e = parameter(key='e') : f32[4,1]",
        "%y = contract(equation='nk,ak->na') %w %x : f32[4,2]",
        "%m = elementwise(fn='mul', scalars=(None, None)) %y %e : f32[4,2]",
        "return %m",
    ))  # fmt: skip
    assert count(after, "elementwise") == 0


def test_a_factor_computed_after_the_contraction_folds() -> None:
    before = model(
        *CONV,
        "%v = parameter(key='v') : f32[4]",
        "%s = elementwise(fn='rsqrt', scalars=(None,)) %v : f32[4]",
        "%factor = reshape(shape=(1,4,1,1)) %s : f32[1,4,1,1]",
        "%m = elementwise(fn='mul', scalars=(None, None)) %c %factor : f32[1,4,6,6]",
        "return %m",
    )
    after = fold_batch_norm(before)
    assert_same_outputs(before, after)
    assert count(after, "elementwise") == 0
    assert hoist_weights(after).graph["c"].location == before.graph["c"].location


LEFT_ALONE = {
    "the contraction is read elsewhere": (
        *LINEAR,
        "%m = elementwise(fn='mul', scalars=(None, None)) %y %f : f32[2,4]",
        "%o = elementwise(fn='exp', scalars=(None,)) %y : f32[2,4]",
        "return %m %o",
    ),
    "the contraction is an output": (
        *LINEAR,
        "%m = elementwise(fn='mul', scalars=(None, None)) %y %f : f32[2,4]",
        "return %m %y",
    ),
    "the weight is shared": (
        *LINEAR,
        "%m = elementwise(fn='mul', scalars=(None, None)) %y %f : f32[2,4]",
        "%z = contract(equation='ak,nk->an') %x %w : f32[2,4]",
        "return %m %z",
    ),
    "the weight is shared by way of a view": (
        *LINEAR[:-1],
        "%wt = permute(order=(1,0)) %w : f32[3,4]",
        "%y = contract(equation='ak,kn->an') %x %wt : f32[2,4]",
        "%m = elementwise(fn='mul', scalars=(None, None)) %y %f : f32[2,4]",
        "return %m %w",
    ),
    "the factor varies along a dimension the weight lacks": (
        *LINEAR,
        "%r = parameter(key='r') : f32[2,1]",
        "%m = elementwise(fn='mul', scalars=(None, None)) %y %r : f32[2,4]",
        "return %m",
    ),
    "the factor is computed from an input": (
        *LINEAR,
        "%i = input(index=1) : f32[1,4]",
        "%m = elementwise(fn='mul', scalars=(None, None)) %y %i : f32[2,4]",
        "return %m",
    ),
    "the contraction divides": (
        *LINEAR,
        "%m = elementwise(fn='div', scalars=(None, None)) %f %y : f32[2,4]",
        "return %m",
    ),
    "the contraction is subtracted": (
        *LINEAR,
        "%s = elementwise(fn='sub', scalars=(None, None)) %f %y : f32[2,4]",
        "%m = elementwise(fn='mul', scalars=(None, None)) %s %f : f32[2,4]",
        "return %m",
    ),
    "the factor repeats the contraction": (
        "%x = input(index=0) : f32[1,3]",
        "%w = parameter(key='w') : f32[4,3]",
        "%f = parameter(key='f') : f32[2,4]",
        "%y = contract(equation='ak,nk->an') %x %w : f32[1,4]",
        "%m = elementwise(fn='mul', scalars=(None, None)) %y %f : f32[2,4]",
        "return %m",
    ),
    "the factor varies along a window of the weight": (
        "%x = input(index=0) : f32[3]",
        "%w = parameter(key='w') : f32[8]",
        "%f = parameter(key='f') : f32[6]",
        "%y = contract(equation='l,k->l', windows=(('l','k',1,1,0,0),)) %w %x : f32[6]",
        "%m = elementwise(fn='mul', scalars=(None, None)) %y %f : f32[6]",
        "return %m",
    ),
    "integers": (
        "%x = input(index=0) : i64[2,3]",
        "%w = parameter(key='w') : i64[4,3]",
        "%f = parameter(key='f') : i64[1,4]",
        "%y = contract(equation='ak,nk->an') %x %w : i64[2,4]",
        "%m = elementwise(fn='div', scalars=(None, None)) %y %f : i64[2,4]",
        "return %m",
    ),
}


@pytest.mark.parametrize("why", LEFT_ALONE)
def test_left_alone(why: str) -> None:
    before = model(*LEFT_ALONE[why])
    assert fold_batch_norm(before).graph == before.graph
