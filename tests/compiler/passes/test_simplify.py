import numpy as np
import pytest

from tests.compiler.graphs import model
from tests.compiler.passes.checks import assert_same_outputs, check_pass
from wsc.compiler.ops import Reshape, Slice
from wsc.compiler.passes.dead_code import dead_code
from wsc.compiler.passes.simplify import simplify


def test_bypasses_identities() -> None:
    check_pass("simplify_identities", simplify, model(
        "%x = input(index=0) : f32[2,3]",
        "%a = reshape(shape=(2,3)) %x : f32[2,3]",
        "%b = slice(dim=1, start=0, stop=3) %a : f32[2,3]",
        "%c = permute(order=(0,1)) %b : f32[2,3]",
        "%d = expand(shape=(2,3)) %c : f32[2,3]",
        "%e = cast(dtype='f32') %d : f32[2,3]",
        "%f = elementwise(fn='add', scalars=(None, 0)) %e : f32[2,3]",
        "%g = elementwise(fn='mul', scalars=(1.0, None)) %f : f32[2,3]",
        "%h = elementwise(fn='sub', scalars=(None, 0.0)) %g : f32[2,3]",
        "%i = elementwise(fn='div', scalars=(None, 1)) %h : f32[2,3]",
        "%j = elementwise(fn='copy', scalars=(None,)) %i : f32[2,3]",
        "%k = concat(dim=0) %j : f32[2,3]",
        "%l = pad(lo=(0,0), hi=(0,0)) %k : f32[2,3]",
        "%y = elementwise(fn='exp', scalars=(None,)) %l : f32[2,3]",
        "return %y %l",
    ))  # fmt: skip


def test_keeps_what_only_looks_like_an_identity() -> None:
    before = model(
        "%x = input(index=0) : f32[2,2]",
        "%a = permute(order=(1,0)) %x : f32[2,2]",
        "%b = elementwise(fn='sub', scalars=(0, None)) %a : f32[2,2]",
        "%c = elementwise(fn='div', scalars=(1, None)) %b : f32[2,2]",
        "%d = elementwise(fn='add', scalars=(None, 1)) %c : f32[2,2]",
        "%e = elementwise(fn='mul', scalars=(None, 0)) %d : f32[2,2]",
        "%f = softmax(dim=1) %e : f32[2,2]",
        "return %f",
    )
    assert simplify(before).graph == before.graph


def test_fuses_views_of_views() -> None:
    check_pass("simplify_views", lambda m: dead_code(simplify(m)), model(
        "%x = input(index=0) : f32[4,6,20]",
        "%r1 = reshape(shape=(2,3,20), batch=1) %x : f32[4,2,3,20]",
        "%r2 = reshape(shape=(8,60)) %r1 : f32[8,60]",
        "%p1 = permute(order=(2,0,1)) %x : f32[20,4,6]",
        "%p2 = permute(order=(0,2,1)) %p1 : f32[20,6,4]",
        "%p3 = permute(order=(1,2,0)) %p2 : f32[6,4,20]",
        "%s1 = slice(dim=2, start=3, stop=20, step=2) %x : f32[4,6,9]",
        "%s2 = slice(dim=2, start=1, stop=8, step=3) %s1 : f32[4,6,3]",
        "%s3 = slice(dim=0, start=1, stop=3) %s2 : f32[2,6,3]",
        "%q1 = permute(order=(1,2,0)) %x : f32[6,20,4]",
        "%q2 = permute(order=(2,0,1)) %q1 : f32[4,6,20]",
        "return %r2 %p3 %s3 %q2",
    ))  # fmt: skip


def test_shares_equal_expressions() -> None:
    check_pass("simplify_shared", simplify, model(
        "%x = input(index=0) : f32[2]",
        "%w1 = parameter(key='w') : f32[2]",
        "%w2 = parameter(key='w') : f32[2]",
        "%v = parameter(key='v') : f32[2]",
        "%a = elementwise(fn='mul', scalars=(None, None)) %x %w1 : f32[2]",
        "%b = elementwise(fn='mul', scalars=(None, None)) %x %w2 : f32[2]",
        "%c = elementwise(fn='mul', scalars=(None, None)) %x %v : f32[2]",
        "%d = elementwise(fn='add', scalars=(None, None)) %a %b : f32[2]",
        "%e = elementwise(fn='add', scalars=(None, 2)) %d : f32[2]",
        "%f = elementwise(fn='add', scalars=(None, 2.0)) %d : f32[2]",
        "return %e %f %c",
    ))  # fmt: skip


@pytest.mark.parametrize("seed", range(50))
def test_fused_slices_take_the_same_elements(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def bounds(extent: int) -> tuple[int, int, int, int]:
        start, stop = sorted(int(n) for n in rng.integers(0, extent + 1, 2))
        step = int(rng.integers(1, 4))
        return start, stop, step, len(range(start, stop, step))

    a, b, c, n = bounds(12)
    d, e, f, m = bounds(n)
    before = model(
        "%x = input(index=0) : f32[2,12]",
        f"%s = slice(dim=1, start={a}, stop={b}, step={c}) %x : f32[2,{n}]",
        f"%t = slice(dim=1, start={d}, stop={e}, step={f}) %s : f32[2,{m}]",
        "return %t",
    )
    after = dead_code(simplify(before))
    assert sum(isinstance(node.op, Slice) for node in after.graph) <= 1
    assert_same_outputs(before, after)


def test_views_of_stacked_views_keep_their_batch() -> None:
    before = model(
        "%x = input(index=0) : f32[5,2,6]",
        "%a = reshape(shape=(3,4), batch=1) %x : f32[5,3,4]",
        "%b = reshape(shape=(12,), batch=1) %a : f32[5,12]",
        "return %b",
    )
    after = dead_code(simplify(before))
    assert [node.op for node in after.graph][1:] == [Reshape((12,), 1)]
