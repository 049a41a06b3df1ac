"""Which nodes make a kernel, what enters it, and which axes walk it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compiler.graphs import model
from tests.wafer.forcing import build
from tests.wafer.models import attention_block, layers, many_readers
from tests.wafer.random_models import random_models
from tests.wafer.samples import SAMPLES, Sample
from wsc.backends.wafer.kernels import VIEWS, FusedKernel, KernelAxis, cut_kernels, resolve
from wsc.backends.wafer.legalize import legalize
from wsc.backends.wafer.machine import Wafer
from wsc.compiler.ir.graph import Graph
from wsc.compiler.ir.model import Model
from wsc.compiler.ops import AxisKind, Contract, Elementwise, Permute, Reshape, Slice, Window
from wsc.compiler.ops.base import Array

X = "%x = input(index=0) : f32[4,6]"
W = "%w = parameter(key='w') : f32[6,6]"
LINEAR = "%y = contract(equation='ak,nk->an') %x %w : f32[4,6]"


def kernels(*lines: str) -> tuple[FusedKernel, ...]:
    return cut_kernels(model(*lines).graph)


def names(found: tuple[FusedKernel, ...]) -> list[list[str]]:
    return [[node.name for node in kernel.nodes] for kernel in found]


# --- fusion


def test_functions_join_what_they_follow() -> None:
    found = kernels(
        X,
        W,
        "%b = parameter(key='b') : f32[1,6]",
        LINEAR,
        "%z = elementwise(fn='add', scalars=(None, None)) %y %b : f32[4,6]",
        "%a = elementwise(fn='gelu') %z : f32[4,6]",
        "%h = cast(dtype='bf16') %a : bf16[4,6]",
        "return %h",
    )
    assert names(found) == [["y", "z", "a", "h"]]
    (kernel,) = found
    assert (kernel.anchor.name, kernel.result.name, kernel.group) == ("y", "h", "linear")
    assert kernel.operands == (("in0", "in1"), ("y", "in2"), ("z",), ("a",))
    assert [(f.name, f.source, f.is_weight) for f in kernel.feeds] == [
        ("in0", "x", False),
        ("in1", "w", True),
        ("in2", "b", True),
    ]
    assert [f.name for f in kernel.streams] == ["in0"]
    assert kernel.feed("in2") == kernel.feeds[2]
    assert kernel.feed("y") is None


def test_a_residual_joins_the_later_kernel() -> None:
    found = kernels(
        X,
        W,
        "%v = parameter(key='v') : f32[6,6]",
        LINEAR,
        "%up = contract(equation='ak,nk->an') %y %v : f32[4,6]",
        "%side = contract(equation='ak,nk->an') %x %v : f32[4,6]",
        "%sum = elementwise(fn='add', scalars=(None, None)) %side %up : f32[4,6]",
        "return %sum",
    )
    assert names(found) == [["y"], ["side"], ["up", "sum"]]
    assert found[2].operands[1] == ("in2", "up")
    assert found[2].feeds[2].source == "side"


@pytest.mark.parametrize(
    ("line", "outputs"),
    [
        ("%z = elementwise(fn='relu') %y : f32[4,6]", "%z %y"),  # y is an output
        ("%z = elementwise(fn='mul', scalars=(None, None)) %y %y : f32[4,6]", "%z"),  # read twice by one
        ("%z = softmax(dim=1) %y : f32[4,6]", "%z"),  # no function of one element
    ],
)
def test_what_others_need_is_not_swallowed(line: str, outputs: str) -> None:
    assert names(kernels(X, W, LINEAR, line, f"return {outputs}")) == [["y"], ["z"]]


def test_a_value_with_two_readers_leaves_its_kernel() -> None:
    found = kernels(
        X,
        W,
        LINEAR,
        "%a = elementwise(fn='relu') %y : f32[4,6]",
        "%b = elementwise(fn='tanh') %y : f32[4,6]",
        "%c = elementwise(fn='add', scalars=(None, None)) %a %b : f32[4,6]",
        "return %c",
    )
    assert names(found) == [["y"], ["b", "a", "c"]]


def test_kernels_are_named_after_their_modules() -> None:
    """With what they do and a number where a module has several, or where there is none."""
    found = kernels(
        X,
        W,
        LINEAR + ' at "m.py":1 in "fc"',
        '%p = softmax(dim=1) %y : f32[4,6] at "m.py":2 in "tail"',
        '%n = norm(form="rms", dims=(1,), eps=0.1) %p : f32[4,6] at "m.py":3 in "tail"',
        '%m = norm(form="rms", dims=(0,), eps=0.1) %n : f32[4,6] at "m.py":4 in "tail"',
        "%q = softmax(dim=1) %m : f32[4,6]",
        "return %q",
    )
    assert [k.name for k in found] == ["fc", "tail.softmax", "tail.norm", "tail.norm_1", "softmax"]


def test_a_value_that_is_broadcast_leaves_its_kernel() -> None:
    found = kernels(
        X,
        "%m = reduce(fn='mean', dims=(1,), keep=True) %x : f32[4,1]",
        "%z = elementwise(fn='sub', scalars=(None, None)) %x %m : f32[4,6]",
        "return %z",
    )
    assert names(found) == [["m"], ["z"]]


def test_a_value_read_through_a_view_leaves_its_kernel() -> None:
    found = kernels(
        X,
        W,
        LINEAR,
        "%t = permute(order=(1,0)) %y : f32[6,4]",
        "%z = elementwise(fn='relu') %t : f32[6,4]",
        "return %z",
    )
    assert names(found) == [["y"], ["z"]]
    assert found[1].feeds[0].views == (Permute((1, 0)),)


@settings(max_examples=25)
@given(random_models())
def test_random_graphs_are_cut_into_kernels_that_can_run_in_order(made: tuple[Model, list[Array]]) -> None:
    graph = legalize(made[0], _anything()).graph
    found = cut_kernels(graph)
    computed = [node.name for node in graph.nodes if not node.is_source and not isinstance(node.op, VIEWS)]
    assert sorted(node.name for k in found for node in k.nodes) == sorted(computed)
    known = {node.name for node in graph.nodes if node.is_source}
    for kernel in found:
        assert {feed.source for feed in kernel.feeds} <= known
        known.add(kernel.result.name)
        check_inside(graph, kernel)
        check_axes(kernel)
    assert {resolve(graph, name)[0] for name in graph.outputs} <= known


def _anything() -> Wafer:
    from tests.wafer.compiling import machine

    return machine("wafer-8x8")


def check_inside(graph: Graph, kernel: FusedKernel) -> None:
    """Values inside are read once and inside; what follows an anchor that is more than local keeps its shape."""
    inside = [node.name for node in kernel.nodes]
    for name in inside[:-1]:
        assert name not in graph.outputs
        (reader,) = graph.users[name]
        assert reader.name in inside[inside.index(name) + 1 :]
    assert {node.op.kind for node in kernel.nodes[1:]} <= {"elementwise", "cast", "concat"}
    if kernel.anchor.op.kind not in ("elementwise", "cast", "concat"):
        assert {node.type.shape for node in kernel.nodes} == {kernel.anchor.type.shape}


def check_axes(kernel: FusedKernel) -> None:
    """Rows fit their tensors; an axis has the extent of what it walks; cut axes walk each value once."""
    rows = [(f.axes, f.type, f.windows) for f in kernel.feeds]
    rows += [(row, n.type, ()) for row, n in zip(kernel.result_axes, kernel.nodes, strict=True)]
    for row, type, windows in rows:
        assert len(row) == type.rank
        walked = [a for a in row if a is not None]
        assert len(set(walked)) == len(walked)
        for d, axis in enumerate(row):
            if axis is None or kernel.axes[axis].kind is AxisKind.WHOLE:
                continue
            window = windows[d] if windows else None
            extent = window.outputs(type.shape[d]) if window else type.shape[d]
            assert kernel.axes[axis].extent == extent


@pytest.mark.parametrize("kind", sorted(SAMPLES))
@settings(max_examples=15)
@given(st.data())
def test_axes_of_every_op_fit_its_tensors(kind: str, data: st.DataObject) -> None:
    sample: Sample = data.draw(SAMPLES[kind])
    made, _ = build(sample, tail="all")
    for kernel in cut_kernels(legalize(made, _anything()).graph):
        check_axes(kernel)


# --- feeds


def test_views_are_looked_through() -> None:
    found = kernels(
        X,
        "%a = elementwise(fn='relu') %x : f32[4,6]",
        "%r = reshape(shape=(4,2,3)) %a : f32[4,2,3]",
        "%t = permute(order=(1,0,2)) %r : f32[2,4,3]",
        "%s = slice(dim=2, start=1, stop=3) %t : f32[2,4,2]",
        "%p = softmax(dim=2) %s : f32[2,4,2]",
        "return %p",
    )
    assert names(found) == [["a"], ["p"]]
    (feed,) = found[1].feeds
    assert (feed.source, str(feed.type)) == ("a", "f32[2,4,2]")
    assert feed.views == (Reshape((4, 2, 3)), Permute((1, 0, 2)), Slice(2, 1, 3))


def test_resolve_goes_back_to_what_computes() -> None:
    graph = attention_block().graph
    assert resolve(graph, "x") == ("x", ())
    assert resolve(graph, "qh") == ("q", (graph["q4"].op, graph["qh"].op))


def test_one_tensor_in_two_operands_of_the_anchor_is_two_feeds() -> None:
    """Each may be cut in another way: of y @ y.T the rows of one and the columns of the other."""
    by_anchor = {k.anchor.name: k for k in cut_kernels(many_readers().graph)}
    gram, square = by_anchor["gram"], by_anchor["square"]
    assert [(f.name, f.source, f.axes) for f in gram.feeds] == [("in0", "y", (0, 2)), ("in1", "y", (1, 2))]
    assert [(f.name, f.source, f.axes) for f in square.feeds[:2]] == [
        ("in0", "y", (0, 1)),
        ("in1", "y", (0, 1)),
    ]


def test_one_tensor_read_twice_after_the_anchor_is_one_feed() -> None:
    (kernel,) = kernels(
        X,
        W,
        "%g = parameter(key='g') : f32[1,6]",
        LINEAR,
        "%a = elementwise(fn='add', scalars=(None, None)) %y %x : f32[4,6]",
        "%b = elementwise(fn='mul', scalars=(None, None)) %a %x : f32[4,6]",
        "%c = elementwise(fn='mul', scalars=(None, None)) %b %g : f32[4,6]",
        "%d = elementwise(fn='add', scalars=(None, None)) %g %c : f32[4,6]",
        "return %d",
    )
    assert kernel.operands[1:] == (("y", "in2"), ("a", "in2"), ("b", "in3"), ("in3", "c"))
    assert [f.source for f in kernel.feeds] == ["x", "w", "x", "g"]


# --- axes


def test_axes_of_a_linear_layer_and_what_follows() -> None:
    (kernel,) = kernels(
        X,
        "%w = parameter(key='w') : f32[5,6]",
        "%b = parameter(key='b') : f32[1,5]",
        "%r = input(index=1) : f32[4,5]",
        "%y = contract(equation='ak,nk->an') %x %w : f32[4,5]",
        "%z = elementwise(fn='add', scalars=(None, None)) %y %b : f32[4,5]",
        "%s = elementwise(fn='add', scalars=(None, None)) %r %z : f32[4,5]",
        "return %s",
    )
    assert kernel.axes == (
        KernelAxis(4, AxisKind.PARALLEL),
        KernelAxis(5, AxisKind.PARALLEL),
        KernelAxis(6, AxisKind.SUM),
    )
    assert [f.axes for f in kernel.feeds] == [(0, 2), (1, 2), (None, 1), (0, 1)]
    assert kernel.result_axes == ((0, 1), (0, 1), (0, 1))


def test_what_follows_a_norm_may_be_cut_only_as_the_norm_may() -> None:
    (kernel,) = kernels(
        X,
        "%g = parameter(key='g') : f32[1,6]",
        "%n = norm(form='rms', dims=(1,), eps=1e-05) %x : f32[4,6]",
        "%y = elementwise(fn='mul', scalars=(None, None)) %n %g : f32[4,6]",
        "return %y",
    )
    assert [axis.kind for axis in kernel.axes] == [AxisKind.PARALLEL, AxisKind.SUM]
    assert kernel.result_axes == ((0, 1), (0, 1))


def test_a_convolution_slides_windows_over_its_image() -> None:
    (kernel,) = kernels(
        "%x = input(index=0) : f32[1,2,8,9]",
        "%w = parameter(key='w') : f32[3,2,3,1]",
        "%y = contract(equation='nchw,ocrs->nohw', windows=(('h','r',2,1,1,0),('w','s',1,1,0,0))) %x %w"
        " : f32[1,3,4,9]",
        "return %y",
    )
    assert kernel.group == "convolution"
    assert kernel.feeds[0].windows == (None, None, Window(3, 2, 1, 1, 0), Window(1))
    assert kernel.feeds[1].windows == (None,) * 4
    assert kernel.axes[2] == KernelAxis(4, AxisKind.PARALLEL)
    taps = [kernel.axes[a] for a in kernel.feeds[1].axes[2:] if a is not None]
    assert [axis.kind for axis in taps] == [AxisKind.WHOLE, AxisKind.WHOLE]


def test_groups() -> None:
    one_each = {
        "attention": ("%q = input(index=0) : f32[3,4]", "%y = attention(scale=1.0) %q %q %q : f32[3,4]"),
        "norm": (X, "%y = norm(form='rms', dims=(1,), eps=0.1) %x : f32[4,6]"),
        "softmax": (X, "%y = softmax(dim=1) %x : f32[4,6]"),
        "embedding": (X, "%i = input(index=1) : i64[2]", "%y = gather() %x %i : f32[2,6]"),
        "pool": (X, "%y = pool(fn='max', windows=((1,2,2,1,0,0),)) %x : f32[4,3]"),
        "reduce": (X, "%y = reduce(fn='sum', dims=(1,)) %x : f32[4]"),
        "elementwise": (X, "%y = cast(dtype='bf16') %x : bf16[4,6]"),
        "movement": (X, "%y = concat(dim=0) %x %x : f32[8,6]"),
        "linear": (X, W, LINEAR),
        "scan": (X, "%y = scan(fn='sum', dim=0) %x : f32[4,6]"),
    }
    assert {
        name: cut_kernels(model(*lines, "return %y").graph)[0].group for name, lines in one_each.items()
    } == {name: name for name in one_each}


# --- signatures


def test_repeated_layers_have_equal_signatures() -> None:
    signatures = [kernel.signature for kernel in cut_kernels(layers(4).graph)]
    assert len(set(signatures)) == 3  # up, down with its residual, norm
    assert signatures[:8:2] == [signatures[0]] * 4
    assert signatures[1:8:2] == [signatures[1]] * 4


@pytest.mark.parametrize(
    "changed",
    [
        (X, W, LINEAR, "%z = elementwise(fn='tanh') %y : f32[4,6]", "return %z"),
        (X.replace("4,6", "5,6"), W, LINEAR.replace("4,6", "5,6"), "return %y"),
        (X, W.replace("parameter(key='w')", "input(index=1)"), LINEAR, "return %y"),
        (X, W, LINEAR.replace("nk", "kn"), "return %y"),
    ],
)
def test_another_structure_is_another_signature(changed: tuple[str, ...]) -> None:
    (plain,) = kernels(X, W, LINEAR, "return %y")
    (other,) = kernels(*changed)
    assert plain.signature != other.signature


def test_names_and_places_are_no_part_of_a_signature() -> None:
    (plain,) = kernels(X, W, LINEAR, "return %y")
    renamed = [line.replace("%", "%other_") for line in (X, W, LINEAR)]
    (other,) = kernels(*renamed, "return %other_y")
    assert plain.signature == other.signature
    assert isinstance(plain.anchor.op, Contract)
    assert not isinstance(plain.anchor.op, Elementwise)
