"""What joins a concat in one kernel, and what does not."""

from tests.wafer.test_kernels import LINEAR, W, X, kernels, names
from wsc.compiler.ops import AxisKind

ROTARY = (
    "%x = input(index=0) : f32[R,6]",
    "%c = parameter(key='c') : f32[1,6]",
    "%s = parameter(key='s') : f32[1,6]",
    "%low = slice(dim=1, start=0, stop=3) %x : f32[R,3]",
    "%high = slice(dim=1, start=3, stop=6) %x : f32[R,3]",
    "%neg = elementwise(fn='neg') %high : f32[R,3]",
    "%turned = concat(dim=1) %neg %low : f32[R,6]",
    "%a = elementwise(fn='mul', scalars=(None, None)) %x %c : f32[R,6]",
    "%b = elementwise(fn='mul', scalars=(None, None)) %turned %s : f32[R,6]",
    "%y = elementwise(fn='add', scalars=(None, None)) %a %b : f32[R,6]",
    "return %y",
)


def test_rotary_embedding_is_one_kernel() -> None:
    """Kernels that compute in place join; parts that are put together stay whole along that dimension."""
    found = kernels(*(line.replace("R", "6") for line in ROTARY))
    assert names(found) == [["neg", "turned", "b", "a", "y"]]
    whole = {
        found[0].axes[axis].kind for axes in found[0].result_axes for axis in axes[1:] if axis is not None
    }
    assert whole == {AxisKind.WHOLE}


def test_few_rows_are_put_together_alone() -> None:
    """What joined it could be cut over its rows only, not along the many elements that it needs whole."""
    sizes = (("R,6", "39,40"), ("R,3", "39,20"), ("1,6", "1,40"), ("start=3", "start=20"))
    wide = [line.replace("stop=6", "stop=40").replace("stop=3", "stop=20") for line in ROTARY]
    for old, new in sizes:
        wide = [line.replace(old, new) for line in wide]
    assert names(kernels(*wide)) == [["neg"], ["turned"], ["b", "a", "y"]]
    square = [line.replace("39,", "40,") for line in wide]
    assert names(kernels(*square)) == [["neg", "turned", "b", "a", "y"]]


def test_what_is_put_together_does_not_join_what_is_summed_over_cores() -> None:
    """A sum ends scattered over the cores along any dimension, also the one that concat needs whole."""
    found = kernels(
        X.replace("4,", "6,"),
        W,
        "%h = input(index=1) : f32[6,3]",
        "%a = elementwise(fn='relu') %h : f32[6,3]",
        "%b = elementwise(fn='tanh') %h : f32[6,3]",
        "%c = concat(dim=1) %a %b : f32[6,6]",
        LINEAR.replace("4,", "6,"),
        "%z = elementwise(fn='add', scalars=(None, None)) %c %y : f32[6,6]",
        "return %z",
    )
    assert names(found) == [["a", "b", "c"], ["y", "z"]]
